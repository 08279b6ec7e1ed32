"""One job of Faro's simulator: its requests, its replicas, and the workers that these run on.

Source: beomyeol/faro src/simulation/cluster.py, inference.py, primitives.py. A worker is a pod with room for one
replica. It is kept for 30 s after its replica is gone, and counts against the quota until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from bench.faro_table.queues import NOBODY, REFUSED, REQUEST, Table, Way, advance
from foretide.scaling.arrays import Bools, Floats, Ints

IDLE_SECONDS: Final = 30.0
SLOTS: Final = 128  # replicas that run, and those removed that still have requests


@dataclass(frozen=True, slots=True)
class ShiftedLognormal:
    """A time that is never below `shift`."""

    shape: float
    shift_seconds: float
    scale_seconds: float

    def draw(self, random: np.random.Generator, count: int) -> Floats:
        seconds: Floats = self.shift_seconds + self.scale_seconds * np.exp(self.shape * random.standard_normal(count))
        return seconds


ROUTE: Final = ShiftedLognormal(0.4807840738997673, 0.003485330525882586, 0.000987812095765591)


@dataclass(slots=True, eq=False)
class Worker:
    """A pod of a job; idle since then, or at work."""

    idle_since: float | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """One that takes requests."""

    slot: int
    worker: Worker
    ordered_at: float
    ready_at: float


class Counters(NamedTuple):
    """What the replicas of a job have counted since the beginning, and what waits now for one of them to be free."""

    executed: float
    executed_seconds: float
    request_seconds: float
    refused: float
    waiting: float


class Cluster:
    """The state of one job."""

    def __init__(self, arrivals: Floats, service: ShiftedLognormal, random: np.random.Generator) -> None:
        count = len(arrivals)
        self.requests: Final[Table] = np.zeros(count, dtype=REQUEST)
        self.requests["arrives"] = arrivals
        self._arrivals: Final = arrivals
        self.requests["way_in_seconds"] = ROUTE.draw(random, count)
        self.requests["service_seconds"] = service.draw(random, count)
        self.requests["way_out_seconds"] = ROUTE.draw(random, count)
        self.workers: Final[list[Worker]] = []
        self.replicas: Final[list[Replica]] = []  # the oldest first
        self._random: Final = random
        self._way: Final = Way.of(self.requests, slots=SLOTS)
        self._order: Ints = np.zeros(0, dtype=np.int64)

    @property
    def running(self) -> int:
        """Replicas that take requests."""
        return len(self.replicas)

    @property
    def refused(self) -> Bools:
        return np.asarray(self.requests["phase"] == REFUSED)

    def advance(self, now: float) -> None:
        """Up to that second."""
        advance(self._way, self._order, float(now))

    def reserve(self, replicas: int, *, free_workers: int) -> tuple[list[Worker], list[Worker]]:
        """Workers for so many replicas, as far as there are any: idle ones, and new ones within the quota."""
        hot = [worker for worker in self.workers if worker.idle_since is not None][:replicas]
        cold = [Worker() for _ in range(min(replicas - len(hot), free_workers))]
        for worker in hot:
            worker.idle_since = None
        self.workers.extend(cold)
        return hot, cold

    def start(self, workers: list[Worker], now: float, *, ordered_at: float | None = None) -> None:
        """Replicas on these workers take requests from now on."""
        self.advance(now)
        for worker in workers:
            used = {replica.slot for replica in self.replicas}
            slot = next(slot for slot in range(SLOTS) if slot not in used and self._way.replicas[slot]["count"] == 0)
            self.replicas.append(Replica(slot, worker, now if ordered_at is None else ordered_at, now))
        self._reorder()

    def remove(self, count: int, now: float) -> None:
        """The newest replicas get no more requests, finish those they have, and leave their workers idle."""
        self.advance(now)
        for _ in range(count):
            self.replicas.pop().worker.idle_since = now
        self._reorder()

    def release(self, now: float) -> None:
        """Gives back the workers that are idle for too long, but one always stays."""
        for worker in list(self.workers):
            if worker.idle_since is not None and now - worker.idle_since >= IDLE_SECONDS and len(self.workers) > 1:
                self.workers.remove(worker)

    def answered(self, now: float, window_seconds: float) -> tuple[float, int]:
        """The sum of latencies and the number of requests that ended in the window, refused ones included."""
        count = int(self._way.state["ended"][0])
        first = int(np.searchsorted(self._way.ended_at[:count], now - window_seconds, side="right"))
        return float(self._way.ended_after_seconds[first:count].sum()), count - first

    def arrived(self, now: float, window_seconds: float) -> int:
        """Requests that arrived in the window."""
        first, last = np.searchsorted(self._arrivals, [now - window_seconds, now], side="right")
        return int(last - first)

    def counters(self) -> Counters:
        """As of the second up to which it was advanced."""
        job, queued = self._way.state[0], self._way.queue["count"][0] + (self._way.state["held"][0] != NOBODY)
        behind = np.maximum(self._way.replicas["count"] - 1, 0).sum()
        return Counters(
            executed=float(job["executed"]),
            executed_seconds=float(job["executed_seconds"]),
            request_seconds=float(job["request_seconds"]),
            refused=float(job["refused"]),
            waiting=float(queued + behind),
        )

    def _reorder(self) -> None:
        """Each change of the replicas deals out their turns anew."""
        slots = np.array([replica.slot for replica in self.replicas], dtype=np.int64)
        busy = np.flatnonzero(self._way.replicas["count"] > 0)
        self._order = self._random.permutation(slots)
        self._way.state["turn"] = 0
        self._way.state["slots"] = max(slots.max(initial=NOBODY), busy.max(initial=NOBODY)) + 1
