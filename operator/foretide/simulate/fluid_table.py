"""What a step does to a replica, by what is in it and what comes: fitted to watched steps of the fine fidelity.

The table is a function that is linear between its nodes, the one with the least squared error over all steps watched;
where few were seen its second differences are kept small. What is in a replica is a number, without the phase of the
batch and the ages of the requests: a step is at least as long as the SLO, so that ages hardly matter, and of the noise
that the phase makes in one step the next ones take most back. The share of its variance that lasts is the one with
which the fluid, living through the watched steps once more, has as many violations as there were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate import engine, fleet
from foretide.simulate.scenario import Conditions, Lane, Law, Queue
from foretide.simulate.state import EXECUTION, REQUEST_SECONDS, State, build, with_larger_pool

# Columns of the table: requests answered in the step and those of them that were late, requests refused, batches,
# seconds that the answered ones took, requests that wait for an instance when the step ends, and the variance of the
# first that lasts.
COMPLETED, LATE, FAILED, EXECUTIONS, LATENCY, STANDING, VARIANCE = range(7)
WATCHED: Final = 6
WITHIN: Final = 7

# Steps divide the bins of the timeline.
STEPS_SECONDS: Final = (1.0, 1.5, 2.5, 3.0, 5.0, 7.5, 15.0)
# Work in a replica: as shares of the SLO, and beyond that in steps, after which all is late.
BEFORE_SHARES: Final = (0.0, 0.07, 0.14, 0.21, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
BEFORE_BEYOND: Final = (0.3, 0.6, 0.9, 1.2, 1.5)
# Requests of a step over what a replica can serve in it.
LOADS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)
# Watched: replicas for so many steps, one half at levels that change, with bursts that fill the queue, the other at
# steady levels, where the noise decides who is late.
REPLICAS: Final = 80
STEPS: Final = 1_200
LEVEL_STEPS: Final = 12
MOST_LEVEL: Final = 1.15
BURST_SHARE: Final = 0.08
BURST_LEVEL: Final = 2.5
STEADY_LEVELS: Final = (0.2, 0.9)
SEED: Final = 5
# Weight of a second difference, in steps watched.
STIFFNESS: Final = 1.0
HALVINGS: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Of one law, SLO and queue."""

    before: Floats  # [nodes], requests, ascending
    arrived: Floats  # [nodes], requests, ascending
    values: Floats  # [nodes, nodes, WITHIN]


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Watched; [steps, replicas]."""

    there: Floats  # requests in the replica when it began
    came: Floats
    columns: Floats  # [steps, replicas, WATCHED]

    def part(self, replicas: slice) -> _Steps:
        return _Steps(self.there[:, replicas], self.came[:, replicas], self.columns[:, replicas])


def step_of(slo_latency_seconds: float) -> float:
    """The shortest that is as long as the SLO."""
    return next((step for step in STEPS_SECONDS if step >= slo_latency_seconds), STEPS_SECONDS[-1])


@lru_cache(maxsize=64)
def table_of(law: Law, slo_latency_seconds: float, queue: Queue) -> Table:
    """Made once for each, in some seconds; always the same."""
    step = step_of(slo_latency_seconds)
    rate = law.saturation_rps
    shares = [share * slo_latency_seconds for share in BEFORE_SHARES]
    before = rate * np.array(shares + [shares[-1] + more * step for more in BEFORE_BEYOND])
    arrived = rate * step * np.array(LOADS)
    steps = _watched(law, slo_latency_seconds, queue, step)

    there, came, columns = steps.there.ravel(), steps.came.ravel(), steps.columns.reshape(-1, WATCHED)
    inside = (there <= before[-1]) & (came <= arrived[-1])
    grid = _Grid(there[inside], came[inside], before, arrived)
    fitted = grid.fitted(columns[inside])
    missed = columns[inside, COMPLETED] - grid.at_steps(fitted)[:, COMPLETED]
    values = np.maximum(np.concatenate([fitted, grid.fitted(missed[:, None] ** 2)], axis=-1), 0.0)
    values[..., VARIANCE] *= _lasting(Table(before, arrived, values), steps.part(slice(REPLICAS, None)))
    return Table(before, arrived, values)


def _lasting(table: Table, steps: _Steps) -> float:
    """The share of the variance with which as many requests violate as did; by bisection, more make more."""
    violations = float(steps.columns[..., [LATE, FAILED]].sum())
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if _violations_once_more(table, steps.came, middle) < violations:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _violations_once_more(table: Table, came: Floats, lasting: float) -> float:
    """Of the fluid under the arrivals of the watched steps."""
    random = np.random.default_rng(SEED)
    values = table.values.reshape(-1, WITHIN)
    present, violations = np.zeros(came.shape[1]), 0.0
    for more in came:
        corners, weights = _corners(present, more, table.before, table.arrived)
        found = (weights[:, :, None] * values[corners]).sum(axis=1)
        there = present + more
        failed = np.minimum(found[:, FAILED], there)
        drawn = found[:, COMPLETED] + np.sqrt(lasting * found[:, VARIANCE]) * random.standard_normal(len(there))
        completed = np.clip(drawn, 0.0, there - failed)
        violations += float((np.minimum(found[:, LATE], completed) + failed).sum())
        present = np.maximum(there - completed - failed, 0.0)
    return violations


def _watched(law: Law, slo_latency_seconds: float, queue: Queue, step_seconds: float) -> _Steps:
    """Replicas under loads that change and under steady ones, request by request."""
    lanes = [
        Lane(
            name="watched",
            rates_rps=rates * law.saturation_rps,
            step_seconds=step_seconds,
            seed=number,
            law=law,
            slo_latency_seconds=slo_latency_seconds,
            queue=queue,
            max_replicas=1,
        )
        for number, rates in enumerate(np.concatenate([_changing(), _steady()]))
    ]
    state = build(lanes, Conditions(scrape_seconds=math.inf), counted_from_seconds=0.0)
    fleet.scale_all(state, np.ones(len(lanes), dtype=np.int64), 0.0, True)
    engine.begin_arrivals(state)
    looks = []
    for now in step_seconds * np.arange(1, STEPS + 1):
        while not engine.run_until(state, now, False):
            state = with_larger_pool(state)
        engine.answer_until(state, now)
        looks.append(_look(state))
    so_far = np.array(looks)
    change = np.diff(so_far, axis=0)
    came, violations, failed, there = change[..., 0], change[..., 1], change[..., 2], so_far[..., 3]
    completed = there[:-1] + came - failed - there[1:]
    columns = [completed, violations - failed, failed, change[..., 4], change[..., 5], so_far[1:, :, 6]]
    return _Steps(there[:-1], came, np.stack(columns, axis=-1))


def _changing() -> Floats:
    """Loads over saturation, [replicas, steps]."""
    random = np.random.default_rng(SEED)
    shape = (REPLICAS, STEPS // LEVEL_STEPS)
    level = random.uniform(0.0, MOST_LEVEL, shape)
    level = np.where(random.random(shape) < BURST_SHARE, BURST_LEVEL, level)
    loads = np.repeat(level, LEVEL_STEPS, axis=1)
    # Some levels are left for a step.
    return np.where(random.random(loads.shape) < BURST_SHARE, 0.0, loads)


def _steady() -> Floats:
    return np.repeat(np.linspace(*STEADY_LEVELS, REPLICAS)[:, None], STEPS, axis=1)


def _look(state: State) -> Floats:
    """[lanes, 7]: sums of arrivals, violations and failures; requests there; batches and seconds; requests waiting."""
    waiting = state.pods["waiting"].sum(axis=1)
    running = state.instances["size"].sum(axis=(1, 2))
    counters = state.pods["counters"].sum(axis=1)
    sums = [state.bins[name].sum(axis=1) for name in ("arrivals", "violations", "failures")]
    rest = [waiting + running, counters[:, EXECUTION], counters[:, REQUEST_SECONDS], waiting]
    return np.stack([*sums, *rest], axis=-1).astype(np.float64)


class _Grid:
    """All functions that are linear between nodes, for the steps watched."""

    def __init__(self, there: Floats, came: Floats, before: Floats, arrived: Floats) -> None:
        self._shape: Final = (len(before), len(arrived))
        self._corners, self._weights = _corners(there, came, before, arrived)
        nodes = len(before) * len(arrived)
        matrix = np.zeros(nodes * nodes)
        for one in range(4):
            for other in range(4):
                place = self._corners[:, one] * nodes + self._corners[:, other]
                matrix += np.bincount(place, self._weights[:, one] * self._weights[:, other], minlength=len(matrix))
        bend = np.kron(_bending(before), np.eye(len(arrived))) + np.kron(np.eye(len(before)), _bending(arrived))
        self._normal: Final = matrix.reshape(nodes, nodes) + STIFFNESS * bend

    def fitted(self, values: Floats) -> Floats:
        """[nodes, nodes, columns] of the function with the least squared error; values are [steps, columns]."""
        target = np.zeros((len(self._normal), values.shape[1]))
        for corner in range(4):
            for column in range(values.shape[1]):
                part = self._weights[:, corner] * values[:, column]
                target[:, column] += np.bincount(self._corners[:, corner], part, minlength=len(target))
        solved: Floats = np.asarray(np.linalg.solve(self._normal, target), dtype=np.float64)
        return solved.reshape(*self._shape, -1)

    def at_steps(self, nodes: Floats) -> Floats:
        """[steps, columns] of such a function."""
        flat = nodes.reshape(len(self._normal), -1)
        found: Floats = (self._weights[:, :, None] * flat[self._corners]).sum(axis=1)
        return found


def _corners(there: Floats, came: Floats, before: Floats, arrived: Floats) -> tuple[Ints, Floats]:
    """The four nodes around each step and their weights, [steps, 4]; beyond the last nodes those count."""
    there, came = np.minimum(there, before[-1]), np.minimum(came, arrived[-1])
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
