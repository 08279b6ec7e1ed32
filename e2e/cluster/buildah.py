"""buildah with storage of its own inside the cache, which is thrown away whenever it may be spoiled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .commands import run
from .errors import CommandFailed
from .mounts import remove_tree
from .paths import RUN


@dataclass(frozen=True, slots=True)
class Buildah:
    """Runs buildah; one build at a time, since they share the storage."""

    cache: Path

    def run(self, *words: str) -> str:
        return run(self._words(*words), env=self._environment())

    def build(self, words: Sequence[str], log: Path, note: Callable[[str], None]) -> None:
        """A build in layers, of which those that did not change are kept from the last one; `note` gets each step."""

        def show(line: str) -> None:
            if line.startswith(("STEP ", "[")):
                note(line.split(":")[0].lower())

        arguments = self._words("build", "--layers", "--pull-never", *words)
        try:
            run(arguments, env=self._environment(), log=log, on_line=show)
        except CommandFailed as error:
            sentence = f"The image does not build: {cause(error.output)} (log: {log})"
            raise CommandFailed(sentence, error.output, killed=error.killed) from error

    def has(self, reference: str) -> bool:
        return reference in self.run("images", "--format", "{{.Name}}:{{.Tag}}").split()

    @contextmanager
    def storage(self) -> Iterator[None]:
        """Around builds: the storage, emptied if a build in it was killed: half a layer spoils later ones."""
        in_use = self.cache / "buildah.in-use"
        if in_use.exists():
            self.discard_storage()
        remove_tree(self.cache / "tmp")
        self.cache.mkdir(parents=True, exist_ok=True)
        in_use.touch()
        try:
            yield
        except CommandFailed as error:
            if not error.killed:  # a mistake in the Containerfile or the code: buildah has cleaned up
                in_use.unlink()
            raise
        in_use.unlink()
        remove_blob_cache()

    def discard_storage(self) -> None:
        remove_tree(self.cache / "buildah")
        remove_tree(RUN / "buildah")

    def _words(self, *words: str) -> list[str]:
        return ["buildah", f"--root={self.cache}/buildah", f"--runroot={RUN}/buildah", *words]

    def _environment(self) -> dict[str, str]:
        temporary = self.cache / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        # buildah makes this folder even for builds without a network of their own; the default is in /etc.
        configuration = temporary / "containers.conf"
        configuration.write_text(f'[network]\nnetwork_config_dir = "{temporary}/cni"\n')
        variables = {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(temporary), "CONTAINERS_CONF": str(configuration)}
        return {**os.environ, **variables}


def spoiled(error: CommandFailed) -> bool:
    """Whether buildah stumbled over its own storage ("creating read-write layer: no such file") and not over a step."""
    return not error.killed and "building at STEP" not in error.output


def cause(output: str) -> str:
    """The last line that says something: before buildah's own, which repeats the step and says `exit status 1`."""
    lines = [line for line in output.splitlines() if line]
    last = lines[-1] if lines else "it printed nothing"
    if "building at STEP" not in last:
        return last
    said = [line for line in lines if not line.startswith(("Error: ", "subprocess exited", "STEP ", "[", "-->"))]
    return said[-1] if said else last


def remove_blob_cache(containers: Path = Path("/var/lib/containers")) -> None:
    """Removes the note of pushed layers that buildah writes outside its root, unless podman lives there."""
    if not (containers / "storage").exists():
        (containers / "cache" / "blob-info-cache-v1.boltdb").unlink(missing_ok=True)
        for folder in (containers / "cache", containers):
            with suppress(OSError):
                folder.rmdir()
