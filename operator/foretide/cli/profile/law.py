"""From the steps of a measurement to the law of batch times, and the rate within the SLO, as the operator's. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.cli.profile.steps import Closed, Open
from foretide.scaling.capacity import BatchCounts, Evidence, Law, fit, learn, rate_per_replica
from foretide.scaling.capacity.evidence import ENOUGH_EXECUTIONS

# Of requests that are late where the objective is just kept: with fewer expected, chance decides whether it is.
ENOUGH_LATE: Final = 4.0
# Of the SLO: sent so much too late, requests come in bunches that nobody planned.
TOLERATED_LAG: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """All batches of one size."""

    items: int
    executions: int
    seconds: float  # of one, on average


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The law, and what it promises."""

    per_item_seconds: float
    fixed_seconds: float
    largest: int  # batch, in items
    sizes: tuple[Size, ...]
    rate: float  # items a second within the SLO, by the table
    saturation: float  # items a second of full batches
    feasible: bool

    def seconds(self, items: float) -> float:
        return self.fixed_seconds + self.per_item_seconds * items


def measured(
    steps: Sequence[Closed], *, max_batch: int, instances: int, slo_seconds: float, objective: float
) -> Measured | None:
    """By the operator's own estimator; None where too little was executed."""
    evidence = Evidence.none(1)
    for step in steps:
        counts = {items: (executions, seconds) for items, executions, seconds in step.batches}
        evidence = learn(evidence, BatchCounts.gather([(0, counts)]))
    law = fit(evidence)
    if not law.known[0]:
        return None
    largest = _largest(steps)
    capacity = rate_per_replica(
        # The last class of sizes tells its mean, and what was seen is the largest of it.
        Law(
            per_item_seconds=law.per_item_seconds,
            fixed_seconds=law.fixed_seconds,
            largest=np.array([float(largest)]),
            known=law.known,
            single_known=law.single_known,
            told=law.told,
        ),
        slo_latency_seconds=np.array([slo_seconds]),
        objective=np.array([objective]),
        max_batch=np.array([max_batch]),
        instances=np.array([instances]),
    )
    return Measured(
        per_item_seconds=float(law.per_item_seconds[0]),
        fixed_seconds=float(law.fixed_seconds[0]),
        largest=largest,
        sizes=tuple(_sizes(steps)),
        rate=float(capacity.rate_rps[0]),
        saturation=float(capacity.saturation_rps[0]),
        feasible=bool(capacity.feasible[0]),
    )


def _sizes(steps: Sequence[Closed]) -> list[Size]:
    sums: dict[int, tuple[float, float]] = {}
    for step in steps:
        for items, executions, seconds in step.batches:
            before = sums.get(items, (0.0, 0.0))
            sums[items] = (before[0] + executions, before[1] + seconds)
    return [
        Size(items=items, executions=round(executions), seconds=seconds / executions)
        for items, (executions, seconds) in sorted(sums.items())
    ]


def _largest(steps: Sequence[Closed]) -> int:
    """The largest batch that was seen often enough."""
    sizes = _sizes(steps)
    return max((one.items for one in sizes if one.executions >= ENOUGH_EXECUTIONS), default=1)


def is_disturbed(step: Open, *, slo_seconds: float) -> bool:
    """Whether the machine, and not the server, was late: then the step says nothing about the server."""
    return step.lag_seconds > TOLERATED_LAG * slo_seconds


def tells(step: Open, *, slo_seconds: float, objective: float) -> bool:
    """Whether the step says something about the objective: undisturbed, and with enough requests."""
    enough = step.sent * (1.0 - objective) >= ENOUGH_LATE or step.kept_share < objective
    return enough and not is_disturbed(step, slo_seconds=slo_seconds)


def rate_found(steps: Sequence[Open], *, slo_seconds: float, objective: float) -> float | None:
    """The rate at which the share in time is just the objective; None where the steps do not enclose it.

    Between the highest rate that was kept and the next one above it, on a line through the logarithms of the late
    shares: near saturation these grow exponentially with the rate. Late at a lower rate than one that was kept was the
    machine: others can make a server late, and nobody can make it faster than it is. On two processors with thirty
    that wanted them 34 and 38 items/s were late, 43 were kept, and 48 were not.
    """
    told = [step for step in steps if tells(step, slo_seconds=slo_seconds, objective=objective)]
    kept = [step for step in told if step.kept_share >= objective]
    if not kept:
        return None
    below = max(kept, key=lambda step: step.rate)
    above = min((step for step in told if step.rate > below.rate), key=lambda step: step.rate, default=None)
    if above is None:
        return None
    low, high = (math.log(_late_share(step)) for step in (below, above))
    part = (math.log(1.0 - objective) - low) / (high - low)
    return below.rate + part * (above.rate - below.rate)


def _late_share(step: Open) -> float:
    """Of half a request where none was late, whose logarithm there is not."""
    return max(step.sent - step.in_time, 0.5) / step.sent
