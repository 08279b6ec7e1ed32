"""Makes the table of latencies that the operator ships: `python -m bench.capacity_table --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.capacity_table.accuracy import compare, points
from bench.capacity_table.make import REQUESTS, SEED, TABLE, make, write
from bench.capacity_table.page import PAGE, summary, write_page
from bench.capacity_table.remade import remade
from bench.places import REPOSITORY
from foretide.simulate.command.progress import Progress
from foretide.simulate.compile import compile_all

FEWEST_REQUESTS = 10_000
# Rates are within these for nearly all points; the bar of `--accuracy`.
NEARLY_ALL = 0.9


def main(arguments: list[str] | None = None) -> int:
    """1 where the file is not what its generator makes, or its rates are worse than they should be."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.capacity_table",
        description="Simulates a replica at all points of the table, 4 minutes on one core, and writes "
        f"{TABLE.relative_to(REPOSITORY)}. The same seed makes the same file. Then run --accuracy.",
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of the arrivals (default %(default)s)")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="a point and load (default %(default)s)")
    parser.add_argument("--file", type=Path, default=TABLE, help="the table (default: where the operator reads it)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="make some random points anew and compare them")
    action.add_argument(
        "--accuracy",
        action="store_true",
        help="compare rates within the SLO with those that the simulator finds, off the grid, and write "
        f"{PAGE.relative_to(REPOSITORY)}; half a second a point",
    )
    parser.add_argument("--points", type=int, help="how many (default 20 for --check, 300 for --accuracy)")
    given = parser.parse_args(arguments)
    if given.requests < FEWEST_REQUESTS:
        parser.error(f"--requests must be {FEWEST_REQUESTS} or more, not {given.requests}")
    if given.seed < 0:
        parser.error(f"--seed must be 0 or more, not {given.seed}")
    if given.points is not None and given.points < 1:
        parser.error(f"--points must be 1 or more, not {given.points}")
    if given.check:
        return _check(given)
    if given.accuracy:
        return _accuracy(given)
    progress = Progress("simulating")
    write(*make(requests=given.requests, seed=given.seed, told=progress.at), given.file)
    progress.end()
    print(f"{given.file}: {given.file.stat().st_size:,} bytes")
    return 0


def _check(given: argparse.Namespace) -> int:
    differing = remade(given.file, points=given.points or 20, requests=given.requests, seed=given.seed)
    for line in differing:
        print(line)
    print(f"{len(differing)} of {given.points or 20} points differ")
    return 1 if differing else 0


def _accuracy(given: argparse.Namespace) -> int:
    compile_all()
    progress = Progress("searching")
    rows = compare(points(given.points or 300, seed=given.seed), progress.at)
    progress.end()
    print(*summary(rows), sep="\n")
    write_page(rows, PAGE)
    good = sum(row.holds for row in rows) / len(rows)
    return 0 if good >= NEARLY_ALL else 1


if __name__ == "__main__":
    sys.exit(main())
