"""How far the fluid is from request by request, over the series that choose: `python -m bench.scaling.fidelity`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Final, TypeAlias

from bench.places import FOLDER, PAGES
from bench.scaling.cell import Cell, Stage
from bench.scaling.console import FAILED, ended, parsed
from bench.scaling.difference import BAR_COST, BAR_SHARE, Difference
from bench.scaling.plan import FULL, LARGE, SMALL, USUAL, Plan, Setting, Variation
from bench.scaling.results import below_the_bound
from bench.scaling.split import Split, read_split
from bench.scaling.store import Store
from bench.scaling.summary import setting_of
from foretide.simulate.command.results import HOUR_SECONDS, Run
from foretide.simulate.compile import compile_all
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES
from foretide.simulate.workload import Workload

# The settings of the benchmark, for so long around the peak that all can be run request by request, and once more.
SCOPE: Final = replace(FULL, judged_seconds=HOUR_SECONDS)
# At 200 replicas a run has twenty times the requests.
WITH_LARGE: Final = ("static", "hpa", "mark")
# Of one seed all runs are repeated with other batch times.
REPEATED_SEED: Final = 1
OTHER_NOISE: Final = 1

Key: TypeAlias = tuple[str, Setting, Variation]


@dataclass(frozen=True, slots=True)
class Compared:
    """One policy in one setting, over the series that choose, against request by request."""

    fluid: Difference
    repeated: Difference | None  # request by request once more, with other batch times; not of the largest fleets

    @property
    def is_excused(self) -> bool:
        """Whether it is no error that is seen: it may be within the bar, or no more than what other batch times alone
        change of what is exact."""
        share, cost = BAR_SHARE, BAR_COST
        if self.repeated is not None:
            share = max(share, abs(self.repeated.share.mean))
            cost = max(cost, abs(self.repeated.cost.mean))
        return self.fluid.may_be_within(share, cost)


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where a difference is above the bar, or a run below the bound that none can be below; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling.fidelity",
        description="Runs every policy, as it comes, over the series that choose at both fidelities, in every setting "
        "of the benchmark and with several seeds, and some with larger fleets; of one seed request by request twice, "
        "with other batch times. Writes docs/benchmarks/fluid.md. 11 minutes a seed on two processors, resumable.",
    )
    parser.add_argument("--page", type=Path, default=PAGES / "fluid.md", help="the page to write")
    given = parsed(parser, arguments, seeds=2, seeds_of="runs of each series")
    return ended(lambda: _run(given))


def _run(given: argparse.Namespace) -> int:
    given.page.parent.mkdir(parents=True, exist_ok=True)
    compile_all()
    plan = Plan(SCOPE, read_split(), tuple(POLICIES.values()))
    runs = Store(FOLDER / "scaling", workers=given.workers).performed(
        list(cells(plan, range(1, given.seeds + 1))), "both fidelities"
    )
    found = compared(runs)
    lines = list(_page(found, plan, given.seeds))
    given.page.write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")
    below = below_the_bound(runs)
    print(f"\n{len(below)} of {len(runs):,} runs are below the bound that no policy can be below")
    return FAILED if below or not all(one.fluid.holds for one in found.values()) else 0


def cells(plan: Plan, seeds: Sequence[int]) -> Iterator[Cell]:
    """Seed by seed: the cells of one stay good when there are more."""
    chosen, scope = plan.of(Split.CHOOSE), plan.scope
    for seed in seeds:
        usual = [
            load for one in scope.settings for load in plan.loads(chosen, one, scope.judged_seconds, seeds=(seed,))
        ]
        large = plan.loads(chosen, USUAL, scope.varied_seconds, seeds=(seed,), variation=Variation(LARGE, 1.0))
        for entry in plan.policies:
            for loads in (usual, large) if entry.name in WITH_LARGE else (usual,):
                for fidelity in Fidelity:
                    yield from plan.cells(Stage.FIDELITY, loads, entry, entry.settings({}), fidelity)
                if seed == REPEATED_SEED and loads is usual:
                    yield from plan.cells(Stage.REPEATED, _with_other_noise(loads), entry, entry.settings({}))


def _with_other_noise(loads: Sequence[Workload]) -> list[Workload]:
    return [replace(load, noise_seed=OTHER_NOISE) for load in loads]


def compared(runs: Sequence[Run]) -> dict[Key, Compared]:
    """By policy, setting and variation."""
    groups: dict[Key, dict[tuple[str, str], list[Run]]] = {}
    for run in runs:
        key = (run["policy"], setting_of(run), Variation(run["size"], run["arrival_cv"]))
        groups.setdefault(key, {}).setdefault((run["stage"], run["fidelity"]), []).append(run)
    return {key: _compared(group) for key, group in groups.items()}


def _compared(group: Mapping[tuple[str, str], Sequence[Run]]) -> Compared:
    exact, again = group[Stage.FIDELITY, Fidelity.ARRIVALS], group.get((Stage.REPEATED, Fidelity.ARRIVALS))
    return Compared(
        fluid=Difference.between(group[Stage.FIDELITY, Fidelity.FLUID], exact),
        repeated=Difference.between(again, exact) if again else None,
    )


def _page(found: Mapping[Key, Compared], plan: Plan, seeds: int) -> Iterator[str]:
    settings, small = plan.scope.settings, Variation(SMALL, 1.0)
    policies = {entry.name: _over_all([found[entry.name, one, small] for one in settings]) for entry in plan.policies}
    missed = [one for one in found.values() if not one.fluid.holds]
    everything = _over_all([one for (_, _, variation), one in found.items() if variation == small])
    yield f"""# The fluid against request by request

Made by `python -m bench.scaling.fidelity`: every policy as it comes, over the series that choose, with {seeds}
{"seed" if seeds == 1 else "seeds"}, {plan.scope.judged_seconds / 60:g} minutes around the largest one. The
bar: over these series violations within {BAR_SHARE * 100:g} points, replica-hours within {BAR_COST:.0%}.

Both run the same requests, which come at the same moments and take the same routes as long as the fleets are the
same. Many policies are chaotic under overload: a replica that is added one tick later ends in another queue, and so in
another decision. How chaotic is told by the same requests on the same routes request by request once more, with other
batch times (they differ by 1 %): "again".

| | fluid | again |
|---|---|---|
| mean over all policies and settings | {_text(everything.fluid)} | {_again(everything)} |
| mean size of a cell's difference, points; cost | {_size(found.values())} |
| policies over all settings that hold | {_holding(policies.values())} |
| cells (a policy in one setting) that hold | {_holding(found.values())} |

Of the {len(missed)} cells of the fluid that miss the bar {sum(one.is_excused for one in missed)} are no error that can
be told from chance (*in italics*): their confidence interval reaches into the bar, or to what other batch times alone
change there. {sum(not one.is_excused for one in missed)} are (**bold**).

A cell is: difference of the share outside the SLO in points, with the 95 % confidence interval of its mean over the
seeds, which one seed has not (that share); relative difference of the replica-hours, with its interval.

## {small.title}, all settings

| policy | fluid | again |
|---|---|---|"""
    for name, one in policies.items():
        yield f"| {name} | {_cell(one)} | {_again(one)} |"
    for title, pick in (("by cold start", _cell), ("by cold start, again", _again)):
        yield f"\n## {small.title}, {title}\n\n| policy | {' | '.join(one.title for one in settings)} |"
        yield f"|{'---|' * (1 + len(settings))}"
        for entry in plan.policies:
            yield f"| {entry.name} | {' | '.join(pick(found[entry.name, one, small]) for one in settings)} |"
    large = Variation(LARGE, 1.0)
    yield f"\n## {large.title}, cold start {USUAL.title}\n\n| policy | fluid |\n|---|---|"
    for name in WITH_LARGE:
        yield f"| {name} | {_cell(found[name, USUAL, large])} |"


def _over_all(some: Sequence[Compared]) -> Compared:
    return Compared(fluid=Difference.over_all(one.fluid for one in some), repeated=Difference.over_all(_repeated(some)))


def _repeated(some: Iterable[Compared]) -> list[Difference]:
    return [one.repeated for one in some if one.repeated is not None]


def _holding(some: Collection[Compared]) -> str:
    """How many of how many, of the fluid and again."""
    again = _repeated(some)
    return f"{sum(one.fluid.holds for one in some)} of {len(some)} | {sum(one.holds for one in again)} of {len(again)}"


def _size(some: Collection[Compared]) -> str:
    """Mean absolute differences, of the fluid and again."""
    return " | ".join(
        f"{fmean(abs(one.share.mean) for one in each) * 100:.2f}; {fmean(abs(one.cost.mean) for one in each):.1%}"
        for each in ([one.fluid for one in some], _repeated(some))
    )


def _cell(one: Compared) -> str:
    text = _text(one.fluid)
    if one.fluid.holds:
        return text
    return f"*{text}*" if one.is_excused else f"**{text}**"


def _again(one: Compared) -> str:
    return "" if one.repeated is None else _text(one.repeated)


def _text(one: Difference) -> str:
    share, cost = one.share, one.cost
    shares = f"{share.mean * 100:+.2f}{_half(share.half_width, 100.0, '.2f')}"
    return f"{shares} ({one.expected_shares.mean():.1%}); {cost.mean:+.1%}{_half(cost.half_width, 1.0, '.1%')}"


def _half(width: float | None, factor: float, form: str) -> str:
    return "" if width is None else f" ± {width * factor:{form}}"


if __name__ == "__main__":
    sys.exit(main())
