"""Reproduces Faro's simulator table: `python -m bench.faro_table --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.faro_table import beside
from bench.faro_table.beside import Beside
from bench.faro_table.cases import RUNS, Case, foretide, rows, run
from bench.faro_table.experiments import experiments, forecasts
from bench.faro_table.page import Row, table, write
from bench.faro_table.world import Outcome
from bench.places import PAGES

PAGE: Final = PAGES / "faro.md"
MOST_RUNS: Final = min(map(len, RUNS.values()))


def main(arguments: list[str] | None = None) -> int:
    """Runs all cases and writes the page; 1 where a row misses its bar."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.faro_table",
        description="Runs our ports of Faro's policies in its simulator, written again, with its load and arrivals; "
        "compares with the results in its repository, and our own policy with the best of them, and writes "
        "docs/benchmarks/faro.md. 15 minutes on one processor, nothing but the repository is needed.",
        epilog="A quick look at one policy, without the page: --only aiad --runs 1. Our own is compared where "
        "variants of Faro's are run too: --only foretide is not, --only f is.",
    )
    parser.add_argument("--runs", type=int, default=MOST_RUNS, help=f"of each row, 1 to {MOST_RUNS} (the default)")
    parser.add_argument("--only", default="", help="rows whose name contains this, no experiments, e.g. aiad or faro")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default docs/benchmarks/faro.md)")
    given = parser.parse_args(arguments)
    if not 1 <= given.runs <= MOST_RUNS:
        parser.error(f"--runs must be from 1 to {MOST_RUNS}, not {given.runs}")
    wanted = [case for case in rows() if given.only in case.name]
    own = [case for case in foretide() if given.only in case.name]
    if not wanted + own:
        names = sorted({case.name for case in (*rows(), *foretide())})
        parser.error(f"--only {given.only!r} matches none of {', '.join(names)}")
    results = {case: _told(case, runs=given.runs) for case in (*wanted, *own)}
    if not given.only:
        pairs = (case for each in experiments() for pair in each.pairs for case in pair)
        results |= {case: _told(case, runs=1) for case in _new([*forecasts(), *pairs], results)}
    compared = [Row.of(case, results) for case in wanted]
    besides = [found for case in own if (found := Beside.of(case, results)) is not None]
    print(*table(compared), *beside.table(besides), sep="\n")
    if not given.only:
        write(compared, beside.section(besides), experiments(), results, given.page)
    return 0 if all(row.holds for row in compared) and all(each.holds for each in besides) else 1


def _told(case: Case, *, runs: int) -> list[Outcome]:
    """The runs of a case, and a line about them as soon as they are there."""
    began = time.monotonic()
    outcomes = [run(case, seed=seed, draw=draw) for seed, draw in RUNS[case.quota][:runs]]
    percent = ", ".join(f"{100.0 * outcome.by_minute:.2f} %" for outcome in outcomes)
    print(f"{time.monotonic() - began:6.1f} s  {case.text}: {percent} outside the SLO", flush=True)
    return outcomes


def _new(cases: Iterable[Case], known: Iterable[Case]) -> list[Case]:
    """Each case once, without those that are known."""
    return [case for case in dict.fromkeys(cases) if case not in set(known)]


if __name__ == "__main__":
    sys.exit(main())
