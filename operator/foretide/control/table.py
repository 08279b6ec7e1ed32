"""The services of one tick: each as it stood when the answers were in, and all of them as the arrays of a brain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foretide.adapters.resources import Object
from foretide.api.hardwareclass import HardwareClass
from foretide.api.modelprofile import ModelProfile
from foretide.api.pause import is_paused
from foretide.control.by_hand import FREE, Stand
from foretide.control.places import Place
from foretide.control.policies import NoPolicy, Policy
from foretide.control.serving_status import rollout
from foretide.control.world import Key, Served
from foretide.scaling.decision import Bounds, Fleet
from foretide.scaling.policy import Promise
from foretide.serving.parallelism import instances


@dataclass(frozen=True, slots=True)
class Row:
    """One service as it stood when the answers were in."""

    key: Key
    served: Served
    raw: Object
    deployment: Object
    foreign_scaler: str | None
    policy: Policy
    profile: ModelProfile | None
    by_hand: Stand = FREE
    places: tuple[Place, ...] = ()  # its hardware classes where it lists several, whose Deployments are as one then

    @property
    def hardware(self) -> tuple[tuple[HardwareClass, int], ...]:
        """Its usable hardware classes, and the replicas asked for of each."""
        if not self.places:
            return ((self.served.hardware_class, rollout(self.deployment).wanted),)
        classes = ((place.served.hardware_class, place.running) for place in self.places)
        return tuple((one, replicas) for one, replicas in classes if one is not None)

    @property
    def is_left_alone(self) -> bool:
        """Its replicas are not ours to change."""
        return self.is_off_limits or self.by_hand.reason is not None

    @property
    def is_off_limits(self) -> bool:
        """By the spec or the annotation, or by somebody who scales it instead."""
        paused = self.served.service.spec.scaling.paused or is_paused(self.raw)
        return paused or self.foreign_scaler is not None or isinstance(self.policy, NoPolicy)


def bounds(rows: Sequence[Row]) -> Bounds:
    """What the users order; a service with a foreign scaler, or without the policy that it names, is left alone like
    a paused one."""
    services = [row.served.service for row in rows]
    scalings = [service.spec.scaling for service in services]
    return Bounds(
        minimum=np.array([service.min_replicas for service in services], dtype=np.int64),
        maximum=np.array([service.max_replicas for service in services], dtype=np.int64),
        paused=np.array([row.is_left_alone for row in rows], dtype=np.bool_),
        is_pinned=np.array([scaling.replicas is not None for scaling in scalings], dtype=np.bool_),
        pinned=np.array([scaling.replicas or 0 for scaling in scalings], dtype=np.int64),
    )


def fleet(rows: Sequence[Row]) -> Fleet:
    """Of several hardware classes what the last tick counted on."""
    states = [rollout(row.deployment) for row in rows]
    counted = [
        sum(place.counted for place in row.places) if row.places else state.wanted
        for row, state in zip(rows, states, strict=True)
    ]
    return Fleet(
        replicas=np.array(counted, dtype=np.int64),
        rolling=np.array([state.replacing for state in states], dtype=np.bool_),
    )


def promise(rows: Sequence[Row]) -> Promise:
    services = [row.served.service for row in rows]
    return Promise(
        slo_latency_seconds=np.array([service.latency_seconds for service in services], dtype=np.float64),
        objective=np.array([service.objective for service in services], dtype=np.float64),
        max_batch=np.array([row.served.model.largest_batch for row in rows], dtype=np.int64),
        instances=np.array([instances(row.served.model, row.served.hardware_class) for row in rows], dtype=np.int64),
        window_seconds=np.array([service.spec.slo.window_seconds for service in services], dtype=np.float64),
    )
