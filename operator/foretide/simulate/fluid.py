"""The coarse fidelity: requests as a fluid, in steps of a second or of the SLO, over the same pods, scrapes, policies.

In each step a lane draws how many requests come, and each replica gets its part at random. What a step does to a
replica is looked up by what is in it and what comes (`fluid_table`, made of watched steps of the fine fidelity).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.simulate.compiled import compiled, inlined
from foretide.simulate.engine import next_event, settled
from foretide.simulate.fluid_table import (
    COMPLETED,
    EXECUTIONS,
    FAILED,
    LATE,
    LATENCY,
    STANDING,
    VARIANCE,
    WITHIN,
    Table,
    step_of,
)
from foretide.simulate.scenario import Lane, Routing
from foretide.simulate.state import (
    ABSENT,
    ARRIVALS,
    ARRIVED,
    BIN_SECONDS,
    BUSY_SECONDS,
    CONCURRENCY_SECONDS,
    EXECUTION,
    FAILURE,
    GONE,
    INFERENCE,
    REQUEST_SECONDS,
    ROUTES,
    SERVICE,
    SUCCESS,
    Array,
    Record,
    State,
)
from foretide.simulate.streams import count, normal, uniform

# With fewer requests a replica each is routed on its own; with more the normal distribution is as good.
FEW: Final = 16.0


class Fluid(NamedTuple):
    """Of each lane: its table, and what its replicas get in the step that begins."""

    step_seconds: Array  # [lanes]
    expected: Array  # [lanes, steps]: requests
    before: Array  # [lanes, nodes]: requests in the replica when a step begins, ascending
    arrived: Array  # [lanes, nodes]: requests that come in it, ascending
    values: Array  # [lanes, nodes, nodes, columns of `fluid_table`]
    given: Array  # [lanes, pods]


def build(lanes: Sequence[Lane], state: State, tables: Sequence[Table]) -> Fluid:
    """With one table a lane; raises ValueError for a lane that needs the order of its requests."""
    for lane in lanes:
        if lane.arrival_times is not None:
            raise ValueError(f"{lane.name} has recorded arrivals: the fluid draws its own")
        # The more replicas share the arrivals, the less bursty are those of each, and the table is of one; even for one
        # a table that is fitted to bursty arrivals is 2.5 points of the violations off at a cv of 2.
        if lane.arrival_cv != 1.0:
            raise ValueError(f"{lane.name} has an arrival_cv of {lane.arrival_cv:g}: the fluid's arrivals are Poisson")
        if lane.routing is not Routing.RANDOM:
            raise ValueError(f"{lane.name} routes by {lane.routing.name}: the fluid routes at random")
    step_seconds = [step_of(lane.slo_latency_seconds) for lane in lanes]
    steps = max(math.ceil(lane.seconds / step) for lane, step in zip(lanes, step_seconds, strict=True))
    return Fluid(
        step_seconds=np.array(step_seconds),
        expected=np.array([_expected(lane, step, steps) for lane, step in zip(lanes, step_seconds, strict=True)]),
        before=np.array([table.before for table in tables]),
        arrived=np.array([table.arrived for table in tables]),
        values=np.array([table.values for table in tables]),
        given=np.zeros(state.pods.shape, dtype=np.float64),
    )


def _expected(lane: Lane, step_seconds: float, steps: int) -> Floats:
    """Requests of each step, 0 beyond the end of the lane."""
    so_far = np.concatenate([[0.0], np.cumsum(lane.rates_rps * lane.step_seconds)])
    edges = np.arange(steps + 1) * step_seconds
    return np.diff(np.interp(edges, np.arange(len(so_far)) * lane.step_seconds, so_far))


@compiled
def run_until(state: State, fluid: Fluid, until: float, away: bool) -> None:
    """Runs every lane; `away`: no scrape succeeds (Prometheus is gone)."""
    for lane in range(len(state.lanes)):
        row = state.lanes[lane]
        done = False
        while not done:
            before = min(next_event(state, lane), until)
            while row.next_arrival < before:
                _step(state, fluid, lane, row.next_arrival)
                row.next_arrival += fluid.step_seconds[lane]
            done = settled(state, lane, until, away)


@compiled
def finish(state: State, fluid: Fluid, now: float) -> None:
    """What is still in the replicas is answered."""
    for lane in range(len(state.lanes)):
        for place in range(state.pods.shape[1]):
            pod = state.pods[lane, place]
            if pod.phase not in (ABSENT, GONE) and now - pod.oldest > state.setting[lane].slo:
                _count(state, lane, 0.5 * (pod.oldest + now), pod.present, 0.0)


@compiled
def _step(state: State, fluid: Fluid, lane: int, start: float) -> None:
    row, given = state.lanes[lane], fluid.given[lane]
    number = round(start / fluid.step_seconds[lane])
    came = count(row, ARRIVALS, fluid.expected[lane, number])
    state.bins[lane, int(start / BIN_SECONDS)].arrivals += came
    given[:] = 0.0
    if row.routable == 0:
        _count(state, lane, start, float(came), float(came))
    elif came > 0:
        _route(row, state.routable[lane], given, came)
    for place in range(len(given)):
        if state.pods[lane, place].phase not in (ABSENT, GONE):
            _serve(state, fluid, lane, place, start)


@compiled
def _route(row: Record, routable: Array, given: Array, came: int) -> None:
    """A multinomial draw over the pods that get requests."""
    pods = row.routable
    if came < FEW * pods:
        for _ in range(came):
            given[routable[int(uniform(row, ROUTES) * pods)]] += 1.0
        return
    left = float(came)
    for place in range(pods):
        share = 1.0 / (pods - place)
        drawn = left * share + math.sqrt(left * share * (1.0 - share)) * normal(row, ROUTES)
        part = min(max(math.floor(drawn + 0.5), 0.0), left)
        given[routable[place]] = part
        left -= part


@inlined
def _below(nodes: Array, value: float) -> int:
    """The node below, at most the last but one."""
    low, high = 0, len(nodes) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if nodes[middle] <= value:
            low = middle
        else:
            high = middle
    return low


@compiled
def _serve(state: State, fluid: Fluid, lane: int, place: int, start: float) -> None:
    pod = state.pods[lane, place]
    came = fluid.given[lane, place]
    flow = pod.flow
    flow[:] = 0.0
    pod.flow_until = start + fluid.step_seconds[lane]
    pod.flow_seconds = fluid.step_seconds[lane]
    if came == 0.0 and pod.present == 0.0:
        pod.standing = 0.0
        return
    before, arrived, values = fluid.before[lane], fluid.arrived[lane], fluid.values[lane]
    row, column = _below(before, pod.present), _below(arrived, came)
    # Beyond the last nodes a step can do no more: the rest stays.
    down = min((pod.present - before[row]) / (before[row + 1] - before[row]), 1.0)
    right = min((came - arrived[column]) / (arrived[column + 1] - arrived[column]), 1.0)
    found = np.empty(WITHIN)
    for kind in range(WITHIN):
        upper = values[row, column, kind] * (1.0 - right) + values[row, column + 1, kind] * right
        lower = values[row + 1, column, kind] * (1.0 - right) + values[row + 1, column + 1, kind] * right
        found[kind] = upper * (1.0 - down) + lower * down

    there = pod.present + came
    failed = min(found[FAILED], there)
    drawn = found[COMPLETED] + math.sqrt(found[VARIANCE]) * normal(state.lanes[lane], SERVICE)
    completed = min(max(drawn, 0.0), there - failed)
    after = max(there - completed - failed, 0.0)  # a rounding error below 0 would become NaN
    setting = state.setting[lane]
    executions = min(max(found[EXECUTIONS], completed / setting.max_batch), completed)
    flow[SUCCESS] = flow[INFERENCE] = completed
    flow[FAILURE] = failed
    flow[ARRIVED] = came
    flow[EXECUTION] = executions
    flow[BUSY_SECONDS] = setting.per_item * completed + setting.fixed * executions
    flow[REQUEST_SECONDS] = found[LATENCY]
    flow[CONCURRENCY_SECONDS] = 0.5 * (pod.present + after) * fluid.step_seconds[lane]
    for quantity in range(len(flow)):
        pod.counters[quantity] += flow[quantity]
    if executions > 0.0:
        _execute(state.executed[lane, place], setting, completed / executions, executions)
    late = completed * min(found[LATE] / max(found[COMPLETED], 1e-9), 1.0)
    # First in, first out, as if those in the replica had come evenly since the oldest.
    end = start + fluid.step_seconds[lane]
    oldest = pod.oldest if pod.present > 0.0 else start
    gone = (completed + failed) / there * (end - oldest)
    _count(state, lane, oldest + 0.5 * gone, late + failed, failed)
    pod.oldest = oldest + gone
    pod.present = after
    pod.standing = min(found[STANDING] + max(pod.present - before[-1], 0.0), after)


@inlined
def _execute(executed: Array, setting: Record, mean_size: float, executions: float) -> None:
    """Batches of the two sizes around the mean."""
    below = int(mean_size)
    above = mean_size - below
    for size, share in ((below, 1.0 - above), (min(below + 1, setting.max_batch), above)):
        executed[size, 0] += executions * share
        executed[size, 1] += executions * share * (setting.per_item * size + setting.fixed)


@inlined
def _count(state: State, lane: int, arrived: float, violations: float, failures: float) -> None:
    """Whole requests, in the bin in which they came."""
    row = state.lanes[lane]
    row.violations += violations
    row.failures += failures
    bins = state.bins[lane, int(arrived / BIN_SECONDS)]
    whole = math.floor(row.violations)
    bins.violations += int(whole)
    row.violations -= whole
    whole = math.floor(row.failures)
    bins.failures += int(whole)
    row.failures -= whole
