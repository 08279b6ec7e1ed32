"""The batch-time law: a batch of b items takes per_item_seconds x b + fixed_seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.evidence import ENOUGH_EXECUTIONS, Evidence

# A class that misses the line by this share of its time has half a vote; by twice as much a fifth (Cauchy weights).
TOLERATED_MISS: Final = 0.2
ROUNDS: Final = 4
# Executions of a class whose mean is known to a percent or two, so that noise alone lifts no line.
MANY_EXECUTIONS: Final = 100.0
# How many times as long as the line says they are believed to take, whatever others take. The first ones after a start,
# which are small, can take seconds.
MOST_TIMES_SMALLEST, MOST_TIMES_LARGEST = 1.5, 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Law:
    """Batch times per service. Where `known` is false the numbers are 0 and say nothing."""

    per_item_seconds: Floats
    fixed_seconds: Floats
    largest: Floats  # largest batch that was seen: beyond it the law is a guess
    known: Bools
    single_known: Bools  # whether the time of a single item follows from what was seen
    told: Bools  # by a ModelProfile, and nothing measured yet


def fit(evidence: Evidence) -> Law:
    """The line through the mean times of the classes of batch sizes, both coefficients >= 0.

    Weighted by executions and by 1 / time^2, so that an error of 10 % counts the same at 5 ms and at 500 ms, then
    reweighted so that a class far off the line loses its vote; then lifted where many of the smallest or the largest
    batches took longer. With a single batch size b seen, the whole time t is taken for fixed: a smaller batch takes no
    longer and no larger one is counted on (`largest`), so that this never promises too much, whatever the truth is.
    """
    seen = evidence.executions >= ENOUGH_EXECUTIONS
    executions = np.where(seen, evidence.executions, 1.0)
    votes = np.where(seen, evidence.executions, 0.0)
    size = np.where(seen, evidence.items / executions, 1.0)
    time = np.where(seen, evidence.seconds / executions, 1.0)
    classes = seen.sum(axis=1)

    # The first line starts from the median time, for a class that is far too fast would else have the largest vote.
    middle = np.sort(np.where(seen, time, np.inf), axis=1)[np.arange(len(time)), np.maximum(classes - 1, 0) // 2]
    typical = np.where(classes > 0, middle, 1.0)
    per_item, fixed = _line(votes / np.maximum(time, typical[:, None]) ** 2, size, time)
    for _ in range(ROUNDS):
        foreseen = per_item[:, None] * size + fixed[:, None]
        longer = np.maximum(time, foreseen)
        miss = (time - foreseen) / longer
        per_item, fixed = _line(votes / longer**2 / (1.0 + (miss / TOLERATED_MISS) ** 2), size, time)

    per_item, fixed = _not_below(per_item, fixed, size, time, votes)
    largest = np.where(seen, size, 0.0).max(axis=1)
    return Law(
        per_item_seconds=per_item,
        fixed_seconds=fixed,
        largest=largest,
        known=classes > 0,
        single_known=(classes > 1) | (largest == 1.0),
        told=np.zeros(len(largest), dtype=np.bool_),
    )


def _not_below(
    per_item: Floats, fixed: Floats, size: Floats, time: Floats, executions: Floats
) -> tuple[Floats, Floats]:
    """The line lifted at both ends, so that the smallest and the largest batches take no less than they did; nowhere
    between the smallest and the largest that were seen is it lower than before.

    A GPU does some items in the time of one and takes its time for each further one; instances that share it take turns
    when both are busy, as they are with full batches. A line through all batches promises too much of the full ones
    then, by which a replica is counted on: 539 requests/s of an H200 that kept 349. `executions` are 0 for classes that
    were not seen.

    However far they are above the line, the smallest are believed to take as long as the fastest of the larger ones,
    and the largest as long as if they were done in the cheapest of the smaller ones: of five sizes up to 13 in 31 ms,
    17 in 33 and 129 in 252 the line said 60. Where all others are far smaller, nearly everything is believed: too many
    replicas for a while, and not too few.
    """
    rows, sure = np.arange(len(size)), executions >= MANY_EXECUTIONS
    first = np.where(executions > 0.0, size, np.inf).argmin(axis=1)
    full = np.where(sure, size, 0.0).argmax(axis=1)
    last = np.where(executions > 0.0, size, 0.0).argmax(axis=1)

    def lifted(column: Ints, most_times: float, plausible_seconds: Floats) -> Floats:
        foreseen = per_item * size[rows, column] + fixed
        limit = np.maximum(most_times * foreseen, np.where(np.isfinite(plausible_seconds), plausible_seconds, 0.0))
        believed = np.minimum(time[rows, column], limit)
        return np.where(sure[rows, column], np.maximum(foreseen, believed), foreseen)

    start, middle, end = size[rows, first], size[rows, full], size[rows, last]
    fastest_larger_seconds = np.where(sure & (size > start[:, None]), time, np.inf).min(axis=1)
    split_seconds = middle * np.where(sure & (size < middle[:, None]), time / size, np.inf).min(axis=1)
    begins = lifted(first, MOST_TIMES_SMALLEST, fastest_larger_seconds)
    steep = (lifted(full, MOST_TIMES_LARGEST, split_seconds) - begins) / np.where(middle > start, middle - start, 1.0)
    through_full = begins + np.where(middle > start, steep, 0.0) * (end - start)
    ends = np.maximum(np.maximum(per_item * end + fixed, through_full), begins)
    slope = (ends - begins) / np.where(end > start, end - start, 1.0)
    at_zero = begins - slope * start
    # A fixed time below zero would make small batches free: through zero then, and they take longer than they did.
    proportional = at_zero < 0.0
    lift = sure.any(axis=1) & (end > start)
    return (
        np.where(lift, np.where(proportional, ends / end, slope), per_item),
        np.where(lift, np.maximum(at_zero, 0.0), fixed),
    )


def _line(weight: Floats, size: Floats, time: Floats) -> tuple[Floats, Floats]:
    """Weighted least squares with both coefficients >= 0: the free line, else the better half of it."""
    whole = weight.sum(axis=1)
    share = weight / np.where(whole > 0.0, whole, 1.0)[:, None]
    mean_size, mean_time = (share * size).sum(axis=1), (share * time).sum(axis=1)
    away = size - mean_size[:, None]
    spread = (share * away**2).sum(axis=1)
    # Below this spread there is one size: a slope would be made of rounding errors.
    sloped = spread > 1e-9 * mean_size**2
    slope = (share * away * (time - mean_time[:, None])).sum(axis=1) / np.where(sloped, spread, 1.0)
    slope = np.where(sloped, np.maximum(slope, 0.0), 0.0)
    fixed = mean_time - slope * mean_size

    squares = (share * size**2).sum(axis=1)
    through_zero = (share * size * time).sum(axis=1) / np.where(squares > 0.0, squares, 1.0)
    return np.where(fixed < 0.0, through_zero, slope), np.maximum(fixed, 0.0)
