"""How long a backtest takes: `python -m bench.backtest`, or `make bench-backtest`.

One service by the command line as a user has it, from a CSV file of 15 s steps: two weeks are judged, the two weeks
before them are known. Then a hundred services, each with a model of its own, of which the simulator makes a table for
each. Loads are the public traces of `bench/traces`, each service with another column or another part of one.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from bench.places import REPOSITORY
from foretide.cli.backtest.candidates import OURS, Candidate
from foretide.cli.backtest.case import Given, Load, Subject, of_options
from foretide.cli.backtest.loads import of_file
from foretide.cli.backtest.replay import tasks
from foretide.cli.backtest.results import joined, totals
from foretide.scaling.arrays import Floats
from foretide.simulate.command.processes import perform_all
from foretide.simulate.command.progress import Progress
from foretide.simulate.compile import compile_all
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.run import EPOCH_SECONDS
from foretide.simulate.traces import read_trace

TRACES: Final = ("twitter_volume", "azure_functions_2019", "nasa_1995", "worldcup98")
STEP_SECONDS: Final = 15.0
DAY_SECONDS: Final = 86_400.0
KNOWN_DAYS: Final = 14.0
# A fleet of so many replicas at its busiest minutes: one that is scaled, not one that idles.
REPLICAS: Final = 8
BUSY_QUANTILE: Final = 0.99
SERVICE: Final = Given(slo="250ms", batch_time="10ms,40ms,8", cold_start="60s", max_replicas=40)
ONE_BAR_SECONDS: Final = 20.0
MANY_BAR_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Took:
    """What was waited for, and the time of all processors."""

    wall_seconds: float
    cpu_seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Prints a row for each size; 1 where one is above its bar."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.backtest",
        description=f"Seconds that a backtest takes; fails where one service takes more than {ONE_BAR_SECONDS:g} s, or "
        f"a hundred more than {MANY_BAR_SECONDS:g} s.",
    )
    parser.add_argument("--services", type=int, default=100, help="of the second row, 0 for none (default 100)")
    parser.add_argument("--days", type=float, default=14.0, help="that are judged (default 14)")
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 2), help="processes (default 2)")
    given = parser.parse_args(arguments)
    compile_all()
    print(f"{'services':>8}{'days':>6}{'processes':>11}{'seconds':>9}{'CPU s':>8}{'bar':>6}  what came of it")
    missed = _row(1, given.days, given.workers, ONE_BAR_SECONDS, lambda: one(given.days, given.workers))
    if given.services:
        subjects = list(fleet(given.services, given.days))
        missed += _row(
            given.services,
            given.days,
            given.workers,
            MANY_BAR_SECONDS * given.services / 100.0,
            lambda: many(subjects, given.workers),
        )
    return 1 if missed else 0


def _row(services: int, days: float, workers: int, bar_seconds: float, run: Callable[[], tuple[Took, str]]) -> int:
    took, came = run()
    seconds = f"{took.wall_seconds:>9.1f}{took.cpu_seconds:>8.1f}{bar_seconds:>6g}"
    print(f"{services:>8}{days:>6g}{workers:>11}{seconds}  {came}")
    return int(took.wall_seconds > bar_seconds)


def one(days: float, workers: int) -> tuple[Took, str]:
    """By the command line, from a file."""
    (rates, *_) = _loads(days)
    with tempfile.TemporaryDirectory() as folder:
        file, page = Path(folder) / "load.csv", Path(folder) / "report.html"
        counts = np.round(np.cumsum(rates) * STEP_SECONDS)
        rows = zip(np.arange(len(rates)) * STEP_SECONDS, np.diff(counts, prepend=0.0), strict=True)
        file.write_text("t_s,a\n" + "".join(f"{at:.0f},{count:.0f}\n" for at, count in rows))
        options = {
            "-f": file, "--days": days, "--workers": workers, "--report": page, "--slo": SERVICE.slo,
            "--batch-time": SERVICE.batch_time, "--cold-start": SERVICE.cold_start,
            "--max-replicas": SERVICE.max_replicas,
        }  # fmt: skip
        command = [sys.executable, "-m", "foretide.cli", "backtest"]
        command += [str(part) for option in options.items() for part in option]
        before, began = _cpu_seconds(), time.monotonic()
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
        took = Took(time.monotonic() - began, _cpu_seconds() - before)
        return took, f"a page of {page.stat().st_size / 1024:.0f} KiB"


def many(subjects: list[Subject], workers: int) -> tuple[Took, str]:
    """Each with a model of its own."""
    before, began = _cpu_seconds(), time.monotonic()
    work = tasks(subjects, [Candidate(OURS)], workers=workers, fidelity=Fidelity.FLUID, whole=False)
    progress = Progress("backtest")
    runs = perform_all(work, workers=workers, report=progress.at)
    progress.end()
    (total,) = totals(joined(subjects, [Candidate(OURS)], runs))
    came = f"{len(work)} tasks; {100.0 * total.late_share:.3f} % late, {total.replica_hours:,.0f} replica-hours"
    return Took(time.monotonic() - began, _cpu_seconds() - before), came


def fleet(services: int, days: float) -> Iterator[Subject]:
    """Services of models that are all a little different."""
    rates = _loads(days)
    known = round(KNOWN_DAYS * DAY_SECONDS / STEP_SECONDS)
    for number in range(services):
        model = replace(SERVICE, batch_time=f"{10.0 + 0.05 * number:g}ms,40ms,8")
        case = of_options(f"service {number}", model)
        load = rates[number % len(rates)]
        # Another time of the day for each round of the columns.
        moved = np.roll(load, round(number // len(rates) * 3_600.0 / STEP_SECONDS))
        yield Subject(
            case,
            Load(
                rates_rps=moved,
                step_seconds=STEP_SECONDS,
                start_seconds=EPOCH_SECONDS,
                judged_from=known,
                unknown_share=0.0,
                source="traces",
            ),
        )


def _loads(days: float) -> list[Floats]:
    """Columns of the traces in steps of 15 s, as long as is needed, or twice over where one is shorter."""
    steps = round((days + KNOWN_DAYS) * DAY_SECONDS / STEP_SECONDS)
    law = of_options("a replica", SERVICE).usual.law
    found = []
    for name in TRACES:
        file = REPOSITORY / "bench" / "traces" / f"{name}.csv.gz"
        trace = read_trace(file)
        busy = [series for at, series in enumerate(trace.series) if trace.counts[at].any()]
        for load in of_file(file, series=busy, days=days).values():
            rates = np.repeat(load.rates_rps, round(load.step_seconds / STEP_SECONDS))
            rates = np.resize(rates, steps)
            top = float(np.quantile(rates, BUSY_QUANTILE))
            if top > 0.0:
                found.append(rates * (REPLICAS * 0.6 * law.saturation_rps / top))
    return found


def _cpu_seconds() -> float:
    """Of this process and those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    sys.exit(main())
