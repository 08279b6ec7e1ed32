"""What Triton's `batch_stats` have told about batch times, as sums per class of batch size.

Sums per class forget by class: each new execution takes weight from older ones of like size and from no others. A
night of single requests therefore leaves the slope that the day's full batches taught; with one exponential decay
over everything the law would be lost by morning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints

# First batch size of each class; single sizes where most models live, doubling above.
CLASS_STARTS: Final = (1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 65, 129)
# A class never weighs more than this many executions, which makes the past fade with that constant.
REMEMBERED_EXECUTIONS: Final = 1_000.0
# Fewer executions of a class say nothing yet (the first ones after a load are several times slower).
ENOUGH_EXECUTIONS: Final = 10.0
# One reading moves the mean of a class by at most this factor: a paused or throttled machine is an outlier
# once; a change that stays is followed in a few readings.
OUTLIER_FACTOR: Final = 3.0
# Executions outside of these times are errors of a counter.
SHORTEST_SECONDS: Final = 1e-7
LONGEST_SECONDS: Final = 1e5
MOST: Final = 1e12

# {batch size: (executions, seconds)} of one pod, as its counters show them
BatchStatistics = Mapping[int, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchCounts:
    """Executions since the last look, one row per pod and batch size; `seconds` is their total compute time."""

    service: Ints
    batch_size: Ints
    executions: Floats
    seconds: Floats

    @classmethod
    def gather(cls, rows: Sequence[tuple[int, BatchStatistics]]) -> BatchCounts:
        """From (row of the service, increase) of each pod."""
        flat = [(row, size, *counts) for row, sizes in rows for size, counts in sizes.items()]
        table = np.array(flat, dtype=np.float64).reshape(-1, 4)
        return cls(
            service=table[:, 0].astype(np.int64),
            batch_size=table[:, 1].astype(np.int64),
            executions=table[:, 2],
            seconds=table[:, 3],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Sums of executions, items and seconds per service and class of batch size; shape [services, classes]."""

    executions: Floats
    items: Floats
    seconds: Floats

    @classmethod
    def none(cls, services: int) -> Evidence:
        shape = (services, len(CLASS_STARTS))
        return cls(executions=np.zeros(shape), items=np.zeros(shape), seconds=np.zeros(shape))


def increase(before: BatchStatistics, after: BatchStatistics) -> dict[int, tuple[float, float]]:
    """What was executed between two readings of one pod; a counter that fell means that Triton started again,
    so that all it shows now is new."""
    zero = (0.0, 0.0)
    restarted = any(after.get(size, zero)[0] < executions for size, (executions, _) in before.items())
    base = {} if restarted else before
    return {
        size: (executions - base.get(size, zero)[0], seconds - base.get(size, zero)[1])
        for size, (executions, seconds) in after.items()
        if executions > base.get(size, zero)[0]
    }


def learn(evidence: Evidence, counts: BatchCounts) -> Evidence:
    """The evidence with new executions in it; counts that cannot be true are left out."""
    shape = evidence.executions.shape
    sound = (
        np.isfinite(counts.executions)
        & np.isfinite(counts.seconds)
        & (counts.executions >= 1.0)
        & (counts.executions <= MOST)
        & (counts.batch_size >= 1)
        & (counts.seconds >= SHORTEST_SECONDS * np.where(counts.executions <= MOST, counts.executions, 1.0))
    )
    executions, seconds = counts.executions[sound], counts.seconds[sound]
    size = counts.batch_size[sound]
    column = np.searchsorted(CLASS_STARTS, size, side="right") - 1
    cell = counts.service[sound] * shape[1] + column

    def summed(values: Floats) -> Floats:
        flat = np.bincount(cell, weights=values, minlength=shape[0] * shape[1])
        return flat.astype(np.float64).reshape(shape)

    new = summed(executions)
    touched = new > 0.0
    mean = summed(np.minimum(seconds, LONGEST_SECONDS * executions)) / np.where(touched, new, 1.0)
    settled = evidence.executions >= ENOUGH_EXECUTIONS
    usual = evidence.seconds / np.where(settled, evidence.executions, 1.0)
    mean = np.where(settled, np.clip(mean, usual / OUTLIER_FACTOR, usual * OUTLIER_FACTOR), mean)

    weight = evidence.executions + new
    fade = np.where(touched, np.minimum(1.0, REMEMBERED_EXECUTIONS / np.maximum(weight, 1.0)), 1.0)
    return Evidence(
        executions=weight * fade,
        items=(evidence.items + summed(executions * np.minimum(size, MOST))) * fade,
        seconds=(evidence.seconds + mean * new) * fade,
    )


def aged(evidence: Evidence) -> Evidence:
    """The evidence of a model that was replaced: the same means, with the least weight that still counts.

    A new version is most likely about as fast as the one before. Nothing would make it the prior, made of the SLO
    alone: 3 replicas at 300 items/s became 20 on the day of a roll-out.
    """
    share = np.minimum(1.0, ENOUGH_EXECUTIONS / np.maximum(evidence.executions, ENOUGH_EXECUTIONS))
    return Evidence(
        executions=evidence.executions * share, items=evidence.items * share, seconds=evidence.seconds * share
    )
