"""The base image: a small Debian with Python 3.11, made by debootstrap: no image registry is needed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from .artefacts import Artefacts, key_of
from .commands import run
from .errors import ClusterError, CommandFailed
from .mounts import remove_tree
from .progress import Progress

SUITE: Final = "bookworm"
# libpython: the stub of Triton's Python backend is linked with it. venv: the build stages install with its pip.
# libgomp: LightGBM, the operator's model, is linked with it.
PACKAGES: Final = ("python3", "python3-venv", "libpython3.11", "libgomp1", "ca-certificates")
NETWORK_TROUBLE: Final = re.compile(r"Failed getting release file|Couldn't download|Invalid Release file")


def mirror() -> tuple[str, ...]:
    """The mirror to give to debootstrap; none: its own default."""
    chosen = os.environ.get("FORETIDE_DEBIAN_MIRROR")
    return (chosen,) if chosen else ()


def key() -> str:
    return key_of(SUITE, *PACKAGES)


def build(artefacts: Artefacts, cache: Path, progress: Progress) -> Path:
    """A tar archive of the root file system, made now unless it is there."""

    def make(folder: Path) -> None:
        with progress.step("making the base image from Debian packages") as step:
            root = folder / "root"
            words = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), *mirror()]

            def show(line: str) -> None:
                step.note(line.removeprefix("I: ")[:50])

            run(words, log=cache / "log" / "debootstrap.log", on_line=show)
            for leftover in (
                "var/cache/apt/archives",
                "var/lib/apt/lists",
                "usr/share/doc",
                "usr/share/man",
                "usr/share/locale",
            ):
                remove_tree(root / leftover)
            step.note("packing")
            # Devices cannot be made in every sandbox, and a container runtime brings its own.
            run(["tar", "--numeric-owner", "--exclude=./dev/*", "-C", root, "-cf", folder / "base.tar", "."])
            remove_tree(root)

    try:
        return artefacts.ensure("base", key(), make) / "base.tar"
    except CommandFailed as error:
        if NETWORK_TROUBLE.search(error.output):
            raise ClusterError(
                f"Debian packages cannot be downloaded ({''.join(mirror()) or 'default mirror'}): check the network, "
                "or set FORETIDE_DEBIAN_MIRROR to a mirror."
            ) from error
        raise
