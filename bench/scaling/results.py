"""The stages of the benchmark, one after the other, and all that came of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.scaling.choose import Choice, choose
from bench.scaling.plan import USUAL, Plan, Scope, Setting
from bench.scaling.split import Series, Split
from bench.scaling.store import Store
from bench.scaling.summary import setting_of
from foretide.simulate.command.results import Run
from foretide.simulate.policies import Listed

# Costs are sums of floats.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that pages are made of."""

    scope: Scope
    policies: tuple[Listed, ...]
    series: tuple[Series, ...]
    sweep: list[Run]
    judge: list[Run]
    varied: list[Run]
    held_out: list[Run]
    chosen: Mapping[tuple[str, Setting], Choice]  # by policy and setting

    @property
    def runs(self) -> list[Run]:
        return self.sweep + self.judge + self.varied + self.held_out

    @property
    def below_the_bound(self) -> list[Run]:
        """None, or the simulator is wrong."""
        return below_the_bound(self.runs)


def below_the_bound(runs: Iterable[Run]) -> list[Run]:
    """Runs that cost less than anything can that has so few violations."""
    return [run for run in runs if run["replica_hours"] < run["bound_replica_hours"] * (1.0 - ROUNDING)]


def performed(plan: Plan, store: Store) -> Results:
    """Knobs first, then what they are judged on."""
    sweep = store.performed(plan.sweep(), "1 of 4, knobs on the series that choose")
    choosing = [run for run in sweep if run["split"] == Split.CHOOSE]
    chosen = {
        (entry.name, setting): choose(
            [run for run in choosing if run["policy"] == entry.name and setting_of(run) == setting]
        )
        for entry in plan.policies
        for setting in plan.scope.settings
    }
    knobs = {key: choice.knobs for key, choice in chosen.items()}
    judge = store.performed(plan.judge(knobs), "2 of 4, the series that judge")
    varied = store.performed(plan.varied(knobs), "3 of 4, bursty arrivals and larger fleets")
    without = {
        (entry.name, one.name): choose([run for run in usual if run["series"] != one.name]).knobs
        for entry in plan.without_quota
        for usual in [[run for run in sweep if run["policy"] == entry.name and setting_of(run) == USUAL]]
        for one in (plan.series if plan.scope.held_out else ())
    }
    held_out = store.performed(plan.held_out(without), "4 of 4, each series with the knobs of all others")
    return Results(
        scope=plan.scope,
        policies=plan.policies,
        series=plan.series,
        sweep=sweep,
        judge=judge,
        varied=varied,
        held_out=held_out,
        chosen=chosen,
    )
