"""Whether a class of hardware keeps the SLO, how many replicas a load needs on it, and what those cost. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.cli.known import BatchLaw, Source, Status, batch_law
from foretide.scaling.capacity import Law, rate_per_replica
from foretide.serving.parallelism import instances


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load on one class, with no other beside it."""

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
    source: Source
    feasible: bool | None  # None: nothing is measured, so nobody knows
    single_item_seconds: float | None
    per_replica: float  # items a second within the SLO
    loads: tuple[Loaded, ...]
    currency: str | None


def feasibility(
    service: InferenceService,
    hardware_class: HardwareClass,
    *,
    profile: ModelProfile | None,
    told: Status,
    loads: Sequence[float],
) -> Feasibility:
    """`told` is of the service that runs, where its model is the same."""
    found = batch_law(service, hardware_class.name, told, profile)
    law = _law(found)
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
        source=Source.ASSUMED if found is None else found.source,
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


def _law(found: BatchLaw | None) -> Law:
    known = np.array([found is not None])
    return Law(
        per_item_seconds=np.array([found.per_item_seconds if found else 0.0]),
        fixed_seconds=np.array([found.fixed_seconds if found else 0.0]),
        largest=np.array([float(found.largest) if found else 1.0]),
        known=known,
        single_known=known,
        told=known,
    )


def as_document(found: Feasibility, *, chosen: bool) -> Mapping[str, Any]:
    """For scripts."""
    return {
        "hardwareClass": found.hardware_class,
        "chosen": chosen,
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
