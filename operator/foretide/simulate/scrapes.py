"""What Prometheus has of the pods, and what it makes of a query; what Triton's statistics have gained."""

from __future__ import annotations

from typing import Final

import numpy as np

from foretide.scaling.lag import EXTRAPOLATED_INTERVALS
from foretide.simulate.compiled import compiled
from foretide.simulate.fleet import server_of
from foretide.simulate.replica import advance, present_seconds
from foretide.simulate.state import (
    ABSENT,
    CONCURRENCY_SECONDS,
    GONE,
    KEPT_SAMPLES,
    PENDING,
    QUANTITIES,
    SCRAPES,
    Array,
    State,
)
from foretide.simulate.streams import uniform

# In the order of `policy.Over`.
NEWEST, RATE, DERIV, AVERAGE, MAXIMUM, AGE = range(6)
STALENESS_SECONDS: Final = 300.0


@compiled
def scrape(state: State, lane: int, place: int, now: float, away: bool) -> None:
    """One scrape of one pod, unless it fails."""
    lost = uniform(state.lanes[lane], SCRAPES) < state.setting[lane].lost_scrapes
    if away:
        return
    pod = state.pods[lane, place]
    pod.stale = 1 if lost else 0  # a scrape that fails ends the series, until the next one
    if lost:
        return
    server = server_of(state, lane, place)
    advance(server, now)
    pod = server.pod
    row = pod.sampled % KEPT_SAMPLES
    state.sample_times[lane, place, row] = now
    sample = state.samples[lane, place, row]
    # The counters of the fluid are those at the end of its step.
    ahead = (pod.flow_until - now) / pod.flow_seconds if pod.flow_until > now else 0.0
    for quantity in range(QUANTITIES):
        sample[quantity] = pod.counters[quantity] - pod.flow[quantity] * ahead
    sample[PENDING] = pod.waiting + pod.standing
    # What is in the pod has been there since its arrival.
    sample[CONCURRENCY_SECONDS] += present_seconds(server, now)
    pod.sampled += 1


@compiled
def _rate(times: Array, values: Array, count: int, start: float, end: float) -> float:
    """`rate()` of a counter as `extrapolatedRate` in prometheus/promql/functions.go computes it."""
    change = 0.0
    for place in range(1, count):
        step = values[place] - values[place - 1]
        change += values[place] if step < 0.0 else step
    covered = times[count - 1] - times[0]
    interval = covered / (count - 1)
    to_start, to_end = times[0] - start, end - times[count - 1]
    if to_start >= interval * EXTRAPOLATED_INTERVALS:
        to_start = interval / 2.0
    if change > 0.0 and values[0] >= 0.0:
        to_start = min(to_start, covered * (values[0] / change))  # a counter was never below 0
    if to_end >= interval * EXTRAPOLATED_INTERVALS:
        to_end = interval / 2.0
    return float(change * ((covered + to_start + to_end) / covered) / (end - start))


@compiled
def _slope(times: Array, values: Array, count: int) -> float:
    """`deriv()`: simple linear regression."""
    mean_time = times[:count].sum() / count
    mean = values[:count].sum() / count
    above = 0.0
    below = 0.0
    for place in range(count):
        above += (times[place] - mean_time) * (values[place] - mean)
        below += (times[place] - mean_time) ** 2
    return float(above / below) if below > 0.0 else 0.0


@compiled
def _answer(times: Array, values: Array, count: int, function: int, start: float, now: float) -> float:
    if function == NEWEST and count > 0:
        return values[count - 1]  # type: ignore[no-any-return]
    if function == AGE and count > 0:
        return now - times[count - 1]  # type: ignore[no-any-return]
    if function == RATE and count > 1:
        return _rate(times, values, count, start, now)
    if function == DERIV and count > 1:
        return _slope(times, values, count)
    if function == AVERAGE and count > 0:
        return values[:count].sum() / count  # type: ignore[no-any-return]
    if function == MAXIMUM and count > 0:
        return values[:count].max()  # type: ignore[no-any-return]
    return np.nan


@compiled
def evaluate(
    state: State, now: float, ended: bool, quantities: Array, functions: Array, windows: Array, answers: Array
) -> None:
    """Answers queries for every pod that exists, or that has ended, in the order of lanes and pods; NaN where there is
    no answer.

    `answers` is [queries, rows]. A window is open at its start, as in Prometheus 3.
    """
    times = np.zeros(KEPT_SAMPLES)
    values = np.zeros(KEPT_SAMPLES)
    row = 0
    for lane in range(len(state.lanes)):
        for place in range(state.lanes[lane].places):
            pod = state.pods[lane, place]
            if pod.phase == ABSENT or (pod.phase == GONE) != ended:
                continue
            for query in range(len(quantities)):
                function = functions[query]
                instant = function in (NEWEST, AGE)
                if instant and (ended or pod.stale):
                    answers[query, row] = np.nan
                    continue
                start = now - (STALENESS_SECONDS if instant else windows[query])
                count, least = 0, max(pod.sampled - KEPT_SAMPLES, 0)
                oldest = pod.sampled  # most windows are much shorter than what is kept
                while oldest > least and state.sample_times[lane, place, (oldest - 1) % KEPT_SAMPLES] > start:
                    oldest -= 1
                for number in range(oldest, pod.sampled):
                    times[count] = state.sample_times[lane, place, number % KEPT_SAMPLES]
                    values[count] = state.samples[lane, place, number % KEPT_SAMPLES, quantities[query]]
                    count += 1
                answers[query, row] = _answer(times, values, count, function, start, now)
            row += 1


@compiled
def increases(state: State, before: Array, rows: Array) -> int:
    """What the executions of each batch size and their seconds have grown by; a restarted container counts from 0.

    Fills `rows` (lane, batch size, executions, seconds) where there are any, in the order of lanes and pods, and tells
    how many; `before`, [lanes, pods, sizes, 2], becomes what it is now.
    """
    count = 0
    for lane in range(len(state.lanes)):
        for place in range(state.lanes[lane].places):
            old, new = before[lane, place], state.executed[lane, place]
            restarted = False
            for size in range(len(new)):
                restarted = restarted or new[size, 0] < old[size, 0]
            for size in range(len(new)):
                executions, seconds = new[size, 0], new[size, 1]
                if not restarted:
                    executions -= old[size, 0]
                    seconds -= old[size, 1]
                if executions > 0.0:
                    rows[0, count] = lane
                    rows[1, count] = size
                    rows[2, count] = executions
                    rows[3, count] = seconds
                    count += 1
                old[size, 0], old[size, 1] = new[size, 0], new[size, 1]
    return count
