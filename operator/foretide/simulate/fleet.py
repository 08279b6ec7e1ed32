"""What Kubernetes does with the pods of a service: creation, cold start, endpoints, scale-in, drain, crash.

A replica is paid from its creation until its last container has ended.
"""

from __future__ import annotations

import math

import numpy as np

from foretide.simulate.compiled import compiled, inlined, spliced
from foretide.simulate.replica import advance, begin, crash, outstanding
from foretide.simulate.state import (
    ABSENT,
    COLD_START,
    FINISHING,
    GONE,
    LEAVING,
    NOBODY,
    PROVISIONING,
    READY,
    RESTART,
    RESTARTING,
    ROUTABLE,
    SCRAPES,
    STARTING,
    STARTS,
    UNROUTABLE,
    Record,
    Server,
    State,
)
from foretide.simulate.streams import drawn, exponential, uniform


@spliced
def server_of(state: State, lane: int, pod: int) -> Server:
    """One pod of a lane."""
    return Server(
        state.setting[lane],
        state.lanes[lane],
        state.pods[lane, pod],
        state.instances[lane, pod],
        state.executed[lane, pod],
        state.nodes[lane],
        state.bins[lane],
        state.latencies[lane],
    )


@inlined
def pay(lane: Record, now: float) -> None:
    """Adds what the pods that exist have cost since the last look."""
    lane.pod_seconds += lane.pods * (now - lane.paid_until)
    lane.paid_until = now


@compiled
def _route(state: State, lane: int) -> None:
    count = 0
    for pod in range(state.lanes[lane].places):
        phase = state.pods[lane, pod].phase
        if phase in (ROUTABLE, LEAVING):
            state.routable[lane, count] = pod
            count += 1
    state.lanes[lane].routable = count


@compiled
def _become_ready(setting: Record, lane: Record, pod: Record, now: float) -> None:
    pod.phase = READY
    pod.ready_at = now
    pod.next_event = now + setting.endpoints
    # Prometheus spreads its targets over the interval.
    pod.next_scrape = now + uniform(lane, SCRAPES) * setting.scrape


@compiled
def _become_routable(state: State, lane: int, pod: Record, now: float) -> None:
    pod.phase = ROUTABLE
    pod.next_event = np.inf
    crashes = state.setting[lane].crashes_per_second
    if crashes > 0.0:
        pod.next_event = now + exponential(state.lanes[lane], STARTS) / crashes
    _route(state, lane)


@compiled
def _free_place(state: State, lane: int) -> int:
    """For a new pod: an empty one, or that of the pod that has ended first."""
    oldest, places = NOBODY, state.lanes[lane].places
    for place in range(places):
        pod = state.pods[lane, place]
        if pod.phase == ABSENT:
            return place
        if pod.phase == GONE and (oldest == NOBODY or pod.next_event < state.pods[lane, oldest].next_event):
            oldest = place
    if places < state.pods.shape[1]:
        return int(places)
    return oldest


@compiled
def _count_machines(state: State, lane: int, now: float) -> None:
    """How many pods fit on the machines that are there, before a pod comes or goes.

    Machines that were needed stay for a while, and those that run anyway for ever. One that is on its way is no room
    yet, and is given back if its pod goes before it comes.
    """
    setting, row = state.setting[lane], state.lanes[lane]
    if not math.isfinite(row.warm):
        return
    housed = 0
    for place in range(row.places):
        pod = state.pods[lane, place]
        if pod.phase not in (ABSENT, GONE) and pod.housed_at <= now:
            housed += 1
    if housed >= row.warm or now - row.warm_since > setting.linger:
        row.warm = max(housed, setting.warm)
        row.warm_since = now


@compiled
def _create(state: State, lane: int, now: float, ready: bool) -> None:
    place = _free_place(state, lane)
    if place == NOBODY:
        return  # as many again as anybody may ask for are draining: the quota of the namespace
    row, pod = state.lanes[lane], state.pods[lane, place]
    pay(row, now)
    _count_machines(state, lane, now)
    row.pods += 1
    row.places = max(row.places, place + 1)
    begin(server_of(state, lane, place))
    pod.sampled = 0
    pod.stale = 0
    pod.ends_by = np.inf
    pod.created_at = pod.housed_at = now
    if ready:
        _become_ready(state.setting[lane], row, pod, now)
        _become_routable(state, lane, pod, now)
        return
    seconds = drawn(state.durations[lane, COLD_START], row, STARTS)
    machine = drawn(state.durations[lane, PROVISIONING], row, STARTS)
    if row.pods > row.warm:
        seconds += machine
        pod.housed_at = now + machine
    pod.phase = STARTING
    pod.next_event = now + seconds
    pod.next_scrape = np.inf


@inlined
def _rank(pod: Record) -> float:
    """Who goes first when a ReplicaSet shrinks, largest first: what is not ready, then who became ready last.

    (`ActivePodsWithRanks` in kubernetes/pkg/controller; that it groups ages by powers of two is left out.) Negative
    for a pod that is no replica any more.
    """
    if pod.phase == STARTING:
        return 3e12 + pod.created_at  # type: ignore[no-any-return]
    if pod.phase == RESTARTING:
        return 2e12 + pod.created_at  # type: ignore[no-any-return]
    if pod.phase in (READY, ROUTABLE):
        return 1e12 + pod.ready_at  # type: ignore[no-any-return]
    return -1.0


@compiled
def _leave(state: State, lane: int, pod: Record, now: float) -> None:
    setting = state.setting[lane]
    # The grace begins now, before preStop: whatever is still to come is cut off at its end.
    pod.ends_by = now + setting.grace
    if pod.phase in (STARTING, RESTARTING):
        _remove(state, lane, pod, now)
    elif pod.phase == READY:
        pod.phase = UNROUTABLE
        pod.next_event = min(now + setting.pre_stop, pod.ends_by)
    else:
        pod.phase = LEAVING
        pod.next_event = min(now + setting.endpoints, pod.ends_by)


@compiled
def _remove(state: State, lane: int, pod: Record, now: float) -> None:
    setting, row = state.setting[lane], state.lanes[lane]
    pay(row, now)
    _count_machines(state, lane, now)
    row.pods -= 1
    pod.next_scrape = np.inf
    if setting.remembered > 0.0 and pod.sampled > 0:
        pod.phase = GONE
        pod.next_event = now + setting.remembered
    else:
        pod.phase = ABSENT
        pod.next_event = np.inf


@compiled
def scale(state: State, lane: int, replicas: int, now: float, ready: bool) -> None:
    """The Deployment gets that many replicas; `ready`: without a cold start."""
    present = 0
    for pod in range(state.lanes[lane].places):
        if _rank(state.pods[lane, pod]) >= 0.0:
            present += 1
    for _ in range(replicas - present):
        _create(state, lane, now, ready)
    for _ in range(present - replicas):
        victim = 0
        for pod in range(1, state.lanes[lane].places):
            if _rank(state.pods[lane, pod]) > _rank(state.pods[lane, victim]):
                victim = pod
        _leave(state, lane, state.pods[lane, victim], now)
    state.lanes[lane].next_event = -np.inf


@compiled
def scale_all(state: State, replicas: np.ndarray, now: float, ready: bool) -> None:
    """Every lane gets its number."""
    for lane in range(len(replicas)):
        scale(state, lane, replicas[lane], now, ready)


@compiled
def happen(state: State, lane: int, place: int, now: float) -> None:
    """The next thing in the life of a pod."""
    setting, row, pod = state.setting[lane], state.lanes[lane], state.pods[lane, place]
    phase = pod.phase
    if phase in (STARTING, RESTARTING):
        _become_ready(setting, row, pod, now)
    elif phase == READY:
        _become_routable(state, lane, pod, now)
    elif phase == ROUTABLE:
        advance(server_of(state, lane, place), now)
        crash(server_of(state, lane, place))
        pod.phase = RESTARTING
        pod.stale = 1  # the next scrape finds nobody
        pod.next_scrape = np.inf
        pod.next_event = now + drawn(state.durations[lane, RESTART], row, STARTS)
        _route(state, lane)
    elif phase == LEAVING:
        pod.phase = UNROUTABLE
        pod.next_event = min(now + max(setting.pre_stop - setting.endpoints, 0.0), pod.ends_by)
        _route(state, lane)
    elif phase == GONE:
        pod.phase = ABSENT
        pod.next_event = np.inf
    else:
        server = server_of(state, lane, place)
        advance(server, now)
        if outstanding(pod) == 0:
            _remove(state, lane, pod, now)
        elif now >= pod.ends_by:
            crash(server)
            _remove(state, lane, pod, now)
        else:
            pod.phase = FINISHING
            # The end of a batch; half a second on where none runs and the batcher still sleeps.
            pod.next_event = min(max(min(pod.next_end, now + 0.5), now + 1e-3), pod.ends_by)
