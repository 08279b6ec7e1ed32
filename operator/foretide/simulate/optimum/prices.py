"""Which prices of a violation are worth trying, and the lower bounds that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate.optimum.exact import Schedule, check_times, zero_violation
from foretide.simulate.optimum.schedules import LOST_STEPS, ROWS, avoidable, cheapest_path, least_totals
from foretide.simulate.optimum.violations import Grid

# Prices are tried on a geometric grid, then on a second one around the best. Any price gives a true bound; more of
# them make it a little tighter.
PRICES: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoundCurve:
    """Lower bounds of cost for every number of violations at once: one search serves all policies and knobs."""

    prices: Floats  # replica-seconds per violation
    totals: Floats  # least cost + price x avoidable violations, per price
    unavoidable: Floats  # violations with any number of replicas, as the total of this price has them

    def lower_bound(self, violations: float) -> float:
        """Replica-seconds that every policy with at most so many violations pays for."""
        return float(np.max(self.totals - self.prices * (violations - self.unavoidable)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Lengths that turn numbers of replicas into cost."""

    step_seconds: float
    cold_start_seconds: float

    def __post_init__(self) -> None:
        check_times(step_seconds=self.step_seconds, cold_start_seconds=self.cold_start_seconds)

    def schedule(self, serving: Ints) -> Schedule:
        """The cheapest schedule that serves at least so many."""
        return zero_violation(serving, step_seconds=self.step_seconds, cold_start_seconds=self.cold_start_seconds)

    def totals(self, grid: Grid, prices: Floats) -> Floats:
        """The least cost + price x avoidable violations."""
        return least_totals(grid, prices, step_seconds=self.step_seconds, cold_start_seconds=self.cold_start_seconds)

    def path(self, grid: Grid, price: float) -> Ints:
        """The levels of a schedule that has the least total."""
        return cheapest_path(grid, price, step_seconds=self.step_seconds, cold_start_seconds=self.cold_start_seconds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """What the range of sensible prices follows from."""

    enough: Ints  # per step, the fewest whole replicas with the fewest violations
    unavoidable: float  # violations with any number of replicas
    steepest: float  # most violations that one more replica avoids in a step
    smallest: float  # fewest avoidable violations, above none, at any level of any step


def usable(times: Times, grids: Sequence[Grid], minimum_replicas: int) -> list[Grid]:
    """The levels from that many replicas up, of those grids that hold for this cold start."""
    if minimum_replicas < 0:
        raise ValueError(f"minimum_replicas is {minimum_replicas}, must be 0 or more")
    long_enough = times.cold_start_seconds >= LOST_STEPS * times.step_seconds
    return [_at_least(grid, minimum_replicas) for grid in grids if long_enough or not grid.moments]


def _at_least(grid: Grid, replicas: int) -> Grid:
    # Where fewer do for every step, the last level stands for all more.
    first = min(int(np.searchsorted(grid.replicas, replicas)), len(grid.replicas) - 1)
    return Grid(
        replicas=np.maximum(grid.replicas[first:], replicas),
        steps=grid.steps,
        rows=lambda begin, end: grid.rows(begin, end)[:, first:],
        moments=grid.moments,
    )


def survey(grid: Grid) -> Survey:
    """One look at the whole grid."""
    enough, unavoidable, steepest, smallest = [], 0.0, 0.0, np.inf
    for first in range(0, grid.steps, ROWS):
        rows = avoidable(grid, first)
        unavoidable += float(grid.rows(first, first + len(rows)).min(axis=1).sum())
        enough.append(grid.replicas[rows.argmin(axis=1)])
        smallest = min(smallest, float(rows.min(axis=1, initial=np.inf, where=rows > 0.0).min()))
        slope = (rows[:, :1] - rows[:, 1:]) / (grid.replicas[1:] - grid.replicas[0])
        steepest = max(steepest, float(slope.max(initial=0.0)))
    return Survey(
        enough=np.ceil(np.concatenate(enough)).astype(np.int64),
        unavoidable=unavoidable,
        steepest=steepest,
        smallest=smallest,
    )


def curve_of(grid: Grid, found: Survey, times: Times, *, budget: float) -> BoundCurve:
    """Bounds for that many avoidable violations and more."""
    prices = np.zeros(1)
    if found.steepest > 0.0:
        # Up from the price at which the first replica begins to pay. Where p V is above the cost of no avoidable
        # violations at all the bound g(p) - p V is below 0.
        dearest = max(times.schedule(found.enough).replica_seconds, times.step_seconds)
        high = dearest / max(budget, found.smallest)
        low = min(times.step_seconds / found.steepest, high)
        prices = np.concatenate([prices, np.geomspace(low, high, PRICES)])
    return _curve(grid, prices, times, unavoidable=found.unavoidable)


def search(grid: Grid, times: Times, *, budget: float) -> BoundCurve:
    """The same with more prices around the one that is best for this budget, in ascending order."""
    found = survey(grid)
    wide = curve_of(grid, found, times, budget=budget)
    best = best_price(wide, budget)
    low, high = wide.prices[max(best - 1, 0)], wide.prices[min(best + 1, len(wide.prices) - 1)]
    between = np.linspace(low, high, PRICES + 2)[1:-1]
    both = joined([wide, _curve(grid, between, times, unavoidable=found.unavoidable)])
    order = np.argsort(both.prices, kind="stable")
    return BoundCurve(prices=both.prices[order], totals=both.totals[order], unavoidable=both.unavoidable)


def best_price(curve: BoundCurve, budget: float) -> int:
    """The price with the highest bound for that many avoidable violations."""
    return int(np.argmax(curve.totals - curve.prices * budget))


def joined(curves: Sequence[BoundCurve]) -> BoundCurve:
    """All bounds in one: each is true, so that the best counts."""
    return BoundCurve(
        prices=np.concatenate([curve.prices for curve in curves]),
        totals=np.concatenate([curve.totals for curve in curves]),
        unavoidable=np.concatenate([curve.unavoidable for curve in curves]),
    )


def _curve(grid: Grid, prices: Floats, times: Times, *, unavoidable: float) -> BoundCurve:
    return BoundCurve(prices=prices, totals=times.totals(grid, prices), unavoidable=np.full(len(prices), unavoidable))
