"""When the next request comes and which pod gets it: the same for both fidelities, so that they run the same load."""

from __future__ import annotations

import numpy as np

from foretide.simulate.compiled import compiled, inlined
from foretide.simulate.fleet import server_of
from foretide.simulate.replica import advance
from foretide.simulate.state import ARRIVALS, ROUTES, Array, Record, State
from foretide.simulate.streams import interval, uniform


@inlined
def next_recorded(lane: Record, recorded: Array) -> float:
    """The arrival after the last one."""
    lane.step += 1
    return recorded[lane.step - 1]  # type: ignore[no-any-return]


@inlined
def next_arrival(setting: Record, lane: Record, rates: Array, after: float) -> float:
    """The arrival after one: a renewal process in operational time, in which the rate is always 1."""
    left = interval(lane, ARRIVALS, setting.arrival_cv)
    step = lane.step
    now = after
    while step < len(rates):
        rate = rates[step]
        end = (step + 1) * setting.step_seconds
        if rate > 0.0:
            if now + left / rate < end:
                lane.step = step
                return now + left / rate  # type: ignore[no-any-return]
            left -= (end - now) * rate
        now = end
        step += 1
    lane.step = step
    return np.inf


@inlined
def in_turn(row: Record) -> int:
    """The place of the pod that is next by round robin."""
    if row.routable == 1:
        return 0
    row.turn += 1
    return int(row.turn % row.routable)


@inlined
def at_random(row: Record) -> int:
    """The place of any pod.

    One draw for each request, also where there is one pod or none: lanes that differ in pods for a moment go on alike.
    """
    return int(uniform(row, ROUTES) * row.routable)


@compiled
def least_outstanding(state: State, lane: int, now: float) -> int:
    """The place of the pod with the fewest requests; ties go to whoever comes first from a random place on."""
    row, routable, pods = state.lanes[lane], state.routable[lane], state.pods[lane]
    if row.routable == 1:
        return 0
    if row.next_change <= now:
        row.next_change = _advance_routable(state, lane, now)
    place = at_random(row)
    best = place
    fewest = pods[routable[place]].waiting + pods[routable[place]].running
    for _ in range(row.routable - 1):
        if fewest == 0:
            break
        place = place + 1 if place + 1 < row.routable else 0
        has = pods[routable[place]].waiting + pods[routable[place]].running
        if has < fewest:
            best, fewest = place, has
    return int(best)


@compiled
def _advance_routable(state: State, lane: int, now: float) -> float:
    """Brings every pod that gets requests up to now; when one of them changes next."""
    soonest = np.inf
    for place in range(state.lanes[lane].routable):
        pod = state.routable[lane, place]
        row = state.pods[lane, pod]
        if row.due <= now or row.next_end <= now:
            advance(server_of(state, lane, pod), now)
        soonest = min(soonest, row.due, row.next_end)
    return soonest


@compiled
def begin_arrivals(state: State) -> None:
    """Draws the first arrival of every lane."""
    for lane in range(len(state.lanes)):
        row, setting = state.lanes[lane], state.setting[lane]
        if setting.recorded:
            row.next_arrival = next_recorded(row, state.recorded[lane])
        else:
            row.next_arrival = next_arrival(setting, row, state.rates[lane], 0.0)


@compiled
def begin_again(state: State, lane: int, now: float) -> None:
    """Draws the next arrival anew, after the rates have changed; of Poisson arrivals, which remember nothing."""
    row, setting = state.lanes[lane], state.setting[lane]
    row.step = int(now / setting.step_seconds)
    row.next_arrival = next_arrival(setting, row, state.rates[lane], now)
