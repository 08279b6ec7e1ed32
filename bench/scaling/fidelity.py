"""How far the fluid is from request by request, over the series that choose: `python -m bench.scaling.fidelity`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final, TypeAlias

from bench.places import FOLDER, PAGES
from bench.scaling.cell import Cell, Stage
from bench.scaling.plan import FULL, LARGE, SMALL, USUAL, Plan, Setting, Variation
from bench.scaling.split import Split, read_split
from bench.scaling.store import Store
from bench.scaling.summary import setting_of, share_of
from foretide.simulate.command.results import Run
from foretide.simulate.compile import compile_all
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES

BAR_SHARE: Final = 0.003
BAR_COST: Final = 0.02
# At 200 replicas a run has twenty times the requests.
WITH_LARGE: Final = ("static", "hpa", "mark")


@dataclass(frozen=True, slots=True)
class Difference:
    """Fluid against arrivals: one policy in one setting, over the series that choose."""

    fluid_share: float  # mean over the series
    arrivals_share: float
    worst_share: float  # difference of one series, with its sign
    worst_series: str
    cost: float  # relative difference of all replica-hours

    @property
    def share(self) -> float:
        return self.fluid_share - self.arrivals_share

    @property
    def holds(self) -> bool:
        return abs(self.share) <= BAR_SHARE and abs(self.cost) <= BAR_COST


Key: TypeAlias = tuple[str, Setting, Variation]


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where a difference is above the bar."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling.fidelity",
        description="Runs every policy, as it comes, over the series that choose at both fidelities, in every setting "
        "of the benchmark, and some with larger fleets; writes docs/benchmarks/fluid.md. Half an hour on two "
        "processors, resumable.",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one each CPU)")
    parser.add_argument("--page", type=Path, default=PAGES / "fluid.md", help="the page to write")
    given = parser.parse_args(arguments)
    compile_all()
    plan = Plan(FULL, read_split(), tuple(POLICIES.values()))
    runs = Store(FOLDER / "scaling", workers=given.workers).performed(list(_cells(plan)), "both fidelities")
    found = differences(runs)
    lines = list(_page(found, plan))
    given.page.parent.mkdir(parents=True, exist_ok=True)
    given.page.write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")
    return 0 if all(one.holds for one in found.values()) else 1


def _cells(plan: Plan) -> Iterator[Cell]:
    chosen, scope = plan.of(Split.CHOOSE), plan.scope
    usual = [load for one in scope.settings for load in plan.loads(chosen, one, scope.judged_seconds)]
    large = plan.loads(chosen, USUAL, scope.varied_seconds, variation=Variation(LARGE, 1.0))
    for entry in plan.policies:
        for fidelity in Fidelity:
            for loads in (usual, large) if entry.name in WITH_LARGE else (usual,):
                yield from plan.cells(Stage.FIDELITY, loads, entry, entry.settings({}), fidelity)


def differences(runs: Sequence[Run]) -> dict[Key, Difference]:
    """Of the runs of both fidelities over the same series, by policy, setting and variation."""
    groups: dict[Key, dict[str, dict[str, Run]]] = {}
    for run in runs:
        key = (run["policy"], setting_of(run), Variation(run["size"], run["arrival_cv"]))
        groups.setdefault(key, {}).setdefault(run["fidelity"], {})[run["series"]] = run
    return {key: _difference(group["fluid"], group["arrivals"]) for key, group in groups.items()}


def _difference(fluid: Mapping[str, Run], arrivals: Mapping[str, Run]) -> Difference:
    shares = {name: share_of(fluid[name]) - share_of(arrivals[name]) for name in arrivals}
    worst = max(shares, key=lambda name: abs(shares[name]))
    hours = [sum(run["replica_hours"] for run in some.values()) for some in (fluid, arrivals)]
    return Difference(
        fluid_share=fmean(share_of(run) for run in fluid.values()),
        arrivals_share=fmean(share_of(run) for run in arrivals.values()),
        worst_share=shares[worst],
        worst_series=worst,
        cost=hours[0] / hours[1] - 1.0,
    )


def _page(found: Mapping[Key, Difference], plan: Plan) -> Iterator[str]:
    settings, small = plan.scope.settings, Variation(SMALL, 1.0)
    far = max(found.values(), key=lambda one: abs(one.worst_share))
    yield f"""# The fluid against request by request

Made by `python -m bench.scaling.fidelity`: every policy as it comes, over the series that choose. The bar: over these
series violations within {BAR_SHARE * 100:g} points, replica-hours within {BAR_COST:.0%}.
{sum(one.holds for one in found.values())} of {len(found)} cells hold. Arrivals, routes and noise are drawn differently
by the two, so that no two runs are the same. The largest difference of a single series is
{far.worst_share * 100:+.2f} points ({far.worst_series}).

A cell is: share outside the SLO as a fluid less that by arrivals, in points (the latter); relative difference of the
replica-hours.

## {small.title}, by cold start

| policy | {" | ".join(one.title for one in settings)} |
|{"---|" * (1 + len(settings))}"""
    for entry in plan.policies:
        yield f"| {entry.name} | {' | '.join(_cell(found[entry.name, one, small]) for one in settings)} |"
    large = Variation(LARGE, 1.0)
    yield f"\n## {large.title}, cold start {USUAL.title}\n\n| policy | |\n|---|---|"
    for name in WITH_LARGE:
        yield f"| {name} | {_cell(found[name, USUAL, large])} |"


def _cell(one: Difference) -> str:
    text = f"{one.share * 100:+.2f} ({one.arrivals_share:.2%}); {one.cost:+.1%}"
    return text if one.holds else f"**{text}**"


if __name__ == "__main__":
    sys.exit(main())
