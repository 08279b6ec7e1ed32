"""Programs that are no part of the cluster, such as those that Foretide is compared with, each from its own go.mod."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .artefacts import Artefacts, key_of
from .binaries import COMPILE, Go, explained
from .commands import run
from .errors import CommandFailed
from .progress import Progress


@dataclass(frozen=True, slots=True)
class Module:
    """A folder with a go.mod of tool lines; `names` are the programs that come out, and what they are called then."""

    folder: Path
    path: str
    names: dict[str, str]


def build(module: Module, go: Go, artefacts: Artefacts, cache: Path, progress: Progress) -> Path:
    """The folder with the programs of a module, made now unless nothing changed."""

    def make(folder: Path) -> None:
        words = [str(go.program), "build", "-trimpath", "-v", COMPILE, "-ldflags=-s -w", "-o", f"{folder}/"]
        with progress.step(f"building {module.path} from its Go module") as step:
            log = cache / "log" / f"go-build-{module.folder.name}.log"
            run([*words, "tool"], cwd=module.folder, env=go.environment, log=log, on_line=step.note)
        for built, name in module.names.items():
            (folder / built).rename(folder / name)

    key = key_of(module.folder / "go.mod", module.folder / "go.sum", str(go.version))
    try:
        return artefacts.ensure(f"bin-{module.folder.name}", key, make)
    except CommandFailed as error:
        raise explained(error) from error


def source(module: Module, go: Go) -> Path:
    """Where the module's own files lie, for the manifests among them."""
    words = [str(go.program), "mod", "download", "-json", module.path]
    try:
        return Path(json.loads(run(words, cwd=module.folder, env=go.environment))["Dir"])
    except CommandFailed as error:
        raise explained(error) from error
