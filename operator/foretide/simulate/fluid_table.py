"""What a step does to a replica, by what is in it and what comes: fitted to watched steps of the fine fidelity.

The table is a function that is linear between its nodes, the one with the least squared error over all steps watched;
where few were seen its second differences are kept small. What is in a replica is a number, without the phase of the
batch and the ages of the requests: a step is at least as long as the SLO, so that ages hardly matter, and of the noise
that the phase makes in one step the next ones take most back. The share of its variance that lasts is the one with
which the fluid, living through the watched steps once more, has as many violations as there were.

Some of what is seen of a replica has more to tell than its mean: how many requests wait just now, and how large batches
were. For these some of the watched steps themselves are kept, of each field between four nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate.fluid_columns import COMPLETED, EXECUTIONS, FAILED, VARIANCE, step_of
from foretide.simulate.fluid_grid import Grid
from foretide.simulate.fluid_lookup import violations_of
from foretide.simulate.fluid_saturation import saturated
from foretide.simulate.fluid_watch import SEED, Steps, watched
from foretide.simulate.scenario import Law, Queue

# Work in a replica: as shares of the SLO, and beyond that in steps, after which all is late.
THERE_SHARES: Final = (0.0, 0.07, 0.14, 0.21, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
THERE_BEYOND: Final = (0.3, 0.6, 0.9, 1.2, 1.5)
# The same with what comes in a step, over what a replica can serve in it; first single requests, which are the fastest.
TOTALS_SINGLE: Final = (0.0, 0.015, 0.03)
TOTALS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)
TOTALS_BEYOND: Final = (4.0, 6.0, 8.0)
HALVINGS: Final = 6
# Watched steps kept of each field.
KEPT: Final = 128


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table:
    """Of one law, SLO and queue."""

    grid: Grid
    values: Floats  # [rows, columns, KINDS]
    # Watched: requests that waited when the step ended, and all that were expected to be there; batches by their size.
    waiting: Floats  # [rows - 1, columns - 1, KEPT]
    after: Floats  # [rows - 1, columns - 1, KEPT]
    sizes: npt.NDArray[np.uint16]  # [rows - 1, columns - 1, KEPT, max batch + 1]


@lru_cache(maxsize=64)
def table_of(law: Law, slo_latency_seconds: float, queue: Queue) -> Table:
    """Made once for each, in some seconds; always the same."""
    step = step_of(slo_latency_seconds)
    rate = law.saturation_rps
    shares = [share * slo_latency_seconds for share in THERE_SHARES]
    grid = Grid(
        there=rate * np.array(shares + [shares[-1] + more * step for more in THERE_BEYOND]),
        total=rate * step * np.array(TOTALS_SINGLE + TOTALS + TOTALS_BEYOND),
    )
    steps = watched(law, slo_latency_seconds, queue, step)

    inside = grid.inside(steps.there, steps.came)
    there, came = steps.there[inside], steps.came[inside]
    columns = np.stack([column[inside] for column in _columns(steps)], axis=-1)
    fit = grid.fit(there, came)
    means = fit.nodes(columns)
    expected = grid.values_at(means, there, came)
    missed = columns[:, COMPLETED] - expected[:, COMPLETED]
    values = np.maximum(np.concatenate([means, fit.nodes(missed[:, None] ** 2)], axis=-1), 0.0)
    most = saturated(grid, law, queue, step)
    values[..., COMPLETED] = np.where(most.full, most.completed, np.minimum(values[..., COMPLETED], most.completed))
    values[..., EXECUTIONS] = np.where(most.full, most.executions, values[..., EXECUTIONS])
    lasting = _lasting(grid, values, steps) * values[..., VARIANCE]
    values[..., VARIANCE] = np.where(most.even, most.variance, lasting)
    some = np.flatnonzero(there + came > 0.0)  # the fluid looks up no others
    kept = some[_kept(grid.field(there[some], came[some]), grid)]
    return Table(
        grid=grid,
        values=values,
        waiting=steps.waiting[inside][kept],
        after=(there + came - expected[:, COMPLETED] - expected[:, FAILED])[kept],
        sizes=steps.sizes.reshape(-1, steps.sizes.shape[-1])[np.flatnonzero(inside)[kept]],
    )


def _columns(steps: Steps) -> list[Floats]:
    """In the order of the table."""
    requests = [steps.completed, steps.late, steps.failed]
    return [*requests, steps.executions, steps.request_seconds, steps.concurrency_seconds]


def _kept(field: Ints, grid: Grid) -> Ints:
    """Some steps of each field, [rows - 1, columns - 1, KEPT]; where there were none those of the nearest field.

    `field` is that of each step.
    """
    random = np.random.default_rng(SEED)
    rows, columns = len(grid.there) - 1, len(grid.total) - 1
    order = np.argsort(field, kind="stable")
    ends = np.cumsum(np.bincount(field, minlength=rows * columns))
    begins = np.concatenate([[0], ends[:-1]])
    filled = np.flatnonzero(ends > begins)
    row, column = np.divmod(np.arange(rows * columns), columns)
    distance = np.abs(row[:, None] - row[filled]) + np.abs(column[:, None] - column[filled])
    nearest = filled[np.argmin(distance, axis=1)]
    drawn = random.integers(begins[nearest][:, None], ends[nearest][:, None], (rows * columns, KEPT))
    found: Ints = order[drawn].reshape(rows, columns, KEPT)
    return found


def _lasting(grid: Grid, values: Floats, steps: Steps) -> float:
    """The share of the variance with which as many requests violate under steady loads as did; by bisection, more make
    more."""
    steady = steps.came.shape[1] // 2
    came = np.ascontiguousarray(steps.came[:, steady:])
    noise = np.random.default_rng(SEED).standard_normal(came.shape)
    violations = float((steps.late + steps.failed)[:, steady:].sum())
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if violations_of(grid.there, grid.total, values, middle, came, noise) < violations:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
