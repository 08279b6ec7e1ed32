"""What the scaling brain reaches on loads that chose nothing: `python -m bench.brain --help`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Final

from bench.brain import page, peers
from bench.brain.coverage import coverage
from bench.brain.judge import Job, Ran, W, perform
from bench.brain.special import flash_crowd, new_service
from bench.brain.variants import VARIANTS
from bench.places import FOLDER, PAGES
from bench.scaling.console import NOTHING_IS_WRITTEN, ended, parsed
from foretide.simulate.workload import QueueName

PAGE: Final = PAGES / "brain.md"
JSON: Final = FOLDER / "brain.json"
COLD_STARTS_SECONDS: Final = (120.0, 300.0)
HOURS: Final = 24.0
QUICK_HOURS: Final = 1.5
COVERAGE_DAYS: Final = 1.0
# Parts are left out in the first setting, with one seed and for fewer hours.
ABLATION_HOURS: Final = 6.0


def main(arguments: list[str] | None = None) -> int:
    """Runs it all, writes the page and build/bench/brain.json; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.brain",
        description="Runs the brain, and the brain without each of its parts, over the day around the largest minute "
        "of each series that judges (bench/scaling/series.toml), request by request; a flash crowd; a service without "
        "a past; and counts how often its quantiles held. Writes docs/benchmarks/brain.md. About half an hour on two "
        "processors.",
        epilog="A look in three minutes, without the page: --quick",
    )
    parser.add_argument("--quick", action="store_true", help="an hour and a half of each series, no ablations, no page")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default docs/benchmarks/brain.md)")
    given = parsed(parser, arguments, seeds=5, seeds_of="seeds of each series under the whole brain")
    return ended(lambda: _run(given), interrupted=NOTHING_IS_WRITTEN)


def _run(given: argparse.Namespace) -> int:
    hours = QUICK_HOURS if given.quick else HOURS
    seeds = tuple(range(1, given.seeds + 1))
    whole = VARIANTS[0]
    judged = _told([Job(whole, one, (seed,), hours) for one in COLD_STARTS_SECONDS for seed in seeds], given.workers)
    left_out = [] if given.quick else [Job(one, COLD_STARTS_SECONDS[0], (1,), ABLATION_HOURS) for one in VARIANTS]
    ours = _told([Job(whole, one, (1,), peers.HOURS) for one in COLD_STARTS_SECONDS], given.workers)
    swept = _told([] if given.quick else peers.all_sweeps(COLD_STARTS_SECONDS), given.workers)
    results = page.Results(
        hours=hours,
        rans=_all(judged),
        ablation_hours=ABLATION_HOURS,
        ablations=_all(_told(left_out, given.workers)),
        flash=flash_crowd(seeds, QueueName.DEFAULT),
        refusing=flash_crowd(seeds, QueueName.SLO),
        new=new_service(seeds),
        covered=[] if given.quick else coverage(days=COVERAGE_DAYS, workers=given.workers),
        ours={job.cold_start_seconds: peers.Point.of(found) for job, found in ours.items()},
        peers=[(sweep, peers.Point.of(found)) for sweep, found in swept.items()],
    )
    bars = page.bars(results)
    print(*page.table(bars), sep="\n")
    if not given.quick:
        JSON.parent.mkdir(parents=True, exist_ok=True)
        JSON.write_text(json.dumps({"runs": [asdict(ran) for ran in results.rans]}) + "\n")
        given.page.write_text("\n".join(page.lines(results, bars)) + "\n")
    return 0 if all(bar.holds for bar in bars) else 1


def _told(jobs: Sequence[W], workers: int) -> dict[W, list[Ran]]:
    """What came of each job, and a line about it as soon as it is there."""
    began, numbers = time.monotonic(), count(1)

    def told(job: W, rans: list[Ran]) -> None:
        late = sum(ran.late for ran in rans) / sum(ran.requests for ran in rans)
        print(
            f"{time.monotonic() - began:6.0f} s  {next(numbers)}/{len(jobs)}  {job.name}, cold start "
            f"{job.cold_start_seconds:g} s: {late:.2%} late",
            flush=True,
        )

    return perform(jobs, workers=workers, told=told)


def _all(found: Mapping[W, list[Ran]]) -> list[Ran]:
    return [ran for rans in found.values() for ran in rans]


if __name__ == "__main__":
    sys.exit(main())
