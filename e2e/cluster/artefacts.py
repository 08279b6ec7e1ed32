"""The cache: every built or downloaded thing is a folder named by a hash of what it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .mounts import remove_tree


def key_of(*inputs: str | Path) -> str:
    """A short name that changes when any input does: texts count as they are, files and folders by path and content."""
    digest = hashlib.sha256()
    for given in inputs:
        if isinstance(given, str):
            _feed(digest, "text", given.encode())
        elif given.is_dir():
            for file in sorted(p for p in given.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
                _feed(digest, str(file.relative_to(given)), file.read_bytes())
        else:
            _feed(digest, given.name, given.read_bytes())
    return digest.hexdigest()[:16]


def _feed(digest: hashlib._Hash, name: str, content: bytes) -> None:
    # Lengths first: ("ab", "c") and ("a", "bc") must not meet in one key.
    digest.update(f"{len(name)}:{name}:{len(content)}:".encode())
    digest.update(content)


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Folders `<root>/<name>/<key>`: complete if they exist, since each is made under another name and renamed."""

    root: Path

    def path(self, name: str, key: str) -> Path:
        return self.root / name / key

    def has(self, name: str, key: str) -> bool:
        return self.path(name, key).is_dir()

    def ensure(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """The artefact, made now if it is not there; older ones of the same name go once the new one stands."""
        done = self.path(name, key)
        if done.is_dir():
            return done
        unfinished = done.parent / f".{key}.unfinished"
        remove_tree(unfinished)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(done)
        for other in done.parent.iterdir():
            if other != done:
                remove_tree(other)
        return done
