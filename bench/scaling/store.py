"""What is done already: a file for each cell, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from foretide.simulate.command.processes import Work, perform_all
from foretide.simulate.command.progress import Progress
from foretide.simulate.command.refused import Refused
from foretide.simulate.command.results import Run


class Keyed(Work, Protocol):
    """Work whose results are kept."""

    @property
    def policy(self) -> str:
        """Who decides in it."""
        ...

    @property
    def key(self) -> str:
        """Another one for each thing that a result depends on."""
        ...


class Store:
    """A folder of results."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self._folder = folder
        self._workers = workers
        folder.mkdir(parents=True, exist_ok=True)

    def performed(self, cells: Sequence[Keyed], what: str) -> list[Run]:
        """The runs of all cells: those that are there, and those that are made now."""
        missing = [cell for cell in cells if not self._file(cell).exists()]
        if missing:
            progress = Progress(f"{what}: {len(cells) - len(missing)} of {len(cells)} cells are there; the others")
            try:
                perform_all(
                    missing,
                    workers=self._workers,
                    report=progress.at,
                    keep=lambda at, runs: self._keep(missing[at], runs),
                )
            finally:
                progress.end()
        return [run for cell in cells for run in self._read(cell)]

    def _read(self, cell: Keyed) -> list[Run]:
        file = self._file(cell)
        try:
            return cast(list[Run], json.loads(gzip.decompress(file.read_bytes())))
        except (EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
            fix = f"delete it in {self._folder} to run it again"
            raise Refused("cell", file.name, f"cannot be read ({error})", fix) from None

    def _file(self, cell: Keyed) -> Path:
        return self._folder / f"{cell.policy}-{cell.key}.json.gz"

    def _keep(self, cell: Keyed, runs: list[Run]) -> None:
        file = self._file(cell)
        partial = file.with_suffix(f".{os.getpid()}.partial")
        partial.write_bytes(gzip.compress(json.dumps(runs, allow_nan=False).encode(), mtime=0))
        partial.replace(file)
