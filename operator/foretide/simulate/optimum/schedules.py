"""The least of cost + price x violations over all schedules, by dynamic programming over steps and replicas.

To serve with n replicas after n' costs one cold start for each of n - n', or nothing where n is not more. Replicas
that idle through a gap and replicas that start again are both such schedules, so that the least of them is the cost
of `exact`. Each step needs two scans over the numbers of replicas.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate.compiled import compiled
from foretide.simulate.optimum.violations import Grid

# Rows of the grid that are made at once: a megabyte or two.
ROWS: Final = 512
# Prices that are looked at in one go: a vector register or two, and the totals of hundreds of levels stay in cache.
TOGETHER: Final = 8

# Of a level that serves at some moment of each of r steps in a row, r - 2 steps and the cold start are sure to be paid.
LOST_STEPS: Final = 2

Choices = npt.NDArray[np.int32]


def least_totals(grid: Grid, prices: Floats, *, step_seconds: float, cold_start_seconds: float) -> Floats:
    """The least total for each price of a violation beyond the unavoidable ones.

    With a grid of moments it is a bound of the least total, and the cold start must be LOST_STEPS steps or more.
    """
    run = step_seconds * grid.replicas
    start_seconds = cold_start_seconds - LOST_STEPS * step_seconds if grid.moments else cold_start_seconds
    rise = start_seconds * np.diff(grid.replicas, prepend=grid.replicas[0])
    groups = -(-len(prices) // TOGETHER)
    padded = np.resize(prices, groups * TOGETHER).reshape(groups, TOGETHER)
    value = np.zeros((groups, len(run), TOGETHER))
    for first in range(0, grid.steps, ROWS):
        rows = avoidable(grid, first)
        if first == 0 and grid.moments:
            # What serves at the first moment of the window, and then no more, has not paid for the first step.
            _sweep(value, rows[:1], padded, np.full_like(run, run[0]), rise)
            rows = rows[1:]
        _sweep(value, rows, padded, run, rise)
    least: Floats = value.min(axis=1).reshape(-1)[: len(prices)]
    return least


def cheapest_path(grid: Grid, price: float, *, step_seconds: float, cold_start_seconds: float) -> Ints:
    """The level of each step in a schedule with the least total."""
    run = step_seconds * grid.replicas
    rise = cold_start_seconds * np.diff(grid.replicas, prepend=grid.replicas[0])
    value = np.zeros(len(run))
    came_from = np.empty((grid.steps, len(run)), dtype=np.int32)
    for first in range(0, grid.steps, ROWS):
        _sweep_and_note(value, avoidable(grid, first), price, run, rise, came_from[first : first + ROWS])
    level = np.empty(grid.steps, dtype=np.int64)
    level[-1] = value.argmin()
    for step in range(grid.steps - 1, 0, -1):
        level[step - 1] = came_from[step, level[step]]
    return level


def avoidable(grid: Grid, first: int) -> Floats:
    """The violations that more replicas would avoid, in the block of steps from `first` on."""
    rows = grid.rows(first, min(first + ROWS, grid.steps))
    return np.ascontiguousarray(rows - rows.min(axis=1, keepdims=True))


@compiled
def _sweep(value: Floats, rows: Floats, prices: Floats, run: Floats, rise: Floats) -> None:
    """Takes the totals of schedules that end with each number of replicas through a block of steps.

    Whatever is there when the window begins costs no start: the totals before the first step do not depend on one.
    """
    for group in range(value.shape[0]):
        total, price = value[group], prices[group]
        levels = total.shape[0]
        before = np.empty(TOGETHER)
        for row in range(rows.shape[0]):
            for n in range(levels - 2, -1, -1):
                for p in range(TOGETHER):
                    total[n, p] = min(total[n, p], total[n + 1, p])
            before[:] = np.inf
            for n in range(levels):
                for p in range(TOGETHER):
                    before[p] = min(total[n, p], before[p] + rise[n])
                    total[n, p] = before[p] + run[n] + price[p] * rows[row, n]


@compiled
def _sweep_and_note(value: Floats, rows: Floats, price: float, run: Floats, rise: Floats, came_from: Choices) -> None:
    """The same for one price, noting from which number of replicas each total came."""
    for row in range(rows.shape[0]):
        source = came_from[row]
        for n in range(value.shape[0]):
            source[n] = n
        for n in range(value.shape[0] - 2, -1, -1):
            if value[n + 1] < value[n]:
                value[n], source[n] = value[n + 1], source[n + 1]
        for n in range(1, value.shape[0]):
            if value[n - 1] + rise[n] < value[n]:
                value[n], source[n] = value[n - 1] + rise[n], source[n - 1]
        for n in range(value.shape[0]):
            value[n] += run[n] + price * rows[row, n]
