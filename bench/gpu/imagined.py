"""A GPU without one: a batch takes a while of Python and of the driver, and the GPU, of which instances take turns.

    time of a batch of b = max(launch, wait for the GPU + b x item)

About as an H200 did with an encoder of 680 million weights (docs/measurements.md): 9 ms, and 2.65 ms an item of 1,024
tokens.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.gpu.known import OBJECTIVE, Known
from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.rate import BETWEEN_BATCHES_SECONDS
from foretide.serving.queue_policy import LEAST_INSTANCES, TIMEOUT_SHARE

TICK_SECONDS: Final = 15.0
# Judged is what comes after half an hour, for seventy minutes.
TICKS, LEARNING_TICKS = 400, 120
# A fleet shrinks after its hold, a step at a time: the load of a replica grows by so much in a tick, say.
GROWTH: Final = 1.03
FIRST_RPS: Final = 20.0
SEARCH_SECONDS: Final = 120.0
SEARCH_RATIO: Final = 1.04
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Gpu:
    """A replica on it."""

    launch_seconds: float
    item_seconds: float
    instances: int
    max_batch: int = 16
    slo_seconds: float = 0.1

    def run(self, arrivals: Floats) -> tuple[Floats, list[tuple[int, float]]]:
        """The latency of each request, NaN where it was refused, and the size and the time of each batch."""
        latency, waiting = np.full(len(arrivals), np.nan), deque[int]()
        batches: list[tuple[int, float]] = []
        patience = TIMEOUT_SHARE * self.slo_seconds if self.instances >= LEAST_INSTANCES else np.inf
        free, gpu_free, coming = [0.0] * self.instances, 0.0, 0

        def refuse(now: float) -> None:
            while waiting and now - arrivals[waiting[0]] > patience:
                waiting.popleft()

        while True:
            now = heapq.heappop(free)
            refuse(now)
            if not waiting:
                if coming == len(arrivals):
                    return latency, batches
                now = max(now, arrivals[coming])
            while coming < len(arrivals) and arrivals[coming] <= now:
                waiting.append(coming)
                coming += 1
            refuse(now)
            batch = [waiting.popleft() for _ in range(min(len(waiting), self.max_batch))]
            if batch:
                gpu_free = max(now, gpu_free) + self.item_seconds * len(batch)
                ends = max(now + self.launch_seconds, gpu_free)
                latency[batch] = ends - arrivals[batch]
                batches.append((len(batch), ends - now))
                now = ends + BETWEEN_BATCHES_SECONDS
            heapq.heappush(free, now)

    def in_time(self, rps: float, *, seconds: float, seed: int) -> float:
        """Share of requests within the SLO."""
        return self._share(self.run(_arrivals(rps, seconds, seed))[0])

    def most_rps(self) -> float:
        """The highest steady rate that keeps the objective, to 4 %."""
        rate = FIRST_RPS
        while self.in_time(SEARCH_RATIO * rate, seconds=SEARCH_SECONDS, seed=0) >= OBJECTIVE:
            rate *= SEARCH_RATIO
        return rate

    def counted_on(self) -> tuple[float, float]:
        """Of a replica that gets what it is counted on for, all the time: that rate, in the mean, and what of it is in
        time."""
        known, rate, rates, late = Known(self.max_batch, self.instances, self.slo_seconds), FIRST_RPS, 0.0, 0.0
        for tick in range(TICKS):
            latency, batches = self.run(_arrivals(rate, TICK_SECONDS, SEED + tick))
            if tick >= LEARNING_TICKS:
                rates += rate
                late += rate * (1.0 - self._share(latency))
            sizes = np.array([size for size, _ in batches])
            times = np.array([time for _, time in batches])
            counts = {int(b): (float((sizes == b).sum()), float(times[sizes == b].sum())) for b in np.unique(sizes)}
            answered = latency[np.isfinite(latency)]
            known = known.after(
                counts, answered=float(len(answered)), latency_seconds=float(answered.sum()), seconds=TICK_SECONDS
            )
            rate = min(known.rate_rps, GROWTH * rate)
        return rates / (TICKS - LEARNING_TICKS), 1.0 - late / rates

    def _share(self, latency: Floats) -> float:
        return float((np.nan_to_num(latency, nan=np.inf) <= self.slo_seconds).mean()) if len(latency) else 1.0


# Of 256 tokens and of 1,024.
GPUS: Final = tuple(
    Gpu(launch_seconds=0.009, item_seconds=item_seconds, instances=instances)
    for item_seconds in (0.0005, 0.00265)
    for instances in (1, 2, 4)
)


def lines() -> Iterator[str]:
    """As Markdown, a row as soon as it is there."""
    yield "| GPU, ms an item | instances | most that keeps 99 % | counted on for | of that in time |"
    yield f"|{'---|' * 5}"
    for gpu in GPUS:
        rate, in_time = gpu.counted_on()
        yield f"| {1e3 * gpu.item_seconds:g} | {gpu.instances} | {gpu.most_rps():.0f} | {rate:.0f} | {in_time:.1%} |"


def _arrivals(rps: float, seconds: float, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    return np.sort(random.uniform(0.0, seconds, random.poisson(rps * seconds)))
