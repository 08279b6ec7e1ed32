"""One job of Faro's simulator: its requests, its replicas, and the workers that these run on.

Source: beomyeol/faro src/simulation/cluster.py, inference.py, primitives.py. A worker is a pod with room for one
replica. It is kept for 30 s after its replica is gone, and counts against the quota until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
        self._replicas: Final[list[tuple[int, Worker]]] = []  # slot and worker, the oldest first
        self._random: Final = random
        self._way: Final = Way.of(self.requests, slots=SLOTS)
        self._order: Ints = np.zeros(0, dtype=np.int64)

    @property
    def running(self) -> int:
        """Replicas that take requests."""
        return len(self._replicas)

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

    def start(self, workers: list[Worker], now: float) -> None:
        """Replicas on these workers take requests from now on."""
        self.advance(now)
        for worker in workers:
            used = {slot for slot, _ in self._replicas}
            slot = next(slot for slot in range(SLOTS) if slot not in used and self._way.replicas[slot]["count"] == 0)
            self._replicas.append((slot, worker))
        self._reorder()

    def remove(self, count: int, now: float) -> None:
        """The newest replicas get no more requests, finish those they have, and leave their workers idle."""
        self.advance(now)
        for _ in range(count):
            _, worker = self._replicas.pop()
            worker.idle_since = now
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

    def _reorder(self) -> None:
        """Each change of the replicas deals out their turns anew."""
        slots = np.array([slot for slot, _ in self._replicas], dtype=np.int64)
        busy = np.flatnonzero(self._way.replicas["count"] > 0)
        self._order = self._random.permutation(slots)
        self._way.state["turn"] = 0
        self._way.state["slots"] = max(slots.max(initial=NOBODY), busy.max(initial=NOBODY)) + 1
