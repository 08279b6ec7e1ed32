"""What a policy is told that looks at each pod: what the replicas of a job count is spread evenly over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.faro_table.cluster import Cluster, Counters
from bench.faro_table.controller import Controller
from bench.faro_table.observe import EPOCH_SECONDS, bounds, fleet, promise
from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.evidence import BatchCounts
from foretide.scaling.decision import Quotas
from foretide.scaling.policy import Observation, Over, PodList, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.scaling.tuning import Told, Tuning

FIELDS: Final = {
    Quantity.SUCCESS: "executed",
    Quantity.FAILURE: "refused",
    Quantity.INFERENCE: "executed",
    Quantity.REQUEST_SECONDS: "request_seconds",
    Quantity.PENDING: "waiting",
}


class Pods:
    """Makes the observations of one run; keeps the counters of all ticks, as Prometheus would."""

    def __init__(self, clusters: Sequence[Cluster], controller: Controller, *, quota: int) -> None:
        jobs = len(clusters)
        self._clusters: Final = clusters
        self._controller: Final = controller
        self._quotas: Final = Quotas(
            group=np.zeros(jobs, dtype=np.int64), priority=np.zeros(jobs, dtype=np.int64), limit=np.array([quota])
        )
        self._seconds: Final = [0.0]
        self._counters: Final = [[cluster.counters() for cluster in clusters]]

    def see(self, queries: Sequence[Query], now: int) -> Observation:
        """All jobs at that second, up to which they were advanced. A replica that is not ready has no series yet."""
        self._seconds.append(now)
        self._counters.append([cluster.counters() for cluster in self._clusters])
        jobs = len(self._clusters)
        running = np.array([cluster.running for cluster in self._clusters])
        ordered = [self._controller.starting(job) for job in range(jobs)]
        every = [(job, each.ordered_at, each.ready_at) for job in range(jobs) for each in self._clusters[job].replicas]
        every += [(job, at, np.nan) for job in range(jobs) for at in ordered[job]]
        service, ordered_at, ready_at = np.array(every).T
        ready = np.isfinite(ready_at)
        row = service.astype(np.int64)
        nothing = np.zeros(len(row))

        def answer(query: Query) -> Readings:
            if query.quantity is Quantity.CACHE_HITS:
                return Readings.unknown(len(row))  # nothing is kept
            if query.over is Over.AGE:
                return Readings.checked(nothing, ready)
            return Readings.checked((self._answer(query) / running)[row], ready)

        executed, seconds = (self._since("executed", -2), self._since("executed_seconds", -2))
        return Observation(
            now_seconds=EPOCH_SECONDS + now,
            pods=PodList(
                service=row,
                ready=ready,
                leaving=np.zeros(len(row), dtype=np.bool_),
                ready_age_seconds=np.where(ready, now - ready_at, 0.0),
                # Those of the beginning were there before.
                age_seconds=np.where(ordered_at > 0.0, now - ordered_at, np.nan),
            ),
            answers={query: answer(query) for query in queries},
            batches=BatchCounts(
                service=np.arange(jobs), batch_size=np.ones(jobs, dtype=np.int64), executions=executed, seconds=seconds
            ),
            fleet=fleet(self._controller.ordered),
            bounds=bounds(jobs),
            promise=promise(jobs),
            tuning=Tuning.usual(jobs),
            told=Told.nothing(jobs),
            quotas=self._quotas,
        )

    def _answer(self, query: Query) -> Floats:
        """Of each job, over all its replicas."""
        name = FIELDS[query.quantity]
        if query.over is Over.NEWEST:
            return self._at(name, -1)
        # The ticks within the window, and at least two: of ticks 10 s apart a window of 15 s has 10 s, not 15.
        begin = int(np.searchsorted(self._seconds, self._seconds[-1] - query.window_seconds))
        begin = min(begin, len(self._seconds) - 2)
        times = np.array(self._seconds[begin:])
        if query.over is Over.RATE:
            rate: Floats = self._since(name, begin) / (times[-1] - times[0])
            return rate
        values = np.stack([self._at(name, index) for index in range(begin, len(self._seconds))])
        away = times - times.mean()
        slope: Floats = away @ values / (away @ away)
        return slope

    def _since(self, name: str, index: int) -> Floats:
        return self._at(name, -1) - self._at(name, index)

    def _at(self, name: str, index: int) -> Floats:
        counters: list[Counters] = self._counters[index]
        return np.array([getattr(each, name) for each in counters])
