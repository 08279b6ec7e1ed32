"""From the steps of a measurement to the law of batch times, and the rate within the SLO, as the operator's. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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

    Late shares never fall with the rate: where chance made them, neighbours are taken together (isotonic regression by
    pooling adjacent violators). Between two of them on a line through their logarithms, for near saturation they grow
    exponentially with the rate.
    """
    told = [step for step in steps if tells(step, slo_seconds=slo_seconds, objective=objective)]
    pools: list[_Pool] = []
    for step in sorted(told, key=lambda each: each.rate):
        pools.append(_Pool(rate=step.rate, late=float(step.sent - step.in_time), sent=step.sent))
        while len(pools) > 1 and pools[-2].share >= pools[-1].share:
            after, before = pools.pop(), pools.pop()
            pools.append(before.with_(after))
    wanted = 1.0 - objective
    for below, above in pairwise(pools):
        if below.share <= wanted < above.share:
            # Half a request where none was late, whose logarithm there is not.
            low, high = (math.log(max(one.share, 0.5 / one.sent)) for one in (below, above))
            part = (math.log(wanted) - low) / (high - low) if high > low else 0.5
            return below.rate + min(max(part, 0.0), 1.0) * (above.rate - below.rate)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """Steps that are taken together."""

    rate: float
    late: float
    sent: int

    @property
    def share(self) -> float:
        return self.late / self.sent

    def with_(self, other: _Pool) -> _Pool:
        sent = self.sent + other.sent
        rate = (self.rate * self.sent + other.rate * other.sent) / sent
        return _Pool(rate=rate, late=self.late + other.late, sent=sent)
