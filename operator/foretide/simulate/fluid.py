"""The coarse fidelity: what replicas do in steps of a second or of the SLO, over the same pods, scrapes and policies.

Requests come and are routed one by one, with the same random numbers as in the fine fidelity, so that both run the same
load. What a step does to a replica is looked up by how many are in it and how many come (`fluid_table`, made of watched
steps of the fine fidelity).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from foretide.simulate.arriving import at_random, begin_arrivals, next_arrival
from foretide.simulate.compiled import compiled, inlined
from foretide.simulate.engine import next_event, settled
from foretide.simulate.fluid_columns import (
    COMPLETED,
    CONCURRENCY,
    EXECUTIONS,
    FAILED,
    KINDS,
    LATE,
    LATENCY,
    STEPS_SECONDS,
    VARIANCE,
    step_of,
)
from foretide.simulate.fluid_lookup import look_up
from foretide.simulate.fluid_table import Table
from foretide.simulate.scenario import Lane, Routing
from foretide.simulate.state import (
    ABSENT,
    ARRIVED,
    BIN_SECONDS,
    BUSY_SECONDS,
    CONCURRENCY_SECONDS,
    EXECUTION,
    FAILURE,
    GONE,
    INFERENCE,
    REQUEST_SECONDS,
    SERVICE,
    SUCCESS,
    Array,
    Record,
    State,
)
from foretide.simulate.streams import normal, uniform

# A queue of more batches is a long one.
LONG_BATCHES: Final = 2


class Fluid(NamedTuple):
    """Of each lane: its table, and how far it is."""

    step_seconds: Array  # [lanes]
    begins_seconds: Array  # [lanes]: when the next step begins
    # Requests that a replica got until each step began, [lanes, steps + 1]: what is in a replica came one after the
    # other, at the pace of this curve.
    so_far: Array
    given: Array  # [lanes, pods]: requests of the step that begins
    table: Array  # [lanes]: which one
    there: Array  # [tables, rows]: requests in the replica when a step begins, ascending
    total: Array  # [tables, columns]: these and those that come in it, ascending
    values: Array  # [tables, rows, columns, kinds of `fluid_table`]
    waiting: Array  # [tables, rows - 1, columns - 1, kept]
    after: Array  # [tables, rows - 1, columns - 1, kept]: requests that were expected to be there with those
    sizes: Array  # [tables, rows - 1, columns - 1, kept, max batch + 1]
    found: Array  # [kinds]: room for one look into a table


def check(lanes: Sequence[Lane]) -> None:
    """Raises ValueError for a lane that the fluid cannot run."""
    for lane in lanes:
        # The more replicas share the arrivals, the less bursty are those of each, and the table is of one; even for one
        # a table that is fitted to bursty arrivals is 2.5 points of the violations off at a cv of 2.
        if lane.arrival_cv != 1.0:
            raise ValueError(f"{lane.name} has an arrival_cv of {lane.arrival_cv:g}: the fluid's arrivals are Poisson")
        if lane.arrival_times is not None:
            raise ValueError(f"{lane.name} has recorded arrivals: the fluid's are Poisson")
        if lane.queue.limited and lane.queue.timeout_seconds > lane.slo_latency_seconds:
            raise ValueError(
                f"{lane.name} has a queue that refuses, but not what is late (its timeout is "
                f"{lane.queue.timeout_seconds:g} s, the SLO {lane.slo_latency_seconds:g} s): the fluid knows none of "
                f"these, arrivals do"
            )
        if lane.slo_latency_seconds > STEPS_SECONDS[-1]:
            raise ValueError(
                f"{lane.name} has an SLO of {lane.slo_latency_seconds:g} s: that of the fluid is at most "
                f"{STEPS_SECONDS[-1]:g} s, its longest step; arrivals know any"
            )
        if lane.routing is not Routing.RANDOM:
            raise ValueError(f"{lane.name} routes by {lane.routing.name}: the fluid routes at random")


def build(lanes: Sequence[Lane], state: State, tables: Sequence[Table]) -> Fluid:
    """With one table a lane, before any arrival; the lanes have been checked."""
    begin_arrivals(state)
    step_seconds = [step_of(lane.slo_latency_seconds) for lane in lanes]
    steps = max(math.ceil(lane.seconds / step) for lane, step in zip(lanes, step_seconds, strict=True))
    different = list(dict.fromkeys(tables))
    sizes = np.zeros((len(different), *different[0].sizes.shape[:-1], state.executed.shape[2]), dtype=np.uint16)
    for row, table in enumerate(different):
        sizes[row, ..., : table.sizes.shape[-1]] = table.sizes
    return Fluid(
        step_seconds=np.array(step_seconds),
        begins_seconds=np.zeros(len(lanes)),
        so_far=np.zeros((len(lanes), steps + 1)),
        given=np.zeros(state.pods.shape, dtype=np.float64),
        table=np.array([different.index(table) for table in tables]),
        there=np.array([table.grid.there for table in different]),
        total=np.array([table.grid.total for table in different]),
        values=np.array([table.values for table in different]),
        waiting=np.array([table.waiting for table in different]),
        after=np.array([table.after for table in different]),
        sizes=sizes,
        found=np.zeros(KINDS),
    )


@compiled
def run_until(state: State, fluid: Fluid, until: float, away: bool) -> None:
    """Runs every lane; `away`: no scrape succeeds (Prometheus is gone)."""
    for lane in range(len(state.lanes)):
        done = False
        while not done:
            before = min(next_event(state, lane), until)
            # What happens to pods in the first half of a step is as if it had happened before, the rest as if after it.
            while fluid.begins_seconds[lane] + 0.5 * fluid.step_seconds[lane] < before:
                _step(state, fluid, lane)
            done = settled(state, lane, until, away)


@compiled
def finish(state: State, fluid: Fluid, now: float) -> None:
    """What is still in the replicas is answered."""
    for lane in range(len(state.lanes)):
        row, bins = state.lanes[lane], state.bins[lane]
        so_far, step_seconds = fluid.so_far[lane], fluid.step_seconds[lane]
        for place in range(row.places):
            pod = state.pods[lane, place]
            if pod.phase not in (ABSENT, GONE) and pod.present > 0.0:
                oldest = _arrived_seconds(so_far, step_seconds, pod.oldest_step, len(so_far) - 1, pod.oldest)
                if now - oldest > state.setting[lane].slo:
                    _count_all(row, bins, pod, so_far, step_seconds)
        _count(row, bins, now - 0.5 * BIN_SECONDS, 0.0, 0.0)  # what a crash left


@compiled
def _step(state: State, fluid: Fluid, lane: int) -> None:
    row, setting, given = state.lanes[lane], state.setting[lane], fluid.given[lane]
    rates, bins = state.rates[lane], state.bins[lane]
    routable = state.routable[lane]
    start, step_seconds = fluid.begins_seconds[lane], fluid.step_seconds[lane]
    number = round(start / step_seconds)
    fluid.begins_seconds[lane] = (number + 1) * step_seconds
    given[:] = 0.0
    came = 0
    now = row.next_arrival
    while now < fluid.begins_seconds[lane]:
        place = at_random(row)
        if row.routable > 0:
            given[routable[place]] += 1.0
        came += 1
        now = next_arrival(setting, row, rates, now)
    row.next_arrival = now
    bins[int(start / BIN_SECONDS)].arrivals += came  # steps divide the bins
    fluid.so_far[lane, number + 1] = fluid.so_far[lane, number]
    if row.routable > 0:
        fluid.so_far[lane, number + 1] += came / row.routable
    else:
        _count(row, bins, start, float(came), float(came))
    _serve(state, fluid, lane, number)


@inlined
def _arrived_seconds(so_far: Array, step_seconds: float, first: int, end: int, requests: float) -> float:
    """When a replica had got so many requests, by how many it had got until each step began; looked for from the first
    step on, up to the end."""
    step = first
    while step < end - 1 and so_far[step + 1] <= requests:
        step += 1
    pace = so_far[step + 1] - so_far[step]
    within = min(max((requests - so_far[step]) / pace, 0.0), 1.0) if pace > 0.0 else 1.0
    return float((step + within) * step_seconds)


@compiled
def _serve(state: State, fluid: Fluid, lane: int, number: int) -> None:
    """A step of every pod of the lane. What it calls for each gets no more than it needs: each array is counted."""
    row, setting, table = state.lanes[lane], state.setting[lane], fluid.table[lane]
    rows, columns, values, found = fluid.there[table], fluid.total[table], fluid.values[table], fluid.found
    step_seconds, so_far, bins = fluid.step_seconds[lane], fluid.so_far[lane], state.bins[lane]
    for place in range(row.places):
        pod, came = state.pods[lane, place], fluid.given[lane, place]
        if pod.phase in (ABSENT, GONE):
            continue
        flow = pod.flow
        flow[:] = 0.0
        pod.flow_until = (number + 1) * step_seconds
        pod.flow_seconds = step_seconds
        pod.standing = 0
        if came == 0.0 and pod.present == 0.0:
            continue
        if pod.present == 0.0:
            pod.oldest, pod.oldest_step = so_far[number], number
        if came > 0.0:
            pod.newest = so_far[number + 1]
        field = look_up(rows, columns, values, found, pod.present, came)
        there = pod.present + came
        beyond = max(pod.present - rows[-1], 0.0)
        more = max(there - beyond - columns[-1], 0.0)
        refused = found[FAILED]
        if setting.timeout < math.inf:  # what a step cannot serve does not wait for the next one
            refused += beyond + more
        failed = min(refused, there)
        drawn = found[COMPLETED] + math.sqrt(found[VARIANCE]) * normal(row, SERVICE)
        completed = min(max(drawn, 0.0), there - failed)
        after = max(there - completed - failed, 0.0)  # a rounding error below 0 would become NaN

        # First in, first out.
        gone = (completed + failed) / there * (pod.newest - pod.oldest)
        middle = _arrived_seconds(so_far, step_seconds, pod.oldest_step, number + 1, pod.oldest + 0.5 * gone)
        late = completed * min(found[LATE] / max(found[COMPLETED], 1e-9), 1.0)
        _count(row, bins, middle, late + failed, failed)
        executions = min(max(found[EXECUTIONS], completed / setting.max_batch), completed)
        flow[SUCCESS] = flow[INFERENCE] = completed
        flow[FAILURE] = failed
        flow[ARRIVED] = came
        flow[EXECUTION] = executions
        flow[BUSY_SECONDS] = setting.per_item * completed + setting.fixed * executions
        # The table of latencies ends where its queue does: beyond, they follow from when those that are answered came.
        is_long = beyond > 0.0 and setting.timeout == math.inf
        flow[REQUEST_SECONDS] = completed * ((number + 0.5) * step_seconds - middle) if is_long else found[LATENCY]
        extra_seconds = (beyond + 0.5 * more) * step_seconds
        if setting.timeout < math.inf:
            extra_seconds = min(extra_seconds, (beyond + more) * setting.timeout)
        flow[CONCURRENCY_SECONDS] = found[CONCURRENCY] + extra_seconds
        for quantity in range(len(flow)):
            pod.counters[quantity] += flow[quantity]
        _forget(pod, so_far, number, gone)
        pod.present = after
        kept = int(uniform(row, SERVICE) * fluid.waiting.shape[3])
        watched = fluid.waiting[table, field[0], field[1], kept], fluid.after[table, field[0], field[1], kept]
        pod.standing = _standing(setting, watched, there, there - found[COMPLETED] - failed)
        if completed >= 0.5:
            _execute(state.executed[lane, place], setting, fluid.sizes[table, field[0], field[1], kept])


@inlined
def _forget(pod: Record, so_far: Array, number: int, gone: float) -> None:
    """So many requests of the pace of all replicas are gone, first in, first out."""
    pod.oldest += gone
    while pod.oldest_step < number and so_far[pod.oldest_step + 1] <= pod.oldest:
        pod.oldest_step += 1


@inlined
def _standing(setting: Record, watched: tuple[float, float], there: float, expected: float) -> int:
    """Requests that wait. A short queue is one that was watched; a long one differs from it as what is expected in the
    replica does (not what is drawn: the noise of a step is in what was watched)."""
    waiting, watched_expected = watched
    if expected > LONG_BATCHES * setting.max_batch * setting.instances:
        waiting += expected - watched_expected
    return max(math.floor(min(waiting, there) + 0.5), 0)


@compiled
def _count_all(row: Record, bins: Array, pod: Record, so_far: Array, step_seconds: float) -> None:
    """What a replica has is late, each request in the bin in which it came."""
    whole = pod.newest - pod.oldest
    if whole <= 0.0:
        _count(row, bins, (pod.oldest_step + 0.5) * step_seconds, pod.present, 0.0)
        return
    step, begin = pod.oldest_step, pod.oldest
    while begin < pod.newest and step < len(so_far) - 1:
        end = min(so_far[step + 1], pod.newest)
        if end > begin:
            _count(row, bins, (step + 0.5) * step_seconds, pod.present * (end - begin) / whole, 0.0)
            begin = end
        step += 1


@inlined
def _execute(executed: Array, setting: Record, batches: Array) -> None:
    """Batches of each size."""
    for size in range(1, setting.max_batch + 1):
        executed[size, 0] += batches[size]
        executed[size, 1] += batches[size] * (setting.per_item * size + setting.fixed)


@inlined
def _count(row: Record, bins: Array, arrived: float, violations: float, failures: float) -> None:
    """Whole requests, in the bin in which they came."""
    row.violations += violations
    row.failures += failures
    place = int(arrived / BIN_SECONDS)
    whole = math.floor(row.violations)
    bins[place].violations += int(whole)
    row.violations -= whole
    whole = math.floor(row.failures)
    bins[place].failures += int(whole)
    row.failures -= whole
