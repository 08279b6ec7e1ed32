"""The way of a request through one job of Faro's simulator, as compiled code: proxy, queue, replica, proxy.

Source: beomyeol/faro src/simulation/cluster.py and inference.py. A proxy handles requests and answers one by one; the
scheduler holds the request at the head of the queue until a replica in turn has fewer than four in progress.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats
from foretide.simulate.compiled import compiled

Table: TypeAlias = npt.NDArray[Any]  # of records; numba gives their fields as attributes

MOST_IN_PROGRESS: Final = 4  # in a replica, the one that it works on included
MOST_WAITING: Final = 50  # with more in the queue a request is refused; the held one is not in it
NOBODY: Final = -1

ASKED, ANSWERED, REFUSED = range(3)

REQUEST: Final = np.dtype(
    [
        ("arrives", "f8"),
        ("way_in_seconds", "f8"),
        ("service_seconds", "f8"),
        ("way_out_seconds", "f8"),
        ("latency_seconds", "f8"),
        ("phase", "i8"),
        ("after", "i8"),  # the next one of the line that it stands in
    ]
)
# A line of requests, and when the one at its head is done (infinite where nobody is).
LINE: Final = np.dtype([("first", "i8"), ("last", "i8"), ("count", "i8"), ("ends", "f8")])
JOB: Final = np.dtype(
    [
        ("next", "i8"),  # the next request to arrive
        ("held", "i8"),  # by the scheduler, which has no replica for it
        ("turn", "i8"),  # place in the order of the replicas
        ("slots", "i8"),  # lines of replicas that may have work
        ("ended", "i8"),
        ("refused", "i8"),
        ("executed", "i8"),  # by replicas
        ("executed_seconds", "f8"),  # at work on them
        ("request_seconds", "f8"),  # since they arrived
    ]
)


class Way(NamedTuple):
    """All tables of a job; those of one record are arrays too, so that compiled code can write to it."""

    state: Table
    requests: Table
    proxy: Table
    queue: Table
    replicas: Table
    # One number for each request, in the order of their ends. No records: searching a column of those copies it.
    ended_at: Floats
    ended_after_seconds: Floats

    @classmethod
    def of(cls, requests: Table, *, slots: int) -> Way:
        """Before the first request, with room for so many replicas."""
        state: Table = np.zeros(1, dtype=JOB)
        state["held"] = NOBODY
        count = len(requests)
        return cls(state, requests, _no_line(1), _no_line(1), _no_line(slots), np.zeros(count), np.zeros(count))


def _no_line(count: int) -> Table:
    """Lines that nobody stands in."""
    lines: Table = np.zeros(count, dtype=LINE)
    lines["ends"] = np.inf
    return lines


@compiled
def advance(way: Way, order: Table, until: float) -> None:
    """All that happens to the requests of a job up to that second; `order` has the replicas that take new ones."""
    job = way.state[0]
    while True:
        arrives = way.requests[job.next].arrives if job.next < len(way.requests) else np.inf
        answers, slot = np.inf, NOBODY
        for each in range(job.slots):
            if way.replicas[each].ends < answers:
                answers, slot = way.replicas[each].ends, each
        now = min(arrives, way.proxy[0].ends, answers)
        # At the very end there is nothing more to come, and `until` may be infinite.
        if now > until or now == np.inf:
            return
        if now == arrives:
            job.next += 1
            _enter_proxy(way, job.next - 1, now)
        elif now == answers:
            _answered(way, slot, now)
            _schedule(way, order, now)
        else:
            _passed_proxy(way, order, now)


@compiled
def _answered(way: Way, slot: int, now: float) -> None:
    """A replica is done with a request."""
    request = _leave(way.replicas, slot, way.requests)
    if way.replicas[slot].count > 0:
        way.replicas[slot].ends = now + way.requests[way.replicas[slot].first].service_seconds
    job, one = way.state[0], way.requests[request]
    one.phase = ANSWERED
    job.executed += 1
    job.executed_seconds += one.service_seconds
    job.request_seconds += now - one.arrives
    _enter_proxy(way, request, now)


@compiled
def _passed_proxy(way: Way, order: Table, now: float) -> None:
    """The proxy hands a request on, or an answer out."""
    request = _leave(way.proxy, 0, way.requests)
    if way.proxy[0].count > 0:
        way.proxy[0].ends = now + _way_seconds(way, way.proxy[0].first)
    job, one = way.state[0], way.requests[request]
    if one.phase != ASKED:
        one.latency_seconds = now - one.arrives
        way.ended_at[job.ended] = now
        way.ended_after_seconds[job.ended] = one.latency_seconds
        job.ended += 1
    elif way.queue[0].count > MOST_WAITING:
        one.phase = REFUSED
        job.refused += 1
        _enter_proxy(way, request, now)
    else:
        _enter(way.queue, 0, way.requests, request)
        # While it holds one, the scheduler waits for the end of a request and for nothing else.
        if job.held == NOBODY:
            _schedule(way, order, now)


@compiled
def _schedule(way: Way, order: Table, now: float) -> None:
    """Gives requests to replicas in turn, as long as one has room."""
    job = way.state[0]
    while job.held != NOBODY or way.queue[0].count > 0:
        if job.held == NOBODY:
            job.held = _leave(way.queue, 0, way.requests)
        found = NOBODY
        for _ in range(len(order)):
            slot = order[job.turn]
            job.turn = (job.turn + 1) % len(order)
            if way.replicas[slot].count < MOST_IN_PROGRESS:
                found = slot
                break
        if found == NOBODY:
            return
        _enter(way.replicas, found, way.requests, job.held)
        if way.replicas[found].count == 1:
            way.replicas[found].ends = now + way.requests[job.held].service_seconds
        job.held = NOBODY


@compiled
def _enter_proxy(way: Way, request: int, now: float) -> None:
    _enter(way.proxy, 0, way.requests, request)
    if way.proxy[0].count == 1:
        way.proxy[0].ends = now + _way_seconds(way, request)


@compiled
def _way_seconds(way: Way, request: int) -> float:
    one = way.requests[request]
    return float(one.way_in_seconds if one.phase == ASKED else one.way_out_seconds)


@compiled
def _enter(lines: Table, row: int, requests: Table, request: int) -> None:
    line = lines[row]
    if line.count == 0:
        line.first = request
    else:
        requests[line.last].after = request
    line.last = request
    line.count += 1


@compiled
def _leave(lines: Table, row: int, requests: Table) -> int:
    line = lines[row]
    request = line.first
    line.first = requests[request].after
    line.count -= 1
    if line.count == 0:
        line.ends = np.inf
    return int(request)
