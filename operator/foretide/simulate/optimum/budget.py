"""The least cost at which at most so many requests violate: a proven lower bound, and a schedule that nearly has it.

A policy costs C replica-seconds and has V violations. Each replica is paid from its creation to the end of its drain,
and what lies in the window counts; the cold start is the shortest time from there to the first request it serves. So
a policy that is not charged for pods that wait for a node must be compared at a cold start without that wait.

For any price p >= 0 of a violation, C + p V is at least g(p), the least of cost + p x violations over all schedules.
So C >= g(p) - p V: whatever prices are tried, the largest of these is a lower bound (the Lagrangian dual). g(p) is
found by dynamic programming over steps and numbers of replicas.

Why schedules that change at the beginning of steps, and only to levels of the grid, are enough for g(p):
1. Cost. A policy pays at least the running maximum of what serves (see `exact`): serving time + one cold start per
   rise, where a gap shorter than the cold start costs the gap instead.
2. Changes within a step, where violations accrue at a rate that depends on the number serving (`WholeSteps`,
   `ViolationTable`). Move one moment of change within its step: violations change linearly, and so does the cost,
   but for a kink where a gap reaches the cold start; there it is concave, as min(gap, cold start) is. Such a function
   is least at an end: at the beginning or end of the step, or where this change meets another one and the two
   become one. So moving all changes one after the other to the borders of steps costs nothing.
3. Means within a step, where violations are a convex function of the replica-seconds served in the step
   (`ServedAtMost`, made of lines between levels). Such a function is the largest of the lines below it, and the least
   over schedules and the largest over lines may be taken in either order. With one line per step violations accrue
   at a constant rate per replica: 2. applies. What remains is a linear program that falls apart into one problem
   per level of replicas, solved by whole intervals: its best numbers of replicas are levels of the grid.
4. Moments (`ServedAtMost` again, in another way). Let n be the most replicas that serve at any moment of a step, a
   whole number: the violations are at least those of n through the whole step. A level that serves at moments s of
   some steps is paid for in [s - cold start, s] of each. Where the cold start is two steps or more, moments in r
   consecutive steps, or with gaps shorter than the cold start, are covered in one piece, of at least r - 2 steps and
   one cold start. So with a start that costs two steps less, and a level that serves when the window begins paid one
   step less, schedules of whole steps bound the policy. A mean of 2.3 replicas, which real fleets of 2 or 3 have only
   by starting and stopping, is no way out here.
Bounds of several ways are all true, so that the best counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate.optimum.exact import Schedule
from foretide.simulate.optimum.prices import (
    BoundCurve,
    Survey,
    Times,
    best_price,
    curve_of,
    joined,
    search,
    survey,
    usable,
)
from foretide.simulate.optimum.schedules import ROWS, avoidable
from foretide.simulate.optimum.violations import Grid, ViolationModel

# A curve is made for shares of violations from this one up; below it the bound is true but no longer tight.
LEAST_SHARE: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Budgeted:
    """The optimum under a budget lies between the bound and the cost of the feasible schedule."""

    lower_bound: float  # replica-seconds
    feasible: Schedule
    violations: float  # of the feasible schedule, by the model


def bound_curve(
    model: ViolationModel, *, step_seconds: float, cold_start_seconds: float, minimum_replicas: int = 0
) -> BoundCurve:
    """Lower bounds for policies that always keep `minimum_replicas` and whose violations the model bounds."""
    times = Times(step_seconds=step_seconds, cold_start_seconds=cold_start_seconds)
    violations = LEAST_SHARE * model.requests
    grids = usable(times, model.bounds, minimum_replicas)
    return joined([curve_of(grid, survey(grid), times, budget=violations) for grid in grids])


def budgeted(
    model: ViolationModel,
    *,
    share: float,
    step_seconds: float,
    cold_start_seconds: float,
    minimum_replicas: int = 0,
) -> Budgeted:
    """The optimum when at most `share` of all requests may violate."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share is {share}, must be from 0 to 1")
    times = Times(step_seconds=step_seconds, cold_start_seconds=cold_start_seconds)
    whole, *_ = usable(times, (model.whole,), minimum_replicas)
    found = survey(whole)
    budget = share * model.requests - found.unavoidable
    if budget < 0.0:
        raise ValueError(
            f"{share * model.requests:.6g} requests may violate, but {found.unavoidable:.6g} do with any number of "
            f"replicas"
        )
    curve = search(whole, times, budget=budget)
    serving = _feasible(whole, found, times, curve, budget=budget)
    schedule = times.schedule(serving)
    if model.bounds != (model.whole,):
        curve = joined([search(grid, times, budget=budget) for grid in usable(times, model.bounds, minimum_replicas)])
    level = np.searchsorted(whole.replicas, np.minimum(schedule.serving, whole.replicas[-1]))
    return Budgeted(
        lower_bound=curve.lower_bound(share * model.requests),
        feasible=schedule,
        violations=found.unavoidable + float(_violations(whole, level).sum()),
    )


def _feasible(grid: Grid, found: Survey, times: Times, curve: BoundCurve, *, budget: float) -> Ints:
    """Replicas of the schedule just above the best price, which keeps the budget, with those runs of the cheaper
    schedule just below it put in that the budget still allows, the largest first."""
    best = best_price(curve, budget)
    dear = times.path(grid, float(curve.prices[min(best + 1, len(curve.prices) - 1)]))
    cheap = times.path(grid, float(curve.prices[max(best - 1, 0)]))
    candidates = [found.enough]
    spent = _violations(grid, dear)
    if spent.sum() <= budget:
        left = budget - float(spent.sum())
        mixed = _exchanged(dear, cheap, _violations(grid, cheap) - spent, left=left)
        candidates += [grid.replicas[level].astype(np.int64) for level in (dear, mixed)]
    return min(candidates, key=lambda serving: times.schedule(serving).replica_seconds)


def _exchanged(dear: Ints, cheap: Ints, more: Floats, *, left: float) -> Ints:
    """The dear levels with runs of the cheap ones, `more` violations a step, as long as `left` lasts."""
    differs = np.concatenate([[False], dear != cheap, [False]])
    begin, end = np.flatnonzero(differs[1:] & ~differs[:-1]), np.flatnonzero(differs[:-1] & ~differs[1:])
    sums = np.array([more[a:b].sum() for a, b in zip(begin, end, strict=True)])
    mixed = dear.copy()
    for run in np.argsort(-sums, kind="stable"):
        if sums[run] <= left:
            left -= float(sums[run])
            mixed[begin[run] : end[run]] = cheap[begin[run] : end[run]]
    return mixed


def _violations(grid: Grid, level: Ints) -> Floats:
    """Avoidable violations of each step at these levels."""
    blocks = [
        np.take_along_axis(avoidable(grid, first), level[first : first + ROWS, None], axis=1)[:, 0]
        for first in range(0, grid.steps, ROWS)
    ]
    return np.concatenate(blocks)
