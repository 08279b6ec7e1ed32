"""What the scaling brain reaches on loads that chose nothing: `python -m bench.brain --help`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.brain import page
from bench.brain.coverage import coverage
from bench.brain.judge import Job, perform
from bench.brain.special import flash_crowd, new_service
from bench.brain.variants import VARIANTS, Variant
from bench.places import FOLDER, PAGES
from bench.scaling.console import ended, parsed
from foretide.simulate.workload import QueueName

PAGE: Final = PAGES / "brain.md"
JSON: Final = FOLDER / "brain.json"
COLD_STARTS_SECONDS: Final = (120.0, 300.0)
HOURS: Final = 24.0
QUICK_HOURS: Final = 1.5
COVERAGE_DAYS: Final = 2.0
# All but the whole brain are run with one seed in one setting: what they are compared for is far larger than chance.
ABLATION_COLD_START_SECONDS: Final = COLD_STARTS_SECONDS[0]


def main(arguments: list[str] | None = None) -> int:
    """Runs it all, writes the page and build/bench/brain.json; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.brain",
        description="Runs the brain, and the brain without each of its parts, over the day around the largest minute "
        "of each series that judges (bench/scaling/series.toml), request by request; a flash crowd; a service without "
        "a past; and counts how often its quantiles held. Writes docs/benchmarks/brain.md. About 35 minutes on two "
        "processors.",
        epilog="A look in three minutes, without the page: --quick",
    )
    parser.add_argument("--quick", action="store_true", help="an hour and a half of each series, no ablations, no page")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default docs/benchmarks/brain.md)")
    given = parsed(parser, arguments, seeds=5, seeds_of="seeds of each series under the whole brain")
    return ended(lambda: _run(given))


def _run(given: argparse.Namespace) -> int:
    hours = QUICK_HOURS if given.quick else HOURS
    jobs = _jobs(seeds=given.seeds, hours=hours, variants=VARIANTS[:1] if given.quick else VARIANTS)
    began, rans = time.monotonic(), []
    for number, (job, found) in enumerate(perform(jobs, workers=given.workers), start=1):
        rans += found
        late = sum(ran.late for ran in found) / sum(ran.requests for ran in found)
        print(
            f"{time.monotonic() - began:6.0f} s  {number}/{len(jobs)}  {job.variant.name}, cold start "
            f"{job.cold_start_seconds:g} s, seeds {job.seeds}: {late:.2%} late",
            flush=True,
        )
    seeds = tuple(range(1, given.seeds + 1))
    results = page.Results(
        hours=hours,
        rans=rans,
        flash=flash_crowd(seeds, QueueName.DEFAULT),
        refusing=flash_crowd(seeds, QueueName.SLO),
        new=new_service(seeds),
        covered=[] if given.quick else coverage(days=COVERAGE_DAYS),
    )
    bars = page.bars(results)
    print(*page.table(bars), sep="\n")
    if not given.quick:
        JSON.parent.mkdir(parents=True, exist_ok=True)
        JSON.write_text(json.dumps({"runs": [asdict(ran) for ran in rans]}) + "\n")
        given.page.write_text("\n".join(page.lines(results, bars)) + "\n")
    return 0 if all(bar.holds for bar in bars) else 1


def _jobs(*, seeds: int, hours: float, variants: tuple[Variant, ...]) -> list[Job]:
    """The whole brain with every seed in both settings; the variants with the first one in one."""
    whole = [
        Job(variants[0], cold_start, (seed,), hours)
        for cold_start in COLD_STARTS_SECONDS
        for seed in range(1, seeds + 1)
    ]
    return whole + [Job(variant, ABLATION_COLD_START_SECONDS, (1,), hours) for variant in variants[1:]]


if __name__ == "__main__":
    sys.exit(main())
