"""Derived against default and swept configurations of a real Triton: `python -m bench.serving --help`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.places import PAGES
from bench.serving.configurations import defaults, derived, sweep
from bench.serving.measure import Effort, Measured, measure
from bench.serving.models import measurables
from bench.serving.page import holds, table, verdict, write
from e2e.cluster import ClusterError
from e2e.cluster.progress import Progress
from e2e.local_triton import install

PAGE: Final = PAGES / "serving.md"
WHOLE: Final = Effort(seconds=10.0, resolution=0.06)
QUICK: Final = Effort(seconds=1.0, resolution=0.25)


def main(arguments: list[str] | None = None) -> int:
    """Measures every configuration of every model, prints the table and writes the page; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.serving",
        description="The rate that one Triton serves within the SLO, configured by Foretide, by nobody and by hand. "
        "Runs the server of the embedded cluster as a process, an hour in all, best on a quiet machine.",
    )
    parser.add_argument("--quick", action="store_true", help="short loads and a small sweep; writes no page (4 min)")
    parser.add_argument("--only", default="", help="models whose name contains this, e.g. sleeper; writes no page")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default in docs/benchmarks)")
    given = parser.parse_args(arguments)
    models = tuple(model for model in measurables() if given.only in model.name)
    if not models:
        parser.error(f"--only {given.only!r} matches none of {', '.join(model.name for model in measurables())}")
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    cpus, effort = len(os.sched_getaffinity(0)), QUICK if given.quick else WHOLE
    rows: list[Measured] = []
    try:
        root = install(Progress())
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="foretide-bench-") as folder:
        for model in models:
            # One after the other for each model: what else the machine does then is much the same for all of them.
            ways = (derived(model, cpus=cpus), defaults(model), *sweep(model, cpus=cpus, quick=given.quick))
            for way in ways:
                row = measure(root, model, way, Path(folder), effort=effort, say=say)
                rows.append(row)
                say(f"{model.name}, {way.name}: {row.error or f'{row.rate_rps:.0f}/s at the SLO'}")
    print(*table(models, rows), sep="\n")
    if not given.quick and not given.only:
        write(models, rows, cpus=cpus, seconds=effort.seconds, page=given.page)
    return 0 if holds([verdict(model.name, rows) for model in models]) else 1


if __name__ == "__main__":
    sys.exit(main())
