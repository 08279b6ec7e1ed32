"""Runs a policy over lanes: the loop of the operator in virtual time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from foretide.scaling.arrays import Ints
from foretide.scaling.policy import Answer, AnyPolicy, Over, Past
from foretide.scaling.readings import Readings
from foretide.simulate import fidelity as fidelities
from foretide.simulate import fleet
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.observe import Observer, longest_window_seconds, phases
from foretide.simulate.outcome import Latencies, Outcome, Timeline
from foretide.simulate.scenario import Conditions, Lane, Outage
from foretide.simulate.sharing import Sharing
from foretide.simulate.state import (
    BIN_SECONDS,
    READY,
    RESTARTING,
    ROUTABLE,
    STARTING,
    State,
    build,
)

# Monday, 2024-01-01, 00:00 UTC: traces have no date, and policies may know hours and weekdays.
EPOCH_SECONDS = 1_704_067_200.0


def simulate(
    policy: AnyPolicy,
    lanes: Sequence[Lane],
    *,
    conditions: Conditions,
    past: Past | None = None,
    warm_up_seconds: float = 0.0,
    fidelity: Fidelity = Fidelity.ARRIVALS,
    epoch_seconds: float = EPOCH_SECONDS,
    progress: Callable[[float], None] = lambda share: None,
    decided: Callable[[float, Answer[Any]], None] | None = None,
) -> list[Outcome]:
    """The same lanes, seeds and policy give the same outcome, bit for bit.

    The warm-up is the beginning of the rates: it is run and not counted. The Unix time at which the lanes begin is for
    policies that know hours and days. `decided` is told each answer, those of the warm-up included, and the seconds
    since the lanes began. Raises ValueError for a policy that asks for a longer window than the samples that are kept,
    for answers out of a lane's bounds, and for lanes that the fluid cannot run.
    """
    _check(policy, lanes, conditions, warm_up_seconds)
    horizon = lanes[0].seconds
    remembered = max((query.window_seconds for query in policy.queries), default=0.0)
    state = build(lanes, conditions, counted_from_seconds=warm_up_seconds, remembered_seconds=remembered)
    observer = Observer(lanes, policy.queries, epoch_seconds=epoch_seconds)
    replicas = np.array([lane.initial_replicas for lane in lanes], dtype=np.int64)
    fleet.scale_all(state, replicas, 0.0, True)
    sharing = Sharing(lanes)
    running = fidelities.begin(fidelity, state, lanes)
    sharing.divide(state, 0.0)
    known = past if past is not None else nothing_known(len(lanes), end_seconds=epoch_seconds)
    memory = policy.start(known)
    watch = _Watch(len(lanes), math.ceil(horizon / BIN_SECONDS))
    reasons: list[Counter[str]] = [Counter() for _ in lanes]
    events = np.zeros(len(lanes), dtype=np.int64)
    paid_before = np.zeros(len(lanes))

    moments = _moments(policy.tick_seconds, horizon, warm_up_seconds, conditions.outages)
    away = _is_away(conditions, 0.0)
    for number, (now, is_tick, is_bin) in enumerate(moments):
        running.run_until(now, away=away)
        away = _is_away(conditions, now)
        state = running.state
        sharing.divide(state, now)
        if now == warm_up_seconds:
            paid_before = state.lanes["pod_seconds"].copy()
        if is_tick and now < horizon:
            answer = policy.decide(observer.see(state, replicas, now, away=away), memory)
            memory = answer.memory
            _check_answer(answer.desired, lanes)
            if decided is not None:
                decided(now, answer)
            changed = answer.desired != replicas
            if now >= warm_up_seconds:
                events += changed
                for row in range(len(lanes)):
                    reasons[row][answer.reason(row)] += 1
            if changed.any():
                replicas = answer.desired.astype(np.int64)
                fleet.scale_all(state, replicas, now, False)
        if is_bin:
            watch.look(state, replicas, round(now / BIN_SECONDS) - 1)
        if number % 64 == 0:
            progress(now / horizon)
    running.finish(horizon)
    progress(1.0)
    first = round(warm_up_seconds / BIN_SECONDS)
    return [
        _outcome(lane, row, state, watch, first, paid_before[row], int(events[row]), dict(reasons[row]))
        for row, lane in enumerate(lanes)
    ]


def nothing_known(services: int, *, end_seconds: float) -> Past:
    """The past of services that are new, until they begin."""
    empty = np.zeros((services, 0))
    return Past(demand=Readings(value=empty, known=empty.astype(np.bool_)), step_seconds=60.0, end_seconds=end_seconds)


class _Watch:
    """The fleet at the end of each 15 s."""

    def __init__(self, lanes: int, bins: int) -> None:
        self.ready = np.zeros((lanes, bins), dtype=np.int64)
        self.starting = np.zeros((lanes, bins), dtype=np.int64)
        self.desired = np.zeros((lanes, bins), dtype=np.int64)

    def look(self, state: State, replicas: Ints, place: int) -> None:
        phase = phases(state)
        self.ready[:, place] = ((phase == READY) | (phase == ROUTABLE)).sum(axis=1)
        self.starting[:, place] = ((phase == STARTING) | (phase == RESTARTING)).sum(axis=1)
        self.desired[:, place] = replicas


def _is_away(conditions: Conditions, now: float) -> bool:
    """From then on, until the next moment: outages begin and end at moments."""
    return any(outage.start_seconds <= now < outage.end_seconds for outage in conditions.outages)


def _moments(
    tick_seconds: float, horizon: float, warm_up_seconds: float, outages: Sequence[Outage]
) -> list[tuple[float, bool, bool]]:
    """(time, whether the policy is asked, whether 15 s end) in the order of time."""
    ticks = {round(number * tick_seconds, 6) for number in range(math.ceil(horizon / tick_seconds))}
    bins = {number * BIN_SECONDS for number in range(1, math.ceil(horizon / BIN_SECONDS) + 1)}
    edges = {edge for outage in outages for edge in (outage.start_seconds, outage.end_seconds) if 0.0 <= edge < horizon}
    moments = sorted(ticks | bins | edges | {warm_up_seconds, horizon})
    return [(now, now in ticks, now in bins) for now in moments]


def _outcome(
    lane: Lane,
    row: int,
    state: State,
    watch: _Watch,
    first: int,
    paid_before: float,
    events: int,
    reasons: dict[str, int],
) -> Outcome:
    last = watch.ready.shape[1]
    bins = state.bins[row, first:last]
    return Outcome(
        lane=lane,
        requests=int(bins["arrivals"].sum()),
        violations=int(bins["violations"].sum()),
        failures=int(bins["failures"].sum()),
        replica_seconds=float(state.lanes["pod_seconds"][row] - paid_before),
        scale_events=events,
        latencies=Latencies(state.latencies[row].copy()),
        timeline=Timeline(
            arrivals=bins["arrivals"].copy(),
            violations=bins["violations"].copy(),
            failures=bins["failures"].copy(),
            ready=watch.ready[row, first:].copy(),
            starting=watch.starting[row, first:].copy(),
            desired=watch.desired[row, first:].copy(),
        ),
        reasons=reasons,
    )


def _check_answer(desired: Ints, lanes: Sequence[Lane]) -> None:
    for value, lane in zip(desired.tolist(), lanes, strict=True):
        least, most = lane.min_replicas, lane.max_replicas
        if not least <= value <= most or value != int(value):
            raise ValueError(f"desired of {lane.name} is {value}, must be whole and from {least} to {most}")


def _check(policy: AnyPolicy, lanes: Sequence[Lane], conditions: Conditions, warm_up_seconds: float) -> None:
    if not lanes:
        raise ValueError("there must be at least one lane")
    if len({lane.seconds for lane in lanes}) > 1:
        raise ValueError("all lanes of a run must be of one length in seconds")
    if lanes[0].seconds % BIN_SECONDS:
        raise ValueError(f"lanes must last for a multiple of {BIN_SECONDS:g} s, not {lanes[0].seconds:g} s")
    if warm_up_seconds % BIN_SECONDS or warm_up_seconds >= lanes[0].seconds:
        raise ValueError(
            f"warm_up_seconds must be a multiple of {BIN_SECONDS:g} below the {lanes[0].seconds:g} s of the lanes, "
            f"not {warm_up_seconds:g}"
        )
    if not policy.tick_seconds > 0.0:
        raise ValueError(f"tick_seconds must be above 0, not {policy.tick_seconds:g}")
    longest = longest_window_seconds(scrape_seconds=conditions.scrape_seconds)
    for query in policy.queries:
        if query.over not in (Over.NEWEST, Over.AGE) and query.window_seconds > longest:
            raise ValueError(
                f"window_seconds of {query.quantity} is {query.window_seconds:g}: the simulator keeps {longest:g} s of "
                f"samples; scrape less often or ask for less"
            )
