"""A burst of services on a real API server: `python -m bench.reconcile --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.places import FOLDER
from bench.reconcile.page import misses, table
from bench.reconcile.run import Run, measure
from e2e.cluster import ClusterError

RESULTS: Final = FOLDER / "reconcile.json"
SERVICES: Final = (100, 300, 1_000, 3_000)
# The bar is about a thousand services at rest; of the others a minute shows whether anything moves.
IDLE_SECONDS: Final = 600.0
IDLE_SERVICES: Final = 1_000
SHORT_IDLE_SECONDS: Final = 60.0


def main(arguments: list[str] | None = None) -> int:
    """Measures each size and writes the results; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.reconcile",
        description="A burst of InferenceServices, a change of them all, a rest and a restart, on an API server, "
        "controllers and a scheduler of its own, with nodes played by kwok; the operator is a process with the rights "
        "of the chart. An hour in all, best on a quiet machine.",
    )
    parser.add_argument(
        "--services", type=int, nargs="+", default=list(SERVICES), help="how many (default: %(default)s)"
    )
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds of rest of 1,000 (default 600)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file to write")
    given = parser.parse_args(arguments)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    runs: list[Run] = []
    try:
        for count in given.services:
            idle = given.idle if count == IDLE_SERVICES else min(given.idle, SHORT_IDLE_SECONDS)
            runs.append(asyncio.run(measure(count, idle_seconds=idle, say=say)))
            print(json.dumps(asdict(runs[-1])), flush=True)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps({"runs": [asdict(run) for run in runs]}, indent=1) + "\n")
    missed = [each for run in runs for each in misses(run)]
    print(*table(runs), *missed, sep="\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
