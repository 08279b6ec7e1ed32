"""Checks the simulator against real Triton: `python -m bench.simulator_truth --help`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from bench.places import FOLDER, PAGES
from bench.simulator_truth.calibrate import calibrated
from bench.simulator_truth.cases import QUEUES, cases
from bench.simulator_truth.compare import compare
from bench.simulator_truth.measure import case_file, measure
from bench.simulator_truth.page import table, write
from bench.simulator_truth.recording import Recording
from e2e.cluster import ClusterError

PAGE: Final = PAGES / "simulator.md"
RECORDINGS: Final = FOLDER / "simulator_truth"


def main(arguments: list[str] | None = None) -> int:
    """Measures what is missing, simulates, writes the page; 1 where a judged case misses the bar."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.simulator_truth",
        description="Sends loads to real Triton pods in the cluster that CLUSTER names (make cluster), 50 minutes "
        "in all and best on a quiet machine, and asks the simulator about the same requests. Stopped, it goes on "
        "where it was.",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="shorter or longer loads (default 1)")
    parser.add_argument("--only", default="", help="cases whose name contains this, e.g. limited-3")
    parser.add_argument(
        "--folder", type=Path, default=RECORDINGS, help="where the requests are kept (default build/bench)"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default docs/benchmarks)")
    given = parser.parse_args(arguments)
    # The shortest case then lasts half a minute behind its warm-up.
    if not 0.5 <= given.scale <= 10.0:
        parser.error(f"--scale must be from 0.5 to 10, not {given.scale:g}")
    wanted = tuple(case for case in cases(scale=given.scale) if given.only in case.name)
    if not wanted:
        parser.error(f"--only {given.only!r} matches none of {', '.join(case.name for case in cases(scale=1.0))}")
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    try:
        measure(wanted, given.folder, say)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    say("looking for the pause and the missed wake-ups")
    known = {queue: calibrated(given.folder, queue, QUEUES[queue]) for queue in {case.queue for case in wanted}}
    rows = [compare(case, Recording.load(case_file(given.folder, case)), known[case.queue]) for case in wanted]
    print(*table(rows), sep="\n")
    if not given.only:
        write(rows, known, given.page)
    return 0 if all(row.holds for row in rows if row.case.judged) else 1


if __name__ == "__main__":
    sys.exit(main())
