"""The replicas of each hardware class that carry a load together, as the operator would divide them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.cli.known import Source
from foretide.cli.plan.feasibility import Feasibility
from foretide.scaling.arbitrate import Need, Room, in_order
from foretide.scaling.arrays import Ints


@dataclass(frozen=True, slots=True)
class Fleet:
    """All classes of a service at one load."""

    items_per_second: float
    replicas: Mapping[str, int]  # of the classes in use, in the order of the list
    kept: bool  # whether they carry it within the SLO
    costs: Mapping[str, float] | None  # an hour, by currency; None where a class in use has no price


def fleet(
    service: InferenceService, classes: Sequence[HardwareClass], found: Sequence[Feasibility], load: float
) -> Fleet:
    """`found` is of each of the classes, of which there is at least one. Their pods share the load evenly, so that
    each does what the slowest can (`scaling.arbitrate.in_order`)."""
    known = [one.per_replica for one in found if one.source is not Source.ASSUMED]
    # As for the operator: what was never tried is taken for the slowest that was.
    rates = [min(known) if known and one.source is Source.ASSUMED else one.per_replica for one in found]
    shape = (1, len(found))
    nothing, never = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    whole = np.ones(1, dtype=np.int64)
    need = Need(
        # One replica would do at the rate of the load.
        replicas=whole,
        rate_rps=np.array([load]),
        minimum=service.min_replicas * whole,
        maximum=service.max_replicas * whole,
        is_pinned=np.zeros(1, dtype=np.bool_),
    )
    room = Room(
        there=np.ones(shape, dtype=np.bool_),
        rate_rps=np.array([rates]),
        feasible=np.array([[one.feasible is not False for one in found]]),
        gone=never,
        stuck=never,
        going=nothing,
        asking=nothing,
    )

    def within_quota(place: int, wanted: Ints) -> Ints:
        quota = classes[place].spec.quota
        return wanted if quota is None else np.minimum(wanted, quota.max_replicas)

    split = in_order(need, room, within_quota)
    counted = {one.name: int(count) for one, count in zip(classes, split.counted[0], strict=True) if count > 0}
    return Fleet(load, counted, bool(split.carried[0]), _costs(classes, counted))


def _costs(classes: Sequence[HardwareClass], counted: Mapping[str, int]) -> Mapping[str, float] | None:
    found: dict[str, float] = {}
    for one in classes:
        if (count := counted.get(one.name, 0)) == 0:
            continue
        if one.spec.cost is None:
            return None
        currency = one.spec.cost.currency
        found[currency] = found.get(currency, 0.0) + count * one.spec.cost.amount_per_hour
    return found


def together(found: Fleet) -> str:
    """`3 cpu-16 + 2 gpu-t4`."""
    return " + ".join(f"{count} {name}" for name, count in found.replicas.items()) or "none"


def as_document(found: Fleet) -> Mapping[str, Any]:
    """For scripts."""
    return {
        "itemsPerSecond": found.items_per_second,
        "replicas": dict(found.replicas),
        "kept": found.kept,
        "costPerHour": None if found.costs is None else {name: round(cost, 6) for name, cost in found.costs.items()},
    }
