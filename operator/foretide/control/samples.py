"""What PromQL would make of the readings of one pod: the queries of a policy, answered without Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, linear_regression
from typing import Final

from foretide.scaling.policy import Over, Quantity, Query

# A window is that much longer than it says: readings come a tick apart, some of them a little late. With ticks of 15 s
# the reading of two ticks ago belongs to a window of 30 s, and the one before it does not.
SLACK: Final = 1.1
# Between readings that are closer one request more is a rate of anything.
LEAST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of a pod."""

    at_seconds: float  # Unix time
    values: Mapping[Quantity, float]


def answer(query: Query, samples: Sequence[Sample]) -> float | None:
    """The answer from samples in the order of their times, or None where they do not tell it.

    Now is when the newest was read, so that its age is 0: who calls decides which is new enough. A window holds two
    samples at least, however far apart they are: who calls decides which are kept. A rate is the increase from the
    first sample to the last by the time between them, what is counted after a reset included; Prometheus extrapolates
    the same to the whole window.
    """
    quantity = query.quantity
    if not samples or quantity not in samples[-1].values:
        return None  # told before and not now: as where Prometheus marks a series as ended
    found = [sample for sample in samples if quantity in sample.values]
    newest = found[-1]
    if query.over is Over.NEWEST:
        return newest.values[quantity]
    if query.over is Over.AGE:
        return 0.0
    start = newest.at_seconds - SLACK * query.window_seconds
    window = [one for place, one in enumerate(found) if one.at_seconds >= start or place >= len(found) - 2]
    values = [one.values[quantity] for one in window]
    if query.over is Over.AVERAGE:
        return fmean(values)
    if query.over is Over.MAXIMUM:
        return max(values)
    times = [one.at_seconds - newest.at_seconds for one in window]
    covered = -times[0]
    if covered < LEAST_SECONDS:
        return None
    if query.over is Over.DERIV:
        return linear_regression(times, values).slope
    return _increase(values) / covered


def _increase(counter: Sequence[float]) -> float:
    """What was counted from the first value to the last: after a restart it counts from 0."""
    return sum(after if after < before else after - before for before, after in pairwise(counter))
