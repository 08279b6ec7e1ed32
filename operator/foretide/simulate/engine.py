"""Runs lanes from one moment to the next: arrivals, the lives of pods and scrapes in the order of time."""

from __future__ import annotations

from typing import Final

import numpy as np

from foretide.simulate.compiled import compiled, inlined
from foretide.simulate.fleet import happen, pay, server_of
from foretide.simulate.replica import advance, fail, push, serve
from foretide.simulate.scenario import Routing
from foretide.simulate.scrapes import scrape
from foretide.simulate.state import ABSENT, ARRIVALS, BIN_SECONDS, NOBODY, ROUTES, Array, Record, State
from foretide.simulate.streams import interval, uniform

ROUND_ROBIN: Final = int(Routing.ROUND_ROBIN)
LEAST_OUTSTANDING: Final = int(Routing.LEAST_OUTSTANDING)


@inlined
def _next_arrival(setting: Record, lane: Record, rates: Array, recorded: Array, after: float) -> float:
    """The arrival after one: as recorded, or a renewal process in operational time, in which the rate is always 1."""
    if setting.recorded:
        lane.step += 1
        return recorded[lane.step - 1]  # type: ignore[no-any-return]
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
def _advance_routable(state: State, lane: int, routable: Array, pods: Array, now: float) -> float:
    """Brings every pod that gets requests up to now; when one of them changes next."""
    soonest = np.inf
    for place in range(state.lanes[lane].routable):
        pod = routable[place]
        row = pods[pod]
        if row.due <= now or row.next_end <= now:
            advance(server_of(state, lane, pod), now)
        soonest = min(soonest, row.due, row.next_end)
    return soonest


@inlined
def _least_outstanding(routable: Array, pods: Array, count: int, place: int) -> int:
    """Ties go to whoever comes first from a random place on."""
    best = routable[place]
    fewest = pods[best].waiting + pods[best].running
    for _ in range(count - 1):
        if fewest == 0:
            break
        place = place + 1 if place + 1 < count else 0
        pod = routable[place]
        has = pods[pod].waiting + pods[pod].running
        if has < fewest:
            best, fewest = pod, has
    return int(best)


@inlined
def _target(state: State, lane: int, row: Record, routable: Array, pods: Array, now: float) -> int:
    """The pod that gets the next request."""
    routing = state.setting[lane].routing
    count = row.routable
    if count == 1:
        return int(routable[0])
    if routing == ROUND_ROBIN:
        row.turn += 1
        return int(routable[row.turn % count])
    place = int(uniform(row, ROUTES) * count)
    if routing == LEAST_OUTSTANDING:
        if row.next_change <= now:
            row.next_change = _advance_routable(state, lane, routable, pods, now)
        return _least_outstanding(routable, pods, count, place)
    return int(routable[place])


@compiled
def _arrive(state: State, lane: int, until: float) -> bool:
    """All arrivals before a moment; False where the pool of requests is used up."""
    row, setting = state.lanes[lane], state.setting[lane]
    bins, rates, recorded, nodes = state.bins[lane], state.rates[lane], state.recorded[lane], state.nodes[lane]
    routable, pods = state.routable[lane], state.pods[lane]
    now = row.next_arrival
    while now < until:
        if row.free == NOBODY:
            row.next_arrival = now
            return False
        bins[int(now / BIN_SECONDS)].arrivals += 1
        if row.routable == 0:
            fail(bins, now)
        else:
            place = _target(state, lane, row, routable, pods, now)
            pod = pods[place]
            if pod.due <= now:
                serve(server_of(state, lane, place), now)
            push(setting, row, pod, nodes, bins, now)
            row.next_change = min(row.next_change, pod.due, pod.next_end)
        now = _next_arrival(setting, row, rates, recorded, now)
    row.next_arrival = now
    return True


@compiled
def _find_next_event(state: State, lane: int) -> float:
    soonest = np.inf
    for place in range(state.pods.shape[1]):
        pod = state.pods[lane, place]
        if pod.phase != ABSENT:
            soonest = min(soonest, pod.next_event, pod.next_scrape)
    return soonest


@compiled
def next_event(state: State, lane: int) -> float:
    """When something happens to a pod of the lane."""
    row = state.lanes[lane]
    if row.next_event == -np.inf:
        row.next_event = _find_next_event(state, lane)
    return row.next_event  # type: ignore[no-any-return]


@compiled
def _happen(state: State, lane: int, now: float, away: bool) -> None:
    """All that happens to the pods of the lane at that moment."""
    state.lanes[lane].next_change = -np.inf
    for place in range(state.pods.shape[1]):
        pod = state.pods[lane, place]
        if pod.phase != ABSENT and pod.next_event <= now:
            happen(state, lane, place, now)
        if pod.phase != ABSENT and pod.next_scrape <= now:
            scrape(state, lane, place, now, away)
            pod.next_scrape = now + state.setting[lane].scrape


@compiled
def settled(state: State, lane: int, until: float, away: bool) -> bool:
    """Where all arrivals before it are served: the next event of the lane, or its bill if none is left until then."""
    row = state.lanes[lane]
    if row.next_event <= until:
        _happen(state, lane, row.next_event, away)
        row.next_event = -np.inf
        return False
    pay(row, until)
    return True


@compiled
def begin_arrivals(state: State) -> None:
    """Draws the first arrival of every lane."""
    for lane in range(len(state.lanes)):
        row = state.lanes[lane]
        row.next_arrival = _next_arrival(state.setting[lane], row, state.rates[lane], state.recorded[lane], 0.0)


@compiled
def run_until(state: State, until: float, away: bool) -> bool:
    """Runs every lane; False where a pool was used up: then it has to be called again with a larger one.

    `away`: no scrape succeeds (Prometheus is gone).
    """
    complete = True
    for lane in range(len(state.lanes)):
        done = False
        while not done:
            if not _arrive(state, lane, min(next_event(state, lane), until)):
                complete = False
                break
            done = settled(state, lane, until, away)
    return complete


@compiled
def answer_until(state: State, now: float) -> None:
    """Answers what is ready by then; inf where no arrival and no end of a pod comes any more."""
    for lane in range(len(state.lanes)):
        for pod in range(state.pods.shape[1]):
            if state.pods[lane, pod].phase != ABSENT:
                advance(server_of(state, lane, pod), now)
