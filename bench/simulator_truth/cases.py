"""What is measured: loads as shares of saturation, fleets, and queue policies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from foretide.simulate.scenario import Law, Queue

# The model sleeps 40 ms + 10 ms an item: three replicas near saturation leave most of two cores idle.
LAW: Final = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8)
SLO_SECONDS: Final = 0.25
# Not refused before it is hopeless: SLO - tau(B) - 5 ms, behind a queue that is never full.
LIMITED: Final = Queue(timeout_seconds=SLO_SECONDS - LAW.batch_seconds(LAW.max_batch) - 0.005, max_size=2_000)
ENDLESS: Final = Queue()
QUEUES: Final = {"limited": LIMITED, "default": ENDLESS}
LOADS: Final = (0.3, 0.5, 0.7, 0.85, 0.95, 1.2)


@dataclass(frozen=True, slots=True)
class Case:
    """One load on one fleet."""

    queue: str
    replicas: int
    load: float  # of saturation
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.queue}-{self.replicas}-{self.load:g}"

    @property
    def key(self) -> str:
        """Another one where anything that is sent or served is another."""
        return key_of(self.name, self.queue, self.seconds)

    @property
    def rate_rps(self) -> float:
        return self.load * self.replicas * LAW.saturation_rps

    @property
    def judged(self) -> bool:
        """Whether the bar holds for it; beyond, the difference is told."""
        return self.load <= 0.85


def key_of(name: str, queue: str, seconds: float) -> str:
    """The name of a recording."""
    limits = QUEUES[queue]
    served: tuple[float, ...] = (LAW.per_item_seconds, LAW.fixed_seconds, LAW.max_batch)
    served += (limits.timeout_seconds, limits.max_size, limits.delay_seconds)
    return f"{name}-{seconds:g}s-{hashlib.sha256(repr(served).encode()).hexdigest()[:8]}"


def cases(*, scale: float) -> tuple[Case, ...]:
    """All of them; `scale` shortens or lengthens each."""
    # One replica needs twice the time for about the same number of requests near its tail.
    seconds = {1: 180.0 * scale, 3: 90.0 * scale}
    return tuple(
        Case(queue, replicas, load, seconds[replicas])
        for queue in QUEUES
        for replicas in (1, 3)
        for load in LOADS
        # Without a limit an overload only says how long it lasted; several replicas are measured with limits.
        if not (queue == "default" and (load > 1.0 or replicas == 3))
    )
