"""One Triton server with dynamic batching, advanced only when somebody looks: a request, a scrape, an end.

A free instance takes what waits, at most the largest batch, once the oldest has waited for the queue delay. A request
that has waited for longer than the queue timeout is refused when a batch is made.

With any queue limit Triton up to 26.07 forms no batch ahead (`PriorityQueue::SupportPrefetching`). The batcher is then
woken at the end of a batch before the instance says that it is free (`Payload::Execute` calls back,
`RateLimiter::DequeuePayload` counts the consumer later). If the batcher is the faster one it sleeps on, until the next
request, the end of another instance's batch, or for 500 ms: a missed wake-up.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from foretide.simulate.compiled import compiled, inlined
from foretide.simulate.scenario import Noise
from foretide.simulate.state import (
    ARRIVED,
    BIN_SECONDS,
    BINS_PER_E,
    BUSY_SECONDS,
    CONCURRENCY_SECONDS,
    EXECUTION,
    FAILURE,
    INFERENCE,
    LATENCY_BINS,
    NOBODY,
    REQUEST_SECONDS,
    SERVICE,
    SHORTEST_SECONDS,
    SUCCESS,
    Array,
    Record,
    Server,
)
from foretide.simulate.streams import exponential, lognormal, uniform

BATCHER_WAIT_SECONDS: Final = 0.5
EXPONENTIAL: Final = int(Noise.EXPONENTIAL)


@inlined
def fail(bins: Array, arrived: float) -> None:
    """A request without an answer: a violation."""
    row = bins[int(arrived / BIN_SECONDS)]
    row.violations += 1
    row.failures += 1


@inlined
def _answer(server: Server, arrived: float, latency: float) -> None:
    if latency > server.setting.slo:
        server.bins[int(arrived / BIN_SECONDS)].violations += 1
    if arrived >= server.setting.counted_from:
        place = 0
        if latency > SHORTEST_SECONDS:
            place = min(int(math.log(latency / SHORTEST_SECONDS) * BINS_PER_E) + 1, LATENCY_BINS - 1)
        server.latencies[place] += 1


@inlined
def _release(server: Server, node: int) -> None:
    server.nodes[node].following = server.lane.free
    server.lane.free = node


@inlined
def push(setting: Record, lane: Record, pod: Record, nodes: Array, bins: Array, now: float) -> None:
    """A request joins the queue, or is refused because that is full (which no counter of Triton shows)."""
    pod.counters[ARRIVED] += 1.0
    if pod.waiting >= setting.max_queue:
        fail(bins, now)
        return
    node = lane.free
    lane.free = nodes[node].following
    nodes[node].arrived = now
    nodes[node].following = NOBODY
    if pod.waiting == 0:
        pod.head = node
    else:
        nodes[pod.tail].following = node
    pod.tail = node
    pod.waiting += 1
    pod.waiting_arrivals += now
    # A request that finds an instance free wakes the batcher, whatever it missed.
    if pod.free_at <= now:
        pod.awake_at = min(pod.awake_at, now)
    if pod.waiting == 1 or setting.missed_wake_ups > 0.0 or setting.delay > 0.0:
        pod.due = _due(setting, pod, nodes)


@inlined
def _pop(server: Server) -> int:
    pod = server.pod
    node = pod.head
    pod.head = server.nodes[node].following
    pod.waiting -= 1
    pod.waiting_arrivals -= server.nodes[node].arrived
    if pod.waiting == 0:
        pod.head = NOBODY
        pod.tail = NOBODY
        pod.waiting_arrivals = 0.0  # no rounding is carried on
    return int(node)


@inlined
def _due(setting: Record, pod: Record, nodes: Array) -> float:
    """When the next batch is made, as far as the requests that are there tell."""
    if pod.waiting == 0:
        return np.inf
    oldest = nodes[pod.head].arrived
    start = max(pod.free_at, oldest, pod.awake_at)
    if setting.delay > 0.0:
        due = oldest + setting.delay
        if pod.waiting >= setting.max_batch:
            node = pod.head
            for _ in range(setting.max_batch - 1):
                node = nodes[node].following
            due = min(due, nodes[node].arrived)
        start = max(start, due)
    return float(start)


@inlined
def _soonest(server: Server) -> int:
    """The instance that can take a batch first."""
    best = 0
    for instance in range(1, server.setting.instances):
        if server.instances[instance].busy_until < server.instances[best].busy_until:
            best = instance
    return best


@compiled
def _complete(server: Server, instance: Record) -> None:
    """The batch of an instance is answered."""
    nodes, size, ended = server.nodes, instance.size, instance.ends
    node = instance.head
    latencies = 0.0
    for _ in range(size):
        arrived = nodes[node].arrived
        _answer(server, arrived, ended - arrived + server.setting.overhead)
        latencies += ended - arrived
        later = nodes[node].following
        _release(server, node)
        node = later
    counters = server.pod.counters
    counters[SUCCESS] += size
    counters[INFERENCE] += size
    counters[EXECUTION] += 1.0
    counters[BUSY_SECONDS] += instance.seconds
    counters[REQUEST_SECONDS] += latencies
    counters[CONCURRENCY_SECONDS] += latencies
    server.executed[size, 0] += 1.0
    server.executed[size, 1] += instance.seconds
    instance.size = 0
    instance.head = NOBODY
    server.pod.running -= size
    server.pod.next_end = np.inf
    for index in range(server.setting.instances):
        if server.instances[index].size > 0:
            server.pod.next_end = min(server.pod.next_end, server.instances[index].ends)


@inlined
def _refuse_expired(server: Server, now: float) -> bool:
    """Refuses what has waited for too long; whether there was any."""
    any_refused = False
    while server.pod.waiting > 0:
        arrived = server.nodes[server.pod.head].arrived
        if now - arrived <= server.setting.timeout:
            break
        fail(server.bins, arrived)
        server.pod.counters[FAILURE] += 1.0
        server.pod.counters[CONCURRENCY_SECONDS] += now - arrived
        _release(server, _pop(server))
        any_refused = True
    return any_refused


@inlined
def _execute(server: Server, instance: Record, now: float) -> None:
    """The instance takes what waits, at most a full batch."""
    setting, nodes = server.setting, server.nodes
    first = NOBODY
    last = NOBODY
    size = 0
    while size < setting.max_batch and server.pod.waiting > 0 and nodes[server.pod.head].arrived <= now:
        node = _pop(server)
        if size == 0:
            first = node
        else:
            nodes[last].following = node
        last = node
        size += 1
    nodes[last].following = NOBODY
    seconds = setting.per_item * size + setting.fixed
    if setting.noise == EXPONENTIAL:
        seconds *= exponential(server.lane, SERVICE)
    else:
        seconds *= lognormal(server.lane, SERVICE, setting.noise_sigma)
    instance.head = first
    instance.size = size
    instance.seconds = seconds
    instance.ends = now + seconds
    instance.busy_until = now + seconds + setting.between
    server.pod.running += size
    server.pod.next_end = min(server.pod.next_end, instance.ends)
    soonest = _soonest(server)
    server.pod.free_at = server.instances[soonest].busy_until
    if setting.missed_wake_ups > 0.0 and server.pod.free_at > now:
        missed = uniform(server.lane, SERVICE) < setting.missed_wake_ups
        server.pod.awake_at = _next_wake_up(server, soonest) if missed else 0.0


@inlined
def _next_wake_up(server: Server, missed: int) -> float:
    """After that of this instance, which is free soonest: the end of another one's batch, or the batcher's own."""
    free_at = server.instances[missed].busy_until
    awake_at = free_at + BATCHER_WAIT_SECONDS
    for instance in range(server.setting.instances):
        if instance != missed:
            awake_at = min(awake_at, server.instances[instance].busy_until)
    return float(awake_at)


@compiled
def serve(server: Server, now: float) -> None:
    """Makes every batch that begins until now."""
    pod = server.pod
    while pod.waiting > 0 and pod.due <= now:
        start = pod.due
        if not _refuse_expired(server, start):  # else another request is the oldest now
            instance = server.instances[_soonest(server)]
            if instance.size > 0:
                _complete(server, instance)
            _execute(server, instance, start)
        pod.due = _due(server.setting, pod, server.nodes)


@compiled
def advance(server: Server, now: float) -> None:
    """Makes every batch that begins until now, and answers every batch that ends until now."""
    serve(server, now)
    if server.pod.next_end > now:
        return
    for index in range(server.setting.instances):
        instance = server.instances[index]
        if instance.size > 0 and instance.ends <= now:
            _complete(server, instance)


@inlined
def present_seconds(server: Server, now: float) -> float:
    """How long what waits and runs has been there, added up."""
    pod = server.pod
    seconds = pod.waiting * now - pod.waiting_arrivals
    for index in range(server.setting.instances):
        node = server.instances[index].head
        for _ in range(server.instances[index].size):
            seconds += now - server.nodes[node].arrived
            node = server.nodes[node].following
    return float(seconds)


@inlined
def outstanding(pod: Record) -> int:
    """Requests that wait or run."""
    return int(pod.waiting + pod.running + round(pod.present))


@compiled
def crash(server: Server) -> None:
    """Every request in the server is lost, and its counters begin at 0 again."""
    while server.pod.waiting > 0:
        fail(server.bins, server.nodes[server.pod.head].arrived)
        _release(server, _pop(server))
    for index in range(server.setting.instances):
        node = server.instances[index].head
        for _ in range(server.instances[index].size):
            fail(server.bins, server.nodes[node].arrived)
            later = server.nodes[node].following
            _release(server, node)
            node = later
    server.lane.violations += server.pod.present
    server.lane.failures += server.pod.present
    begin(server)


@compiled
def begin(server: Server) -> None:
    """A server that has just started."""
    pod = server.pod
    pod.waiting = 0
    pod.waiting_arrivals = 0.0
    pod.head = NOBODY
    pod.tail = NOBODY
    pod.awake_at = 0.0
    pod.free_at = 0.0
    pod.due = np.inf
    pod.running = 0
    pod.next_end = np.inf
    pod.counters[:] = 0.0
    pod.present = 0.0
    pod.standing = 0
    pod.flow[:] = 0.0
    pod.flow_until = 0.0
    server.executed[:] = 0.0
    for index in range(server.setting.instances):
        instance = server.instances[index]
        instance.busy_until = 0.0
        instance.ends = 0.0
        instance.size = 0
        instance.head = NOBODY
        instance.seconds = 0.0
