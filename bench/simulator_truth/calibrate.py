"""What the simulator is told of the real pods: measured before, with loads that are judged nowhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.optimize import least_squares

from bench.simulator_truth.cases import LAW
from bench.simulator_truth.send import send
from bench.simulator_truth.triton import Executed, Replicas
from e2e.load import Outcome, arrivals, steady
from foretide.scaling.arrays import Floats
from foretide.simulate.scenario import Law, Queue

# Single requests far from each other, loads between those that are judged, and twice what a replica can.
ALONE_RPS: Final = 2.0
ALONE_SECONDS: Final = 30.0
MIXED_LOADS: Final = (0.4, 0.6, 0.8)
MIXED_SECONDS: Final = 5.0
MIXED_ROUNDS: Final = 5
FULL_SECONDS: Final = 20.0
# A second request comes while the first is served, and then nobody for longer than the batcher sleeps.
PAIRS: Final = 160
PAIR_SECONDS: Final = 0.75
PAIR_GAPS_SECONDS: Final = (0.01, 0.02, 0.03)


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that the simulator knows of Triton with one queue policy: without prefetching it is another machine."""

    law: Law
    missed_wake_ups: float

    def queue(self, queue: Queue) -> Queue:
        """That queue, of a Triton that misses as many wake-ups."""
        return replace(queue, missed_wake_ups=self.missed_wake_ups)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Calibration:
        return cls(law=Law(**value["law"]), missed_wake_ups=value["missed_wake_ups"])


def calibrated(triton: Replicas) -> Calibration:
    """Of one replica."""
    return Calibration(measured_law(triton), measured_missed_wake_ups(triton))


def measured_law(triton: Replicas) -> Law:
    """The law by Triton's own counters, and what those do not count: the way there and back, and the pause between
    batches."""
    start = triton.executed()
    alone = send(triton, np.arange(0.0, ALONE_SECONDS, 1.0 / ALONE_RPS))
    before = after_alone = triton.executed()
    pieces = []
    # In short pieces: a moment in which the machine is slow spoils one mean, and the fit is robust.
    for number in range(MIXED_ROUNDS):
        for load in MIXED_LOADS:
            send(triton, _poisson(load, MIXED_SECONDS, seed=100 + number))
            now = triton.executed()
            pieces.append(_means(before, now))
            before = now
    full = send(triton, _poisson(2.0, FULL_SECONDS, seed=9))
    full_batch = _means(before, triton.executed())[LAW.max_batch][1]

    rows = np.array([(size, count, seconds) for piece in pieces for size, (count, seconds) in piece.items()])
    per_item, fixed = _line(rows[:, 0], rows[:, 2], np.sqrt(rows[:, 1]))
    answered = full.outcome == Outcome.OK
    ends = np.sort((full.sent_at + full.latency_seconds)[answered])
    busy = ends[(ends > 5.0) & (ends < FULL_SECONDS)]
    cycle = LAW.max_batch * (busy[-1] - busy[0]) / (len(busy) - 1)
    return replace(
        LAW,
        per_item_seconds=per_item,
        fixed_seconds=fixed,
        between_batches_seconds=max(float(cycle - full_batch), 0.0),
        overhead_seconds=max(float(np.median(alone.latency_seconds) - _means(start, after_alone)[1][1]), 0.0),
    )


def measured_missed_wake_ups(triton: Replicas) -> float:
    """Share of the batches whose end the batcher did not notice: none, where the queue has no limit."""
    first = np.arange(PAIRS) * PAIR_SECONDS
    gaps = np.resize(PAIR_GAPS_SECONDS, PAIRS)
    result = send(triton, np.sort(np.concatenate([first, first + gaps])))
    second = np.argsort(result.sent_at)[1::2]
    late = result.latency_seconds[second] > 2.0 * LAW.batch_seconds(1) + 0.1
    return float((late | (result.outcome[second] != Outcome.OK)).mean())


def _poisson(load: float, seconds: float, *, seed: int) -> Floats:
    random: Floats = arrivals(steady(load * LAW.saturation_rps, seconds=seconds), seed=seed)
    return random


def _line(sizes: Floats, seconds: Floats, weights: Floats) -> tuple[float, float]:
    """Slope and intercept, by a loss that is linear beyond a millisecond of one execution."""
    found = least_squares(
        lambda line: weights * (line[0] * sizes + line[1] - seconds),
        x0=(LAW.per_item_seconds, LAW.fixed_seconds),
        x_scale=(0.01, 0.01),
        loss="soft_l1",
        f_scale=1e-3,
    )
    return float(found.x[0]), float(found.x[1])


def _means(before: Executed, after: Executed) -> dict[int, tuple[float, float]]:
    """Batch size -> (executions, mean seconds) of what happened between."""
    change = {size: np.subtract(after[size], before.get(size, (0.0, 0.0))) for size in sorted(after)}
    return {size: (float(count), float(seconds / count)) for size, (count, seconds) in change.items() if count > 0}
