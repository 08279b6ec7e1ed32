"""Whether a class of hardware keeps the SLO, how many replicas a load needs on it, and what those cost. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from foretide.api.durations import parse_seconds
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.status import Capacity as ToldCapacity
from foretide.scaling.capacity import Law, rate_per_replica
from foretide.serving.parallelism import instances


class Source(StrEnum):
    """Where the batch-time law is from, the best first."""

    MEASURED = "measured"  # status of the service that runs
    PROFILE = "profile"  # a ModelProfile
    ASSUMED = "assumed"  # nothing is known: each item takes half the SLO


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load on one class."""

    items_per_second: float
    needed: int  # replicas within the SLO, whatever the bounds are
    replicas: int  # within the bounds and the quota
    cost_per_hour: float | None

    @property
    def kept(self) -> bool:
        return self.replicas >= self.needed


@dataclass(frozen=True, slots=True)
class Feasibility:
    """One class of those that a service may use."""

    hardware_class: str
    chosen: bool  # the one it runs on: the first of the list
    source: Source
    feasible: bool | None  # None: nothing is measured, so nobody knows
    single_item_seconds: float | None
    per_replica: float  # items a second within the SLO
    loads: tuple[Loaded, ...]
    currency: str | None

    @property
    def keeps_all(self) -> bool:
        return self.feasible is not False and all(load.kept for load in self.loads)


def feasibility(
    service: InferenceService,
    hardware_class: HardwareClass,
    *,
    profile: ModelProfile | None,
    told: ToldCapacity | None,
    loads: Sequence[float],
) -> Feasibility:
    """`told` is the capacity of status, where this service runs on this class already."""
    law, source = _law(service, profile, told)
    capacity = rate_per_replica(
        law,
        slo_latency_seconds=np.array([service.latency_seconds]),
        objective=np.array([service.objective]),
        max_batch=np.array([service.model_on(hardware_class.name).largest_batch]),
        instances=np.array([instances(service.model_on(hardware_class.name), hardware_class)]),
    )
    rate, known = float(capacity.rate_rps[0]), bool(law.known[0])
    cost = hardware_class.spec.cost
    return Feasibility(
        hardware_class=hardware_class.name,
        chosen=hardware_class.name == service.hardware_classes[0],
        source=source,
        feasible=bool(capacity.feasible[0]) if known else None,
        single_item_seconds=float(law.per_item_seconds[0] + law.fixed_seconds[0]) if known else None,
        per_replica=rate,
        loads=tuple(_loaded(service, hardware_class, load, rate) for load in loads),
        currency=cost.currency if cost else None,
    )


def _loaded(service: InferenceService, hardware_class: HardwareClass, load: float, rate: float) -> Loaded:
    needed = max(math.ceil(load / rate - 1e-9), 1)
    quota = hardware_class.spec.quota
    most = min(service.max_replicas, quota.max_replicas) if quota else service.max_replicas
    replicas = min(max(needed, service.min_replicas), most)
    cost = hardware_class.spec.cost
    return Loaded(load, needed, replicas, replicas * cost.amount_per_hour if cost else None)


def _law(service: InferenceService, profile: ModelProfile | None, told: ToldCapacity | None) -> tuple[Law, Source]:
    """What is measured of the service that runs counts more than a profile, as it does for the operator."""
    largest = float(service.spec.model.largest_batch)
    if told is not None and told.source == "Measured":
        law = told.batch_time
        return _known(parse_seconds(law.per_item), parse_seconds(law.fixed), largest), Source.MEASURED
    if profile is not None:
        spec = profile.spec
        return _known(spec.per_item_seconds, spec.fixed_seconds, float(spec.max_batch_size)), Source.PROFILE
    return _law_of(0.0, 0.0, 1.0, known=False), Source.ASSUMED


def _known(per_item: float, fixed: float, largest: float) -> Law:
    return _law_of(per_item, fixed, largest, known=True)


def _law_of(per_item: float, fixed: float, largest: float, *, known: bool) -> Law:
    flag = np.array([known])
    return Law(
        per_item_seconds=np.array([per_item]),
        fixed_seconds=np.array([fixed]),
        largest=np.array([largest]),
        known=flag,
        single_known=flag,
        told=flag,
    )


def as_document(found: Feasibility) -> Mapping[str, Any]:
    """For scripts."""
    return {
        "hardwareClass": found.hardware_class,
        "chosen": found.chosen,
        "source": str(found.source),
        "feasible": found.feasible,
        "singleItemSeconds": found.single_item_seconds,
        "itemsPerSecondPerReplica": round(found.per_replica, 3),
        "currency": found.currency,
        "loads": [
            {
                "itemsPerSecond": load.items_per_second,
                "replicasNeeded": load.needed,
                "replicas": load.replicas,
                "kept": load.kept,
                "costPerHour": None if load.cost_per_hour is None else round(load.cost_per_hour, 6),
            }
            for load in found.loads
        ],
    }
