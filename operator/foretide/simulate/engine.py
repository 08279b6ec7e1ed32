"""Runs lanes from one moment to the next: arrivals, the lives of pods and scrapes in the order of time."""

from __future__ import annotations

from typing import Final

import numpy as np

from foretide.simulate.arriving import at_random, in_turn, least_outstanding, next_arrival, next_recorded
from foretide.simulate.compiled import compiled
from foretide.simulate.fleet import happen, pay, server_of
from foretide.simulate.replica import advance, fail, push, serve
from foretide.simulate.scenario import Routing
from foretide.simulate.scrapes import scrape
from foretide.simulate.state import ABSENT, BIN_SECONDS, NOBODY, State

RANDOM: Final = int(Routing.RANDOM)
ROUND_ROBIN: Final = int(Routing.ROUND_ROBIN)
LEAST_OUTSTANDING: Final = int(Routing.LEAST_OUTSTANDING)


@compiled
def _arrive(state: State, lane: int, until: float) -> bool:
    """All arrivals before a moment; False where the pool of requests is used up."""
    row, setting = state.lanes[lane], state.setting[lane]
    bins, rates, nodes = state.bins[lane], state.rates[lane], state.nodes[lane]
    routable, pods = state.routable[lane], state.pods[lane]
    now = row.next_arrival
    while now < until:
        if row.free == NOBODY:
            row.next_arrival = now
            return False
        bins[int(now / BIN_SECONDS)].arrivals += 1
        if row.routable == 0:
            if setting.routing == RANDOM:
                at_random(row)
            fail(bins, now)
        else:
            # A state that is handed on for each request costs 200 ns of reference counting.
            if setting.routing == RANDOM:
                place = routable[at_random(row)]
            elif setting.routing == ROUND_ROBIN:
                place = routable[in_turn(row)]
            else:
                place = routable[least_outstanding(state, lane, now)]
            pod = pods[place]
            if pod.due <= now:
                serve(server_of(state, lane, place), now)
            push(setting, row, pod, nodes, bins, now)
            if setting.routing == LEAST_OUTSTANDING:
                row.next_change = min(row.next_change, pod.due, pod.next_end)
        now = next_recorded(row, state.recorded[lane]) if setting.recorded else next_arrival(setting, row, rates, now)
    row.next_arrival = now
    return True


@compiled
def _find_next_event(state: State, lane: int) -> float:
    soonest = np.inf
    for place in range(state.lanes[lane].places):
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
    for place in range(state.lanes[lane].places):
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
        for pod in range(state.lanes[lane].places):
            if state.pods[lane, pod].phase != ABSENT:
                advance(server_of(state, lane, pod), now)
