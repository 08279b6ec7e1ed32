"""How far the fluid is from request by request, over the series that choose: `python -m bench.scaling.fidelity`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

from bench.places import FOLDER, PAGES
from bench.scaling.cell import Stage
from bench.scaling.plan import FULL, USUAL, Plan, Setting
from bench.scaling.split import Split, read_split
from bench.scaling.store import Store
from bench.scaling.summary import share_of
from foretide.simulate.command.results import Run
from foretide.simulate.compile import compile_all
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES
from foretide.simulate.workload import QueueName

BAR_SHARE: Final = 0.003
BAR_COST: Final = 0.02


@dataclass(frozen=True, slots=True)
class Difference:
    """Fluid against arrivals, one policy under one queue."""

    policy: str
    queue: QueueName
    fluid_share: float  # mean over the series
    arrivals_share: float
    worst_share: float  # difference of one series, with its sign
    worst_series: str
    cost: float  # relative difference of all replica-hours
    worst_cost: float  # of one series

    @property
    def share(self) -> float:
        return self.fluid_share - self.arrivals_share

    @property
    def holds(self) -> bool:
        return abs(self.share) <= BAR_SHARE and abs(self.cost) <= BAR_COST


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where a difference is above the bar."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling.fidelity",
        description="Runs every policy, as it comes, over the series that choose at both fidelities (10 replicas, cold "
        "start 120 s, both queues) and writes docs/benchmarks/fluid.md; 5 min on two processors.",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one each CPU)")
    parser.add_argument("--page", type=Path, default=PAGES / "fluid.md", help="the page to write")
    given = parser.parse_args(arguments)
    compile_all()
    plan = Plan(FULL, read_split(), tuple(POLICIES.values()))
    loads = [
        load
        for queue in QueueName
        for load in plan.loads(
            plan.of(Split.CHOOSE), Setting(queue, USUAL.cold_start_seconds), plan.scope.judged_seconds
        )
    ]
    cells = [
        cell
        for entry in POLICIES.values()
        for fidelity in Fidelity
        for cell in plan.cells(Stage.FIDELITY, loads, entry, entry.settings({}), fidelity)
    ]
    runs = Store(FOLDER / "scaling", workers=given.workers).performed(cells, "both fidelities")
    found = [difference(runs, name, queue) for queue in QueueName for name in POLICIES]
    lines = list(_page(found))
    given.page.parent.mkdir(parents=True, exist_ok=True)
    given.page.write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")
    return 0 if all(one.holds for one in found) else 1


def difference(runs: Sequence[Run], policy: str, queue: QueueName) -> Difference:
    """Of the runs of both fidelities over the same series."""
    mine = [run for run in runs if (run["policy"], run["queue"]) == (policy, queue)]
    fluid, arrivals = ({run["series"]: run for run in mine if run["fidelity"] == one} for one in ("fluid", "arrivals"))
    shares = {name: share_of(fluid[name]) - share_of(arrivals[name]) for name in arrivals}
    worst = max(shares, key=lambda name: abs(shares[name]))
    costs = [fluid[name]["replica_hours"] / arrivals[name]["replica_hours"] - 1.0 for name in arrivals]
    hours = [sum(run["replica_hours"] for run in some.values()) for some in (fluid, arrivals)]
    return Difference(
        policy=policy,
        queue=queue,
        fluid_share=fmean(share_of(run) for run in fluid.values()),
        arrivals_share=fmean(share_of(run) for run in arrivals.values()),
        worst_share=shares[worst],
        worst_series=worst,
        cost=hours[0] / hours[1] - 1.0,
        worst_cost=max(costs, key=abs),
    )


def _page(found: Sequence[Difference]) -> Iterator[str]:
    yield f"""# The fluid against request by request

Made by `python -m bench.scaling.fidelity`: every policy as it comes, over the series that choose, 10 replicas, cold
start 120 s. The bar: over these series violations within {BAR_SHARE * 100:g} points, replica-hours within
{BAR_COST:.0%}. {sum(one.holds for one in found)} of {len(found)} rows hold. Arrivals, routes and noise are drawn
differently by the two, so that no two runs are the same.

| queue | policy | outside the SLO, fluid | arrivals | points off | most, of one series | replica-hours | most | holds |
|---|---|---|---|---|---|---|---|---|"""
    for one in found:
        yield (
            f"| {one.queue} | {one.policy} | {one.fluid_share:.2%} | {one.arrivals_share:.2%} | {one.share * 100:+.2f} "
            f"| {one.worst_share * 100:+.2f} ({one.worst_series}) | {one.cost:+.2%} | {one.worst_cost:+.2%} "
            f"| {'yes' if one.holds else '**no**'} |"
        )


if __name__ == "__main__":
    sys.exit(main())
