"""What one second does to a replica, by what is in it and what comes: fitted to watched seconds of the fine fidelity.

The table is a function that is linear between its nodes, the one with the least squared error over all seconds
watched; where few were seen its second differences are kept small.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate import engine, fleet
from foretide.simulate.scenario import Conditions, Lane, Law, Queue
from foretide.simulate.state import EXECUTION, REQUEST_SECONDS, State, build, with_larger_pool

# Columns of the table: requests answered in the second and those of them that were late, requests refused, batches,
# seconds that the answered ones took, requests that wait for an instance when the second ends, and how far the first
# of all is usually from its mean (the square of it).
COMPLETED, LATE, FAILED, EXECUTIONS, LATENCY, STANDING, VARIANCE = range(7)
WATCHED: Final = 6
WITHIN: Final = 7

# Work in a replica: seconds as shares of the SLO, and those beyond it, after which all is late a second later, too.
BEFORE_SHARES: Final = (0.0, 0.07, 0.14, 0.21, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
BEFORE_BEYOND_SECONDS: Final = (0.3, 0.6, 0.9, 1.2, 1.5)
# Requests of a second over what a replica can serve in it.
LOADS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)
# Watched: replicas for so many seconds, at levels that change, with bursts that fill the queue.
REPLICAS: Final = 160
SECONDS: Final = 1_500
LEVEL_SECONDS: Final = 12
MOST_LEVEL: Final = 1.15
BURST_SHARE: Final = 0.08
BURST_LEVEL: Final = 2.5
SEED: Final = 5
# Seconds after which nothing is left of the phase of a batch.
LASTING_SECONDS: Final = 4
# Weight of a second difference, in seconds watched.
STIFFNESS: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Of one law, SLO and queue."""

    before: Floats  # [nodes], requests, ascending
    arrived: Floats  # [nodes], requests, ascending
    values: Floats  # [nodes, nodes, WITHIN]


@lru_cache(maxsize=64)
def table_of(law: Law, slo_latency_seconds: float, queue: Queue) -> Table:
    """Made once for each, in some seconds; always the same."""
    rate = law.saturation_rps
    beyond = [1.1 * slo_latency_seconds + more for more in BEFORE_BEYOND_SECONDS]
    before = rate * np.array([share * slo_latency_seconds for share in BEFORE_SHARES] + beyond)
    arrived = rate * np.array(LOADS)
    there, came, values = _watched(law, slo_latency_seconds, queue)
    inside = (there <= before[-1]) & (came <= arrived[-1])
    grid = _Grid(there[inside], came[inside], before, arrived)
    fitted = grid.fitted(values[inside])
    missed = np.zeros(there.shape)
    missed[inside] = values[inside, COMPLETED] - grid.at_seconds(fitted)[:, COMPLETED]
    variance = grid.fitted(_lasting_variance(missed)[inside, None])
    return Table(before, arrived, np.maximum(np.concatenate([fitted, variance], axis=-1), 0.0))


def _watched(law: Law, slo_latency_seconds: float, queue: Queue) -> tuple[Floats, Floats, Floats]:
    """Of each second: requests in the replica when it began, requests that came, and the columns."""
    random = np.random.default_rng(SEED)
    shape = (REPLICAS, SECONDS // LEVEL_SECONDS)
    level = random.uniform(0.0, MOST_LEVEL, shape)
    level = np.where(random.random(shape) < BURST_SHARE, BURST_LEVEL, level)
    rates = np.repeat(level, LEVEL_SECONDS, axis=1) * law.saturation_rps
    # Some levels are left after a few seconds.
    rates *= np.where(random.random(rates.shape) < BURST_SHARE, 0.0, 1.0)
    lanes = [
        Lane(
            name="watched",
            rates_rps=row,
            step_seconds=1.0,
            seed=number,
            law=law,
            slo_latency_seconds=slo_latency_seconds,
            queue=queue,
            max_replicas=1,
        )
        for number, row in enumerate(rates)
    ]
    state = build(lanes, Conditions(scrape_seconds=float(SECONDS)), counted_from_seconds=0.0)
    fleet.scale_all(state, np.ones(REPLICAS, dtype=np.int64), 0.0, True)
    engine.begin_arrivals(state)
    looks = []
    for now in range(1, rates.shape[1] + 1):
        while not engine.run_until(state, float(now), False):
            state = with_larger_pool(state)
        engine.answer_until(state, float(now))
        looks.append(_look(state))
    so_far = np.array(looks)
    change = np.diff(so_far, axis=0)
    came, answered_or_not, failed = change[..., 0], change[..., 1], change[..., 2]
    there = so_far[..., 3]
    completed = there[:-1] + came - failed - there[1:]
    columns = [completed, answered_or_not - failed, failed, change[..., 4], change[..., 5], so_far[1:, :, 6]]
    return there[:-1].ravel(), came.ravel(), np.stack(columns, axis=-1).reshape(-1, WATCHED)


def _look(state: State) -> Floats:
    """[7, lanes]: sums of arrivals, violations and failures; requests there; batches and seconds; requests waiting."""
    waiting = state.pods["waiting"].sum(axis=1)
    running = state.instances["size"].sum(axis=(1, 2))
    counters = state.pods["counters"].sum(axis=1)
    sums = [state.bins[name].sum(axis=1) for name in ("arrivals", "violations", "failures")]
    rest = [waiting + running, counters[:, EXECUTION], counters[:, REQUEST_SECONDS], waiting]
    return np.stack([*sums, *rest], axis=-1).astype(np.float64)


def _lasting_variance(missed: Floats) -> Floats:
    """Of the sum over some seconds, per second: a second with less than its mean leaves a batch that is nearly done,
    so that the next has more."""
    rows = missed.reshape(-1, REPLICAS)
    total = rows**2
    for later in range(1, LASTING_SECONDS):
        total[:-later] += 2.0 * rows[:-later] * rows[later:]
    return total.ravel()


class _Grid:
    """All functions that are linear between nodes, for the seconds watched."""

    def __init__(self, there: Floats, came: Floats, before: Floats, arrived: Floats) -> None:
        self._shape: Final = (len(before), len(arrived))
        self._corners, self._weights = _corners(there, came, before, arrived)
        nodes = len(before) * len(arrived)
        matrix = np.zeros((nodes, nodes))
        for one in range(4):
            for other in range(4):
                weight = self._weights[:, one] * self._weights[:, other]
                np.add.at(matrix, (self._corners[:, one], self._corners[:, other]), weight)
        bend = np.kron(_bending(before), np.eye(len(arrived))) + np.kron(np.eye(len(before)), _bending(arrived))
        self._normal: Final = matrix + STIFFNESS * bend

    def fitted(self, values: Floats) -> Floats:
        """[nodes, nodes, columns] of the function with the least squared error; values are [seconds, columns]."""
        target = np.zeros((len(self._normal), values.shape[1]))
        for corner in range(4):
            np.add.at(target, self._corners[:, corner], self._weights[:, corner, None] * values)
        solved: Floats = np.asarray(np.linalg.solve(self._normal, target), dtype=np.float64)
        return solved.reshape(*self._shape, -1)

    def at_seconds(self, nodes: Floats) -> Floats:
        """[seconds, columns] of such a function."""
        flat = nodes.reshape(len(self._normal), -1)
        found: Floats = (self._weights[:, :, None] * flat[self._corners]).sum(axis=1)
        return found


def _corners(there: Floats, came: Floats, before: Floats, arrived: Floats) -> tuple[Ints, Floats]:
    """The four nodes around each second and their weights; [seconds, 4]."""
    row = np.clip(np.searchsorted(before, there, side="right") - 1, 0, len(before) - 2)
    column = np.clip(np.searchsorted(arrived, came, side="right") - 1, 0, len(arrived) - 2)
    down = (there - before[row]) / (before[row + 1] - before[row])
    right = (came - arrived[column]) / (arrived[column + 1] - arrived[column])
    first = row * len(arrived) + column
    corners = np.stack([first, first + 1, first + len(arrived), first + len(arrived) + 1], axis=1)
    weights = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], axis=1)
    return corners, weights


def _bending(nodes: Floats) -> Floats:
    """Quadratic form of the second differences along one axis, over steps of the nodes' mean distance."""
    step = np.diff(nodes) / np.diff(nodes).mean()
    form = np.zeros((len(nodes), len(nodes)))
    for middle in range(1, len(nodes) - 1):
        line = np.zeros(len(nodes))
        line[middle - 1], line[middle + 1] = 1.0 / step[middle - 1], 1.0 / step[middle]
        line[middle] = -line[middle - 1] - line[middle + 1]
        form += np.outer(line, line)
    return form
