"""Steps of single replicas, watched request by request: what the fluid's table is fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats
from foretide.simulate import engine, fleet
from foretide.simulate.arriving import begin_arrivals
from foretide.simulate.compiled import compiled
from foretide.simulate.fleet import server_of
from foretide.simulate.replica import present_seconds
from foretide.simulate.scenario import Conditions, Lane, Law, Queue
from foretide.simulate.state import (
    ABSENT,
    CONCURRENCY_SECONDS,
    EXECUTION,
    REQUEST_SECONDS,
    State,
    build,
    with_larger_pool,
)

# Replicas for so many steps, one half at levels that change, with bursts that fill the queue, the other at steady
# levels, where the noise decides who is late.
REPLICAS: Final = 80
STEPS: Final = 1_200
# With many requests a step fewer steps, and then fewer replicas, tell as much: at 12,000 requests/s 160 replicas with
# their queues would take 1.3 GB.
FEWEST_STEPS: Final = 60
FEWEST_REPLICAS: Final = 8
MOST_REQUESTS: Final = 2e7
LEVEL_STEPS: Final = 12
MOST_LEVEL: Final = 1.15
BURST_SHARE: Final = 0.08
BURST_LEVEL: Final = 2.5
# Of a queue that refuses, where nothing of a burst waits on.
MOST_LEVEL_REFUSING: Final = 2.6
MOST_BURST_LEVEL_REFUSING: Final = 8.0
STEADY_LEVELS: Final = (0.2, 0.9)
SEED: Final = 5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Steps:
    """Of replicas; [steps, replicas], the second half of which is under steady loads."""

    there: Floats  # requests in the replica when it began
    came: Floats
    completed: Floats
    late: Floats  # of those that were answered
    failed: Floats
    executions: Floats
    request_seconds: Floats  # that the answered ones took
    concurrency_seconds: Floats  # integral of the requests in the replica
    waiting: Floats  # when it ended
    sizes: npt.NDArray[np.uint16]  # [steps, replicas, max batch + 1]: batches by size


def watched(law: Law, slo_latency_seconds: float, queue: Queue, step_seconds: float) -> Steps:
    """Under loads that change, and then as many replicas under steady ones."""
    most_steps = MOST_REQUESTS / (2 * law.saturation_rps * step_seconds)  # of all replicas together
    replicas = min(max(math.floor(most_steps / FEWEST_STEPS), FEWEST_REPLICAS), REPLICAS)
    count = LEVEL_STEPS * math.floor(min(max(most_steps / replicas, FEWEST_STEPS), STEPS) / LEVEL_STEPS)
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
        for number, rates in enumerate(np.concatenate([_changing(replicas, count, queue), _steady(replicas, count)]))
    ]
    state = build(lanes, Conditions(scrape_seconds=math.inf), counted_from_seconds=0.0)
    fleet.scale_all(state, np.ones(len(lanes), dtype=np.int64), 0.0, True)
    begin_arrivals(state)
    looks, sizes = [], []
    executed = np.zeros((len(lanes), law.max_batch + 1))
    for now in step_seconds * np.arange(1, count + 1):
        while not engine.run_until(state, now, False):
            state = with_larger_pool(state)
        engine.answer_until(state, now)
        looks.append(_look(state, now))
        before, executed = executed, state.executed[..., 0].sum(axis=1)
        sizes.append((executed - before).astype(np.uint16))
    so_far = np.array(looks)
    change, there = np.diff(so_far[..., :6], axis=0), so_far[..., 6]
    came, violations, failed, executions, request_seconds, concurrency_seconds = np.moveaxis(change, -1, 0)
    return Steps(
        there=there[:-1],
        came=came,
        completed=there[:-1] + came - failed - there[1:],
        late=violations - failed,
        failed=failed,
        executions=executions,
        request_seconds=request_seconds,
        concurrency_seconds=concurrency_seconds,
        waiting=so_far[1:, :, 7],
        sizes=np.array(sizes[1:]),
    )


def _changing(replicas: int, count: int, queue: Queue) -> Floats:
    """Loads over saturation, [replicas, steps]."""
    random = np.random.default_rng(SEED)
    shape = (replicas, count // LEVEL_STEPS)
    most = MOST_LEVEL_REFUSING if queue.limited else MOST_LEVEL
    burst = random.uniform(most, MOST_BURST_LEVEL_REFUSING, shape) if queue.limited else BURST_LEVEL
    level = random.uniform(0.0, most, shape)
    level = np.where(random.random(shape) < BURST_SHARE, burst, level)
    loads = np.repeat(level, LEVEL_STEPS, axis=1)
    # Some levels are left for a step.
    return np.where(random.random(loads.shape) < BURST_SHARE, 0.0, loads)


def _steady(replicas: int, count: int) -> Floats:
    return np.repeat(np.linspace(*STEADY_LEVELS, replicas)[:, None], count, axis=1)


def _look(state: State, now: float) -> Floats:
    """[lanes, 8]: so far arrivals, violations, failures, batches and seconds of requests that are answered and of all;
    now requests there and waiting."""
    waiting = state.pods["waiting"].sum(axis=1)
    running = state.instances["size"].sum(axis=(1, 2))
    counters = state.pods["counters"].sum(axis=1)
    concurrency_seconds = counters[:, CONCURRENCY_SECONDS].copy()
    _add_present(state, now, concurrency_seconds)
    arrivals, violations, failures = (state.bins[name].sum(axis=1) for name in ("arrivals", "violations", "failures"))
    return np.stack(
        [
            arrivals,
            violations,
            failures,
            counters[:, EXECUTION],
            counters[:, REQUEST_SECONDS],
            concurrency_seconds,
            waiting + running,
            waiting,
        ],
        axis=-1,
    ).astype(np.float64)


@compiled
def _add_present(state: State, now: float, seconds: Floats) -> None:
    """How long what is in the replicas has been there, [lanes]."""
    for lane in range(len(state.lanes)):
        for place in range(state.lanes[lane].places):
            if state.pods[lane, place].phase != ABSENT:
                seconds[lane] += present_seconds(server_of(state, lane, place), now)
