"""What came of candidates: for each service over its whole load, and of all services together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretide.cli.backtest.candidates import Candidate
from foretide.cli.backtest.case import Case, Subject
from foretide.cli.backtest.foreseen import Foreseen
from foretide.cli.backtest.replay import used


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """One candidate over the whole load of one service; arrays have one entry for each 15 s."""

    candidate: Candidate
    case: Case
    requests: int
    violations: int
    hours: Mapping[str, float]  # of replicas, by hardware class
    scale_events: int
    arrivals: npt.NDArray[np.int32]
    late: npt.NDArray[np.int32]
    ready: npt.NDArray[np.int32]
    desired: npt.NDArray[np.int32]
    foreseen: Foreseen | None  # None of a policy without a forecast, and where no chart is asked for

    @property
    def late_share(self) -> float:
        return self.violations / self.requests if self.requests else 0.0

    @property
    def budget_used(self) -> float:
        """Share of the error budget of this time; above 1 more than there was."""
        return self.late_share / (1.0 - self.case.objective)

    @property
    def replica_hours(self) -> float:
        return sum(self.hours.values())

    @property
    def costs(self) -> Mapping[str, float] | None:
        """Of all replicas over the whole time, by currency; None where a class that was used has no price."""
        found: dict[str, float] = {}
        for one in self.case.classes:
            if (hours := self.hours.get(one.name, 0.0)) == 0.0:
                continue
            if one.cost_per_hour is None:
                return None
            found[one.currency] = found.get(one.currency, 0.0) + hours * one.cost_per_hour
        return found

    @property
    def most_replicas(self) -> int:
        return int(self.desired.max(initial=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One candidate over all services."""

    candidate: Candidate
    services: int
    over_budget: int  # services that used more of their error budget than there was
    requests: int
    violations: int
    replica_hours: float
    costs: Mapping[str, float] | None
    scale_events: int
    budget_used: float  # of all error budgets together

    @property
    def late_share(self) -> float:
        return self.violations / self.requests if self.requests else 0.0


def joined(
    subjects: Sequence[Subject], candidates: Sequence[Candidate], runs: Sequence[dict[str, Any]]
) -> list[list[Result]]:
    """For each service one result of each candidate, its parts in their order."""
    by_both: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for run in runs:
        by_both.setdefault((run["subject"], run["candidate"]), []).append(run)
    return [
        [_result(subject.case, candidate, by_both[number, candidate.label]) for candidate in candidates]
        for number, subject in enumerate(subjects)
    ]


def _result(case: Case, candidate: Candidate, runs: list[dict[str, Any]]) -> Result:
    mine = sorted(runs, key=lambda run: int(run["begin"]))
    line = {name: np.concatenate([run[name] for run in mine]) for name in ("arrivals", "late", "ready", "desired")}
    return Result(
        candidate=candidate,
        case=case,
        requests=sum(run["requests"] for run in mine),
        violations=sum(run["violations"] for run in mine),
        hours={
            one.name: sum(run["replica_seconds"][place] for run in mine) / 3_600.0
            for place, one in enumerate(used(case, candidate))
        },
        scale_events=sum(run["scale_events"] for run in mine),
        foreseen=Foreseen.joined([run["foreseen"] for run in mine]),
        **line,
    )


def totals(results: Sequence[Sequence[Result]]) -> list[Total]:
    """One for each candidate, in their order."""
    return [_total(column) for column in zip(*results, strict=True)]


def _total(column: Sequence[Result]) -> Total:
    costs: dict[str, float] | None = {}
    for one in column:
        if costs is None or one.costs is None:
            costs = None
            break
        for currency, cost in one.costs.items():
            costs[currency] = costs.get(currency, 0.0) + cost
    allowed = sum((1.0 - one.case.objective) * one.requests for one in column)
    violations = sum(one.violations for one in column)
    return Total(
        candidate=column[0].candidate,
        services=len(column),
        over_budget=sum(one.budget_used > 1.0 for one in column),
        requests=sum(one.requests for one in column),
        violations=violations,
        replica_hours=sum(one.replica_hours for one in column),
        costs=costs,
        scale_events=sum(one.scale_events for one in column),
        budget_used=violations / allowed if allowed else 0.0,
    )
