"""Derived against default and swept configurations of a real Triton: `python -m bench.serving --help`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.places import FOLDER, PAGES
from bench.serving.configurations import defaults, derived, sweep
from bench.serving.measure import Effort, Measured, measure
from bench.serving.models import downloaded, measurables
from bench.serving.page import holds, table, verdict, write
from bench.serving.store import Store
from e2e.cluster import ClusterError
from e2e.cluster.progress import Progress
from e2e.local_triton import install

PAGE: Final = PAGES / "serving.md"
WHOLE: Final = Effort(rough_seconds=2.0, seconds=5.0, rounds=8, finalists=2)
QUICK: Final = Effort(rough_seconds=1.5, seconds=3.0, rounds=4, finalists=1)


def main(arguments: list[str] | None = None) -> int:
    """Measures every configuration of every model, prints the table and writes the page; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.serving",
        description="The rate that one Triton serves within the SLO, configured by Foretide, by nobody and by hand. "
        "Runs the server of the embedded cluster as a process, 25 minutes in all on a quiet machine. Models that "
        "are done are kept, the same command goes on from there.",
    )
    parser.add_argument("--quick", action="store_true", help="short loads and a small sweep; writes no page (5 min)")
    parser.add_argument("--only", default="", help="models whose name contains this, e.g. mlp; writes no page")
    parser.add_argument("--again", action="store_true", help="measure also what is done")
    parser.add_argument("--out", type=Path, default=FOLDER / "serving", help="folder of the models that are done")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default in docs/benchmarks)")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the servers would stay

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    try:
        root, files = install(Progress()), downloaded(Progress())
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    models = tuple(model for model in measurables(files) if given.only in model.name)
    if not models:
        parser.error(f"--only {given.only!r} matches none of {', '.join(one.name for one in measurables(files))}")
    cpus, effort, store = len(os.sched_getaffinity(0)), QUICK if given.quick else WHOLE, Store(given.out)
    rows: list[Measured] = []
    for model in models:
        ways = (derived(model, cpus=cpus), defaults(model), *sweep(model, cpus=cpus, quick=given.quick))
        done = None if given.again else store.found(model, ways, effort)
        if done is None:
            with tempfile.TemporaryDirectory(prefix="foretide-bench-") as folder:
                done = measure(root, model, ways, Path(folder), effort=effort, say=say)
            store.keep(model, ways, effort, done)
        rows += done
    print(*table(models, rows), sep="\n")
    if not given.quick and not given.only:
        write(models, rows, cpus=cpus, effort=effort, page=given.page)
    return 0 if holds([verdict(model.name, rows) for model in models]) else 1


if __name__ == "__main__":
    sys.exit(main())
