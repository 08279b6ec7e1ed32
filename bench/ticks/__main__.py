"""Ticks of one operator with up to 5,000 services: `python -m bench.ticks --help`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.places import FOLDER, REPOSITORY
from bench.ticks import page, past
from bench.ticks.decide import brain_seconds
from bench.ticks.loads import Loads
from bench.ticks.measure import Order, measure
from bench.ticks.plane import NotStartedError
from e2e.cluster import ClusterError, binaries
from e2e.cluster.artefacts import Artefacts
from e2e.cluster.paths import cache_folder
from e2e.cluster.progress import Progress

SIZES: Final = (100, 1_000, 5_000)
TICKS: Final = 40
RESULTS: Final = FOLDER / "ticks.json"
PAGE: Final = REPOSITORY / "docs" / "limits.md"
# A past that ended longer ago is made anew; the hours since are unknown to the operator, as after an outage.
FRESH_SECONDS: Final = 12 * 3_600.0
# Set in the process that has a network namespace of its own.
INSIDE: Final = "BENCH_TICKS_INSIDE"


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints the table, writes results and page; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.ticks",
        description="The operator against a real API server and a real Prometheus that has a fortnight of every "
        "service. The kubelets and the Tritons are stood for by one process. As root on Linux: everything runs in a "
        "network namespace of its own. Half an hour is for the past of 5,000 services, which is kept for half a day.",
    )
    parser.add_argument("--services", type=int, nargs="+", default=SIZES, help="sizes to measure (100 1000 5000)")
    parser.add_argument("--ticks", type=int, default=TICKS, help=f"ticks to measure of each ({TICKS})")
    parser.add_argument("--profile", action="store_true", help="cProfile of three ticks, in the folder of the run")
    given = parser.parse_args(arguments)
    if INSIDE not in os.environ:
        command = ["unshare", "--net", sys.executable, "-m", "bench.ticks", *(arguments or sys.argv[1:])]
        return subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # else what was started would be left running
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    runs = page.kept(RESULTS)
    try:
        cache, progress = cache_folder(), Progress()
        programs = binaries.build(binaries.find_go(cache), Artefacts(cache / "artefacts"), cache, progress)
        for services in given.services:
            say(f"{services:,} services: their past")
            order = Order(
                services=services,
                ticks=given.ticks,
                programs=programs,
                past=_past(programs, services),
                folder=FOLDER / "ticks" / f"{services}",
                core=max(os.sched_getaffinity(0)),
                profile=given.profile,
            )
            everywhere = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {order.core})
            brain = brain_seconds(services)
            os.sched_setaffinity(0, everywhere)
            runs[services] = {**measure(order, say), "brain_seconds": brain}
            page.write(runs, results=RESULTS, page=PAGE, picture=PAGE.with_name("limits.png"))
    except (ClusterError, NotStartedError) as error:
        print(error, file=sys.stderr)
        return 1
    measured = [runs[services] for services in sorted(runs)]
    print(*page.table(measured), *page.missed(measured), sep="\n")
    return 1 if any(page.missed(measured)) else 0


def _past(programs: Path, services: int) -> Path:
    """The folder with blocks of a fortnight."""
    folder = FOLDER / "ticks" / f"past-{services}"
    now = time.time()
    ends = folder / "ends"
    if ends.exists() and now - float(ends.read_text()) > FRESH_SECONDS:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not ends.exists():
        ends.write_text(f"{now}")
    past.backfill(programs / "promtool", folder, Loads.of(services), end_seconds=float(ends.read_text()))
    return folder


if __name__ == "__main__":
    sys.exit(main())
