"""Runs the benchmark and writes its pages: `python -m bench.scaling --help`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.places import FOLDER, PAGES
from bench.scaling.console import FAILED, ended, parsed
from bench.scaling.page import write
from bench.scaling.plan import FULL, QUICK, Plan
from bench.scaling.results import Results, performed
from bench.scaling.split import SERIES, TRACES, read_split
from bench.scaling.store import Store
from foretide.simulate.command.progress import spoken
from foretide.simulate.command.results import Run
from foretide.simulate.compile import compile_all
from foretide.simulate.policies import POLICIES


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where a policy is below the bound that none can be below; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling",
        description="Runs every policy on real traces: knobs are chosen on some series and judged on others. Stopped, "
        "it goes on where it was. Writes build/bench/scaling.json, docs/benchmarks/scaling.md and a page for each "
        "series; an hour on two processors.",
    )
    parser.add_argument("--quick", action="store_true", help="few series, some hours, one cold start: 3 min, no pages")
    parser.add_argument("--traces", type=Path, default=TRACES, help="folder of the traces that --series names")
    parser.add_argument(
        "--series", type=Path, default=SERIES, help="which series choose and judge (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of scaling.json and of the finished cells")
    parser.add_argument("--pages", type=Path, default=PAGES, help="folder of the pages")
    given = parsed(parser, arguments, seeds=1, seeds_of="runs of each series that judges")
    return ended(lambda: _run(given))


def _run(given: argparse.Namespace) -> int:
    began = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    scope = replace(QUICK if given.quick else FULL, seeds=tuple(range(1, given.seeds + 1)))
    plan = Plan(scope, read_split(given.series, given.traces), tuple(POLICIES.values()))
    if not given.quick:
        given.pages.mkdir(parents=True, exist_ok=True)
    compile_all()
    store = Store(given.out / ("scaling-quick" if given.quick else "scaling"), workers=given.workers)
    results = performed(plan, store)
    _save(results, given.out / ("scaling-quick.json" if given.quick else "scaling.json"))
    if not given.quick:
        write(results, given.pages)
    below = results.below_the_bound
    for run in below:
        sys.stdout.write(f"BELOW THE BOUND: {json.dumps(_short(run))}\n")
    sys.stdout.write(
        f"{len(results.runs):,} runs in {spoken(time.monotonic() - began)}; {len(below)} below the bound that no "
        f"policy can be below\n"
    )
    return FAILED if below else 0


def _save(results: Results, file: Path) -> None:
    lines = ",\n".join(json.dumps(_short(run)) for run in results.runs)
    partial = file.with_suffix(".partial")
    partial.write_text(f'{{"runs":[\n{lines}\n]}}\n')
    partial.replace(file)


def _short(run: Run) -> Run:
    return {name: value for name, value in run.items() if name != "timeline"}


if __name__ == "__main__":
    sys.exit(main())
