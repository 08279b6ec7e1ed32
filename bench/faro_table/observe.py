"""What a policy is told in Faro's simulator: exact sums over windows, where Prometheus would have scrapes.

Ports of Faro's policies look at sums over the replicas of a job alone: the first one answers for all. Whoever looks at
each pod is shown each (`Pods`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.faro_table.cluster import Cluster
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.capacity.evidence import BatchCounts
from foretide.scaling.decision import Bounds, Fleet
from foretide.scaling.policy import Observation, PodList, Promise, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.scaling.tuning import Told, Tuning
from foretide.simulate.peers.profile import Profile

EPOCH_SECONDS: Final = 1_763_800_020.0  # a whole minute, so that minutes of the clock are those of the trace
SLO_SECONDS: Final = 0.72
OBJECTIVE: Final = 0.99
PLANNED_SECONDS: Final = 0.18  # of a request, as the planners are told
MOST_REPLICAS: Final = 100


def profile(jobs: int) -> Profile:
    """What the planners know of a replica."""
    return Profile(
        per_item_seconds=np.zeros(jobs),
        fixed_seconds=np.full(jobs, PLANNED_SECONDS),
        max_batch=np.ones(jobs, dtype=np.int64),
        instances=np.ones(jobs, dtype=np.int64),
        slo_latency_seconds=np.full(jobs, SLO_SECONDS),
        objective=np.full(jobs, OBJECTIVE),
    )


def observe(clusters: Sequence[Cluster], ordered: Ints, queries: Sequence[Query], now: int) -> Observation:
    """All jobs at that second; the first pod of a job answers for all of them."""
    jobs = len(clusters)
    running = np.array([cluster.running for cluster in clusters])
    service = np.repeat(np.arange(jobs), running)
    first = np.searchsorted(service, np.arange(jobs))
    everywhere = np.ones(len(service), dtype=np.bool_)

    def answer(query: Query) -> Readings:
        value = np.zeros(len(service))
        value[first] = [_rate(cluster, query, now) for cluster in clusters]
        return Readings(value=value, known=everywhere)

    return Observation(
        now_seconds=EPOCH_SECONDS + now,
        pods=PodList(
            service=service,
            ready=everywhere,
            leaving=~everywhere,
            ready_age_seconds=_unused(len(service)),
            age_seconds=_unused(len(service)),
        ),
        answers={query: answer(query) for query in queries},
        batches=BatchCounts.gather([]),
        fleet=fleet(ordered),
        bounds=bounds(jobs),
        promise=promise(jobs),
        tuning=Tuning.usual(jobs),
        told=Told.nothing(jobs),
    )


def fleet(ordered: Ints) -> Fleet:
    """What was ordered for each job."""
    return Fleet(replicas=ordered.copy(), rolling=np.zeros(len(ordered), dtype=np.bool_))


def bounds(jobs: int) -> Bounds:
    """One replica at least, and more than any quota at most."""
    nowhere = np.zeros(jobs, dtype=np.bool_)
    return Bounds(
        minimum=np.ones(jobs, dtype=np.int64),
        maximum=np.full(jobs, MOST_REPLICAS),
        paused=nowhere,
        is_pinned=nowhere,
        pinned=np.zeros(jobs, dtype=np.int64),
    )


def promise(jobs: int) -> Promise:
    """The same of all jobs."""
    return Promise(
        slo_latency_seconds=np.full(jobs, SLO_SECONDS),
        objective=np.full(jobs, OBJECTIVE),
        max_batch=np.ones(jobs, dtype=np.int64),
        instances=np.ones(jobs, dtype=np.int64),
        window_seconds=_unused(jobs),
    )


def _rate(cluster: Cluster, query: Query, now: int) -> float:
    """Per second of the window; refused requests are answered too, and fast."""
    if query.quantity is Quantity.ARRIVED:
        return cluster.arrived(now, query.window_seconds) / query.window_seconds
    latency_seconds, count = cluster.answered(now, query.window_seconds)
    total = {Quantity.SUCCESS: count, Quantity.REQUEST_SECONDS: latency_seconds}[query.quantity]
    return total / query.window_seconds


def _unused(pods: int) -> Floats:
    """Ages of pods, which no policy here looks at."""
    return np.zeros(pods)
