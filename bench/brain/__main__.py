"""What the scaling brain reaches on loads that chose nothing: `python -m bench.brain --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.brain import page, peers
from bench.brain.coverage import coverage
from bench.brain.judge import Job, Ran, performed
from bench.brain.special import flash_crowd, new_service
from bench.brain.variants import VARIANTS
from bench.places import FOLDER, PAGES
from bench.scaling.console import ended, parsed
from bench.scaling.store import Store
from foretide.simulate.workload import QueueName

PAGE: Final = PAGES / "brain.md"
JSON: Final = FOLDER / "brain.json"
CELLS: Final = FOLDER / "brain"
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
        "a past; and counts how often its quantiles held. Writes docs/benchmarks/brain.md. Forty minutes on two "
        "processors. What was run before with the same code (of the simulator; and of the brain, for its own runs) is "
        "read from build/bench/brain.",
        epilog="A look in three minutes, without the page: --quick",
    )
    parser.add_argument("--quick", action="store_true", help="an hour and a half of each series, no ablations, no page")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default docs/benchmarks/brain.md)")
    given = parsed(parser, arguments, seeds=5, seeds_of="seeds of each series under the whole brain")
    return ended(lambda: _run(given))


def _run(given: argparse.Namespace) -> int:
    hours = QUICK_HOURS if given.quick else HOURS
    seeds = tuple(range(1, given.seeds + 1))
    whole = VARIANTS[0]
    store = Store(CELLS, workers=given.workers)
    cases = [Job(whole, one, (seed,), hours) for one in COLD_STARTS_SECONDS for seed in seeds]
    judged = performed(cases, store, "the brain on the series that judge")
    left_out = [] if given.quick else [Job(one, COLD_STARTS_SECONDS[0], (1,), ABLATION_HOURS) for one in VARIANTS]
    ablations = performed(left_out, store, "the brain without its parts")
    briefly = [Job(whole, one, (1,), peers.HOURS) for one in COLD_STARTS_SECONDS]
    ours = performed(briefly, store, "the brain beside its peers")
    swept = performed([] if given.quick else peers.all_sweeps(COLD_STARTS_SECONDS), store, "its peers")
    results = page.Results(
        hours=hours,
        rans=_all(judged),
        ablation_hours=ABLATION_HOURS,
        ablations=_all(ablations),
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


def _all(found: Mapping[Job, list[Ran]]) -> list[Ran]:
    return [ran for rans in found.values() for ran in rans]


if __name__ == "__main__":
    sys.exit(main())
