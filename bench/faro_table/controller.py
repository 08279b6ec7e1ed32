"""How orders become replicas in Faro's simulator.

Source: beomyeol/faro src/simulation/controller.py and src/autoscaler.py (check_action). An order is first checked
against the quota of replicas. Its replicas then wait for workers, which the quota of workers may not have yet: a worker
that lost its replica is given back only 30 s later. Meanwhile the job takes no other order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.faro_table.cluster import Cluster, Worker
from foretide.scaling.arrays import Ints

HOT_START_SECONDS: Final = 3  # on an idle worker; also the time for which a removal keeps the job busy
COLD_START_SECONDS: Final = 35
MOST_REPLICAS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """So many replicas for a job, or so many more; a job at work may be asked again."""

    job: int
    trials: int
    target: int | None = None
    more: int = 0


class Controller:
    """The orders of one run."""

    def __init__(self, clusters: Sequence[Cluster], *, quota: int, first_replicas: int) -> None:
        self.ordered: Final[Ints] = np.full(len(clusters), first_replicas, dtype=np.int64)
        self._clusters: Final = clusters
        self._quota: Final = quota
        self._changes: Final[dict[int, int]] = {}  # of replicas, that each job still has to make
        self._busy_until: Final = [-1.0] * len(clusters)
        self._kept: list[Order] = []
        self._ordered_at: Final = [0] * len(clusters)  # of the changes
        self._starts: Final[dict[int, list[tuple[int, list[Worker], int]]]] = defaultdict(list)  # job, workers, order
        for cluster in clusters:
            hot, cold = cluster.reserve(first_replicas, free_workers=self._free_workers())
            cluster.start([*hot, *cold], 0.0)

    def start(self, now: int) -> None:
        """The replicas that are ready at this second."""
        for job, workers, ordered_at in self._starts.pop(now, ()):
            self._clusters[job].start(workers, now, ordered_at=ordered_at)

    def starting(self, job: int) -> list[int]:
        """When each replica of a job was ordered that is not ready yet, with a worker or without."""
        starts = [start for at in self._starts.values() for start in at if start[0] == job]
        with_worker = [ordered_at for _, workers, ordered_at in starts for _ in workers]
        return with_worker + [self._ordered_at[job]] * max(self._changes.get(job, 0), 0)

    def take(self, orders: Iterable[Order], now: int) -> None:
        """Checks the orders, fewer replicas first, and those left from before."""
        waiting = sorted([*self._kept, *orders], key=lambda order: self._goal(order) >= self.ordered[order.job])
        self._kept = []
        for order in waiting:
            again = replace(order, trials=order.trials - 1)
            if order.job in self._changes or now <= self._busy_until[order.job]:
                self._keep(again)
                continue
            change = self._goal(order) - int(self.ordered[order.job])
            missing = change - (self._quota - int(self.ordered.sum()))
            if change > 0 and missing > 0:
                self._keep(replace(again, target=None, more=missing))
                change -= missing
            if change:
                self.ordered[order.job] += change
                self._changes[order.job] = change
                self._ordered_at[order.job] = now

    def carry_out(self, now: int) -> None:
        """Removes replicas, and adds those that find a worker; the others try again."""
        for job, change in list(self._changes.items()):
            cluster = self._clusters[job]
            if change < 0:
                cluster.remove(-change, now)
                self._busy_until[job] = now + HOT_START_SECONDS
                del self._changes[job]
                continue
            for workers, delay in zip(
                cluster.reserve(change, free_workers=self._free_workers()),
                (HOT_START_SECONDS, COLD_START_SECONDS),
                strict=True,
            ):
                if workers:
                    self._starts[now + delay].append((job, workers, self._ordered_at[job]))
                    self._busy_until[job] = max(self._busy_until[job], now + delay)
                    self._changes[job] -= len(workers)
            if self._changes[job] == 0:
                del self._changes[job]

    def _goal(self, order: Order) -> int:
        goal = order.target if order.target is not None else int(self.ordered[order.job]) + order.more
        return min(max(goal, 1), MOST_REPLICAS)

    def _keep(self, order: Order) -> None:
        if order.trials > 0:
            self._kept.append(order)

    def _free_workers(self) -> int:
        return self._quota - sum(len(cluster.workers) for cluster in self._clusters)
