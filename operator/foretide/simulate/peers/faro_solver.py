"""Faro's plan: the replicas that maximise the utility of all services within a quota, or of each alone without one.

Source: beomyeol/faro src/solver.py: COBYLA on real numbers of replicas, rounded up, then the replicas that are missed
least are taken away until the quota holds, then those that nobody misses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
from scipy.optimize import minimize

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate.peers.faro_utility import Jobs, utility

NEGLIGIBLE: Final = 1e-4  # utility that a replica may be worth and still be given back
ROUNDED: Final = 4  # digits within which two objectives are the same
FIRST_STEP: Final = 3.0  # replicas; `rhobeg` of COBYLA
# Replicas; the last step of COBYLA. Faro leaves it at 1e-4, but the result is rounded up to whole replicas: over 108
# problems of ten services the objectives came out the same (-9.57, 0.147, -18.39 against -9.57, 0.147, -18.30) in a
# quarter of the time.
LAST_STEP: Final = 0.1
# Where four times the load and a few servers more stand ready, nobody waits and no further replica adds utility.
ENOUGH_TIMES: Final = 4.0
ENOUGH_MORE: Final = 16.0


class Objective(StrEnum):
    """What is maximised. The penalty variants also drop requests on purpose, for which no autoscaler has a lever."""

    SUM = "sum"
    FAIR = "fair"  # least utility minus largest
    FAIR_SUM = "fair_sum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the solver is asked."""

    objective: Objective = Objective.SUM
    quota: int
    delay_steps: int = 0
    percentile: float = 99.0
    overload_counts: bool = False
    groups: int | None = None  # more services than that are solved as groups, then within each group

    def values(self, jobs: Jobs, replicas: Floats, *, delay_steps: int) -> Floats:
        """Utility of each service."""
        return utility(
            jobs,
            replicas,
            delay_steps=delay_steps,
            percentile=self.percentile,
            overload_counts=self.overload_counts,
        )


def alone(jobs: Jobs, *, maximum: Ints, percentile: float = 99.0, overload_counts: bool = False) -> Ints:
    """The replicas of each service, from the largest number down to the first that is worth more than 1e-4 utility.

    Nothing is shared, so that each row stands for itself. The delay of new replicas plays no part: Faro halves the
    whole minutes of it (1 // 2 = 0) while quota is left.
    """
    peak = (jobs.rate_rps.max(axis=1) * jobs.service_seconds) / jobs.lanes
    enough = np.ceil(ENOUGH_TIMES * peak + ENOUGH_MORE / jobs.lanes) + 1.0
    most = int(np.minimum(maximum, enough).max(initial=1.0))
    number = np.arange(1, most + 1, dtype=np.float64)
    values = utility(
        jobs,
        np.repeat(number[:, None], len(jobs), axis=1),
        percentile=percentile,
        overload_counts=overload_counts,
    )
    gain = np.diff(values, axis=0)
    worth = (gain > NEGLIGIBLE) & (number[1:, None] <= maximum)
    largest: Ints = np.where(worth, np.arange(2, most + 1)[:, None], 1).max(axis=0, initial=1)
    return largest


def shared(jobs: Jobs, plan: Plan, *, minimum: Ints) -> Ints:
    """The replicas of services that share a quota: every row looks at the others."""
    if plan.groups is not None and len(jobs) > plan.groups:
        return _grouped(jobs, plan, plan.groups, minimum)
    # While quota is left, Faro counts half the whole minutes of the delay.
    delay = plan.delay_steps // 2 if jobs.running.sum() < plan.quota else plan.delay_steps

    def loss(replicas: Floats) -> float:
        if (replicas <= 0.0).any():
            return _loss(np.zeros(len(jobs)), plan.objective)
        return _loss(plan.values(jobs, replicas, delay_steps=delay), plan.objective)

    def room(replicas: Floats) -> Floats:
        return np.concatenate([[plan.quota - replicas.sum()], replicas - minimum])

    relaxed = minimize(
        loss,
        jobs.running,
        method="COBYLA",
        constraints=[{"type": "ineq", "fun": room}],
        options={"rhobeg": FIRST_STEP, "tol": LAST_STEP},
    )
    start = np.maximum(np.ceil(relaxed.x), minimum).astype(np.int64)
    most = max(plan.quota, int(start.max(initial=1)))
    number = np.repeat(np.arange(most + 1, dtype=np.float64)[:, None], len(jobs), axis=1)
    number[0] = 1.0  # never looked up: the least is 1
    table = plan.values(jobs, number, delay_steps=delay)
    search = _Search(table=table, plan=plan, minimum=minimum, running=jobs.running)
    return search.adjusted(search.feasible(start))


def _loss(values: Floats, objective: Objective) -> float:
    """What COBYLA minimises, of the utilities of all services (the last axis)."""
    spread = float(values.min() - values.max())
    if objective is Objective.FAIR:
        return -spread
    total = float(values.sum())
    return -total if objective is Objective.SUM else -total - len(values) * (spread + 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    """Whole replicas, with the utility of each number of them in a table [replicas, services]."""

    table: Floats
    plan: Plan
    minimum: Ints
    running: Floats

    def loss(self, replicas: Ints) -> float:
        return _loss(self.table[replicas, np.arange(len(replicas))], self.plan.objective)

    def feasible(self, replicas: Ints) -> Ints:
        """Within the quota: again and again the replica goes whose loss is least, on equal loss the one that brings
        its service nearest to what it has."""
        current = replicas.copy()
        while current.sum() > self.plan.quota:
            best: tuple[float, float, int] | None = None
            for row in np.flatnonzero(current > self.minimum):
                current[row] -= 1
                change = abs(current[row] - self.running[row])
                candidate = (round(self.loss(current), ROUNDED), float(change), int(row))
                current[row] += 1
                best = candidate if best is None else min(best, candidate)
            if best is None:
                return current
            current[best[2]] -= 1
        return current

    def adjusted(self, replicas: Ints) -> Ints:
        """Without replicas that are worth less than 1e-4; what they leave may then be better used by one service."""
        current = replicas.copy()
        value = self.loss(current)
        for row in range(len(current)):
            while current[row] > self.minimum[row]:
                current[row] -= 1
                smaller = self.loss(current)
                if smaller - value > NEGLIGIBLE:
                    current[row] += 1
                    break
                value = smaller
        if (current == replicas).all():
            return replicas
        spare = int(self.plan.quota - current.sum())
        value = self.loss(current)
        for row in range(len(current)) if spare > 0 else ():
            current[row] += spare
            if value - self.loss(current) > NEGLIGIBLE:
                return self.adjusted(current)
            current[row] -= spare
        return current


def _grouped(jobs: Jobs, plan: Plan, groups: int, minimum: Ints) -> Ints:
    """Neighbours become one service each; what a group gets is then divided within it."""
    parts = np.array_split(np.arange(len(jobs)), groups)
    merged = Jobs(
        rate_rps=np.stack([jobs.rate_rps[part].sum(axis=0) for part in parts]),
        running=np.array([jobs.running[part].sum() for part in parts]),
        service_seconds=np.array([jobs.service_seconds[part].mean() for part in parts]),
        lanes=np.array([jobs.lanes[part].mean() for part in parts]),
        slo_seconds=np.array([jobs.slo_seconds[part].mean() for part in parts]),
    )
    given = shared(merged, plan, minimum=np.array([minimum[part].sum() for part in parts]))
    single = np.array([len(part) == 1 for part in parts])
    share = np.where(single, 0.0, given) / max(1, given[~single].sum()) * (plan.quota - given[single].sum())
    quotas = np.where(single, given, np.floor(share)).astype(np.int64)
    left = plan.quota - quotas.sum()
    quotas[np.argsort(-np.where(single, -1.0, share - quotas), kind="stable")[:left]] += 1
    desired = np.ones(len(jobs), dtype=np.int64)
    for part, quota in zip(parts, quotas, strict=True):
        inside = np.zeros(len(jobs), dtype=np.bool_)
        inside[part] = True
        within = replace(plan, quota=int(quota))
        desired[part] = quota if len(part) == 1 else shared(jobs.chosen(inside), within, minimum=minimum[part])
    return desired
