"""Python packages for the image builds, downloaded by the host's pip, which knows the user's index and certificates."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from .artefacts import Artefacts, key_of
from .commands import run
from .errors import ClusterError, CommandFailed
from .progress import Progress

IMAGE_PYTHON: Final = (3, 11)
# What runs on the base image's C library, 2.36, whatever this machine has.
PLATFORMS: Final = ("manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(17, 37)))
NETWORK_TROUBLE: Final = re.compile(
    r"ConnectionError|NewConnectionError|Max retries|No matching distribution|SSLError|timed out"
)


def download(name: str, requirements: Path, artefacts: Artefacts, progress: Progress) -> Path | None:
    """The folder, filled now unless it is there; None where only the pip inside the build can choose the files.

    That is under a Python other than the image's: pip would judge the markers in the file by its own version.
    """
    if sys.version_info[:2] != IMAGE_PYTHON:
        return None

    def make(folder: Path) -> None:
        with progress.step(f"downloading the Python packages of {name}"):
            words: list[str | Path] = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--require-hashes",
            ]
            words += ["--only-binary=:all:", *(f"--platform={p}" for p in PLATFORMS)]
            run([*words, "--dest", folder, "--requirement", requirements])

    try:
        return artefacts.ensure(f"wheels-{name}", key_of(requirements, *PLATFORMS), make)
    except CommandFailed as error:
        if NETWORK_TROUBLE.search(error.output):
            raise ClusterError(
                f"Python packages for the image {name} cannot be downloaded ({error.output.splitlines()[-1]}): "
                "check the network and pip's index (`pip config list`)."
            ) from error
        raise
