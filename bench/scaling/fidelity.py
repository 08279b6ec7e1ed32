"""How far the fluid is from request by request, over the series that choose: `python -m bench.scaling.fidelity`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from scipy.stats import t as student

from bench.places import FOLDER, PAGES
from bench.scaling.cell import Cell, Stage
from bench.scaling.console import ended, parsed
from bench.scaling.plan import FULL, LARGE, SMALL, USUAL, Plan, Setting, Variation
from bench.scaling.split import Split, read_split
from bench.scaling.store import Store
from bench.scaling.summary import setting_of, share_of
from foretide.scaling.arrays import Floats
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
    """Fluid against arrivals: one policy in one setting, over the series that choose; a row for each seed."""

    fluid_shares: Floats  # [seeds, series]
    arrivals_shares: Floats
    fluid_hours: Floats  # [seeds], of all series
    arrivals_hours: Floats

    @property
    def share(self) -> Estimate:
        """Difference of the share outside the SLO."""
        return Estimate.of((self.fluid_shares - self.arrivals_shares).mean(axis=1))

    @property
    def cost(self) -> Estimate:
        """Relative difference of all replica-hours."""
        return Estimate.of(self.fluid_hours / self.arrivals_hours - 1.0)

    @property
    def holds(self) -> bool:
        return abs(self.share.mean) <= BAR_SHARE and abs(self.cost.mean) <= BAR_COST

    @property
    def is_open(self) -> bool:
        """Whether so few seeds do not tell on which side of the bar it is."""
        return self.share.may_be(BAR_SHARE) and self.cost.may_be(BAR_COST)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds."""

    mean: float
    half_width: float  # of its 95 % confidence interval, by Student's t; 0 with one seed

    @classmethod
    def of(cls, values: Floats) -> Estimate:
        """Of one value a seed."""
        mean, count = float(values.mean()), len(values)
        if count == 1:
            return cls(mean, 0.0)
        return cls(mean, float(student.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)))

    def may_be(self, bar: float) -> bool:
        """Whether some of the interval is within the bar."""
        return abs(self.mean) - self.half_width <= bar


Key: TypeAlias = tuple[str, Setting, Variation]


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where a difference is above the bar."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling.fidelity",
        description="Runs every policy, as it comes, over the series that choose at both fidelities, in every setting "
        "of the benchmark and with several seeds, and some with larger fleets; writes docs/benchmarks/fluid.md. An "
        "hour on two processors, resumable.",
    )
    parser.add_argument("--page", type=Path, default=PAGES / "fluid.md", help="the page to write")
    given = parsed(parser, arguments, seeds=3, seeds_of="runs of each series")
    return ended(lambda: _run(given))


def _run(given: argparse.Namespace) -> int:
    compile_all()
    plan = Plan(FULL, read_split(), tuple(POLICIES.values()))
    runs = Store(FOLDER / "scaling", workers=given.workers).performed(
        list(_cells(plan, range(1, given.seeds + 1))), "both fidelities"
    )
    found = differences(runs)
    lines = list(_page(found, plan))
    given.page.parent.mkdir(parents=True, exist_ok=True)
    given.page.write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")
    return 0 if all(one.holds for one in found.values()) else 1


def _cells(plan: Plan, seeds: Sequence[int]) -> Iterator[Cell]:
    chosen, scope = plan.of(Split.CHOOSE), plan.scope
    for seed in seeds:  # one after the other: cells of a seed stay good when there are more
        usual = [
            load for one in scope.settings for load in plan.loads(chosen, one, scope.judged_seconds, seeds=(seed,))
        ]
        large = plan.loads(chosen, USUAL, scope.varied_seconds, seeds=(seed,), variation=Variation(LARGE, 1.0))
        for entry in plan.policies:
            for fidelity in Fidelity:
                for loads in (usual, large) if entry.name in WITH_LARGE else (usual,):
                    yield from plan.cells(Stage.FIDELITY, loads, entry, entry.settings({}), fidelity)


def differences(runs: Sequence[Run]) -> dict[Key, Difference]:
    """Of the runs of both fidelities over the same series, by policy, setting and variation."""
    groups: dict[Key, dict[str, dict[tuple[int, str], Run]]] = {}
    for run in runs:
        key = (run["policy"], setting_of(run), Variation(run["size"], run["arrival_cv"]))
        groups.setdefault(key, {}).setdefault(run["fidelity"], {})[run["seed"], run["series"]] = run
    return {key: _difference(group["fluid"], group["arrivals"]) for key, group in groups.items()}


def _difference(fluid: Mapping[tuple[int, str], Run], arrivals: Mapping[tuple[int, str], Run]) -> Difference:
    seeds = sorted({seed for seed, _ in arrivals})
    series = sorted({name for _, name in arrivals})

    def shares(runs: Mapping[tuple[int, str], Run]) -> Floats:
        return np.array([[share_of(runs[seed, name]) for name in series] for seed in seeds])

    def hours(runs: Mapping[tuple[int, str], Run]) -> Floats:
        return np.array([sum(runs[seed, name]["replica_hours"] for name in series) for seed in seeds])

    return Difference(
        fluid_shares=shares(fluid),
        arrivals_shares=shares(arrivals),
        fluid_hours=hours(fluid),
        arrivals_hours=hours(arrivals),
    )


def _page(found: Mapping[Key, Difference], plan: Plan) -> Iterator[str]:
    settings, small = plan.scope.settings, Variation(SMALL, 1.0)
    seeds = len(next(iter(found.values())).arrivals_hours)
    missed = [one for one in found.values() if not one.holds]
    yield f"""# The fluid against request by request

Made by `python -m bench.scaling.fidelity`: every policy as it comes, over the series that choose, with {seeds}
{"seed" if seeds == 1 else "seeds"}. The bar: over these series violations within {BAR_SHARE * 100:g} points,
replica-hours within {BAR_COST:.0%}.

{len(found) - len(missed)} of {len(found)} cells hold. Both run the same requests, which come at the same moments and
take the same routes as long as the fleets are the same; what is drawn differently is the noise of the batch times. Many
policies are chaotic under overload: a replica that is added one tick later ends in another queue, and so in another
decision. Differences are means over the seeds, with their 95 % confidence interval. Of the {len(missed)} cells that
miss the bar {sum(one.is_open for one in missed)} have an interval that reaches into it (*in italics*), and
{sum(not one.is_open for one in missed)} have not (**bold**).

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
    share, cost = one.share, one.cost
    text = (
        f"{share.mean * 100:+.2f} ± {share.half_width * 100:.2f} ({one.arrivals_shares.mean():.2%}); "
        f"{cost.mean:+.1%} ± {cost.half_width:.1%}"
    )
    if one.holds:
        return text
    return f"*{text}*" if one.is_open else f"**{text}**"


if __name__ == "__main__":
    sys.exit(main())
