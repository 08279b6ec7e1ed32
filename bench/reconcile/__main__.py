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

import aiohttp
import httpx

from bench.places import FOLDER
from bench.reconcile.burst import Say
from bench.reconcile.kserve import programs
from bench.reconcile.kserve.run import KServeRun
from bench.reconcile.kserve.run import measure as measure_kserve
from bench.reconcile.page import misses, table
from bench.reconcile.run import Run, measure
from e2e.cluster import ClusterError
from e2e.cluster.progress import Progress

RESULTS: Final = FOLDER / "reconcile.json"
SERVICES: Final = (100, 300, 1_000, 3_000)
# The bar is about a thousand services at rest; of the others a minute shows whether anything moves.
IDLE_SECONDS: Final = 600.0
IDLE_SERVICES: Final = 1_000
SHORT_IDLE_SECONDS: Final = 60.0
# A manager that ended, an API server that refuses, a series that is not there.
LOST: Final = (aiohttp.ClientError, httpx.HTTPError, RuntimeError, LookupError)
# By the rate limits of its clients, KServe's controller needs the longer the more there are.
KSERVE_SERVICES: Final = 1_000


def main(arguments: list[str] | None = None) -> int:
    """Measures each size and writes the results; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.reconcile",
        description="A burst of InferenceServices, a change of them all, a rest and a restart, on an API server, "
        "controllers and a scheduler of its own, with nodes played by kwok; the operator is a process with the rights "
        "of the chart. Beside it, on another API server, the same burst on KServe's controller, built from its Go "
        "module. An hour and a half in all, best on a quiet machine.",
    )
    parser.add_argument(
        "--services", type=int, nargs="+", default=list(SERVICES), help="how many (default: %(default)s)"
    )
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds of rest of 1,000 (default 600)")
    parser.add_argument(
        "--kserve-up-to",
        type=int,
        default=KSERVE_SERVICES,
        metavar="SERVICES",
        help="the largest burst for KServe's controller, whose clients ask 20 times a second each; 0 leaves it out "
        "(default: %(default)s)",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file to write")
    given = parser.parse_args(arguments)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    runs: list[Run] = []
    peers: list[KServeRun] = []
    try:
        built = _kserve() if min(given.services) <= given.kserve_up_to else None
        for count in given.services:
            idle = given.idle if count == IDLE_SERVICES else min(given.idle, SHORT_IDLE_SECONDS)
            runs.append(asyncio.run(measure(count, idle_seconds=idle, say=say)))
            print(json.dumps(asdict(runs[-1])), flush=True)
            _keep(given.results, runs, peers)
            if built is not None and count <= given.kserve_up_to and (peer := _beside(count, built, say)) is not None:
                peers.append(peer)
                print(json.dumps(asdict(peer)), flush=True)
                _keep(given.results, runs, peers)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    missed = [each for run in runs for each in misses(run)]
    print(*table(runs, peers), *missed, sep="\n")
    return 1 if missed else 0


def _keep(path: Path, runs: list[Run], peers: list[KServeRun]) -> None:
    """After each run: the next may fail after half an hour."""
    results = {"runs": [asdict(run) for run in runs], "kserve": [asdict(run) for run in peers]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def _beside(count: int, built: programs.Built, say: Say) -> KServeRun | None:
    """The same burst on KServe's controller; a peer that does not get there loses none of what was measured of us."""
    try:
        return asyncio.run(measure_kserve(count, built, say=say))
    except (AssertionError, ClusterError, TimeoutError, *LOST) as error:
        say(f"{count} services on KServe {built.version}: {error}")
        return None


def _kserve() -> programs.Built | None:
    """KServe's controller; where it cannot be built, say so and go on without it."""
    try:
        return programs.build(Progress())
    except ClusterError as error:
        print(f"Without KServe's controller: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
