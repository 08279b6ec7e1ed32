"""What Triton's counters do not tell, by loads that are judged nowhere: the way there and back, the pause between two
batches, and how often the end of a batch is missed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from bench.simulator_truth.cases import LAW, SLO_SECONDS, key_of
from bench.simulator_truth.recording import Recording
from bench.simulator_truth.replay import LEVELS, WARM_UP_SECONDS, quantiles_seconds, refused, replayed
from foretide.simulate.scenario import Law, Queue

# Single requests far from each other, and loads between those that are judged.
ALONE_RPS: Final = 2.0
ALONE_SECONDS: Final = 30.0
LOADS: Final = (0.4, 0.6, 0.78)
LOAD_SECONDS: Final = 75.0
ALONE: Final = "alone"
# What is tried.
PAUSES_SECONDS: Final = (0.0, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004)
MISSED_WAKE_UPS: Final = (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.3, 0.5)
DRAWS: Final = 4
# A point of refusals counts as much as two per cent of a quantile.
REFUSED_WEIGHT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of Triton with one queue policy: without prefetching it is another machine."""

    overhead_seconds: float
    between_batches_seconds: float
    missed_wake_ups: float

    def law(self, recording: Recording) -> Law:
        """The law of a recording's own batches, with the rest."""
        per_item, fixed = recording.law()
        return replace(
            LAW,
            per_item_seconds=per_item,
            fixed_seconds=fixed,
            between_batches_seconds=self.between_batches_seconds,
            overhead_seconds=self.overhead_seconds,
        )

    def queue(self, queue: Queue) -> Queue:
        """That queue, of a Triton that misses as many wake-ups."""
        return replace(queue, missed_wake_ups=self.missed_wake_ups)


def recordings(folder: Path, queue: str) -> dict[str, Path]:
    """The files of one queue: single requests, and each load."""
    seconds = {ALONE: ALONE_SECONDS} | {str(load): LOAD_SECONDS for load in LOADS}
    return {name: folder / f"{key_of(f'calibration-{queue}-{name}', queue, seconds[name])}.npz" for name in seconds}


def calibrated(folder: Path, name: str, queue: Queue) -> Calibration:
    """The pause and the share of missed wake-ups with which the simulator is nearest to the recordings."""
    found = {key: Recording.load(file) for key, file in recordings(folder, name).items()}
    alone, loads = found.pop(ALONE), list(found.values())
    (_, _, single), *_ = alone.batches
    overhead = max(float(np.median(alone.latency_seconds)) - float(single), 0.0)
    tried = [
        Calibration(overhead, pause, missed)
        for pause, missed in product(PAUSES_SECONDS, MISSED_WAKE_UPS if queue.limited else (0.0,))
    ]
    return min(tried, key=lambda one: sum(_distance(one, recording, queue) for recording in loads))


def _distance(one: Calibration, recording: Recording, queue: Queue) -> float:
    outcomes = replayed(
        recording.sent_at,
        one.law(recording),
        one.queue(queue),
        replicas=1,
        slo_seconds=SLO_SECONDS,
        draws=DRAWS,
    )
    judged = recording.after(WARM_UP_SECONDS)
    errors = np.log(np.array(quantiles_seconds(outcomes)) / judged.quantiles_seconds(LEVELS))
    return float(np.square([*errors, REFUSED_WEIGHT * (refused(outcomes) - judged.refused)]).sum())
