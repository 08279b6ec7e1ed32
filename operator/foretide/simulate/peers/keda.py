"""KEDA: a scale loop between zero and one, and an HPA on an external metric above.

Source: kedacore/keda pkg/scaling/scale_handler.go, executor/scale_scaledobjects.go, pkg/fallback, and the pages
"Scaling Deployments" and "Prometheus scaler" of its documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.scaling.readings import Readings
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, check_range, due, labels, ordered
from foretide.simulate.peers.hpa import TOLERANCE, HpaMemory, rescale, tolerances_of
from foretide.simulate.peers.hpa_behavior import Behavior, HpaRule
from foretide.simulate.peers.hpa_metrics import HpaMetric, Signal, Source, propose_per_replica
from foretide.simulate.peers.profile import Profile


class KedaRule(IntEnum):
    """What decides besides the rules of the HPA; numbered after them."""

    ACTIVATED = len(HpaRule)
    DEACTIVATED = len(HpaRule) + 1
    MIN_REPLICA_COUNT = len(HpaRule) + 2
    FALLBACK = len(HpaRule) + 3


class FallbackBehavior(StrEnum):
    STATIC = "static"
    CURRENT_REPLICAS = "currentReplicas"
    CURRENT_REPLICAS_IF_HIGHER = "currentReplicasIfHigher"
    CURRENT_REPLICAS_IF_LOWER = "currentReplicasIfLower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """What a metric becomes when it failed more often, in a row, than the threshold: target x replicas."""

    replicas: int
    failure_threshold: int = 3
    behavior: FallbackBehavior = FallbackBehavior.STATIC

    def __post_init__(self) -> None:
        check_range("replicas", self.replicas, 0, 2**31 - 1)
        check_range("failure_threshold", self.failure_threshold, 0, 2**31 - 1)

    def wanted(self, current: Ints) -> Ints:
        match self.behavior:
            case FallbackBehavior.STATIC:
                return np.full_like(current, self.replicas)
            case FallbackBehavior.CURRENT_REPLICAS:
                return current
            case FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER:
                return np.maximum(current, self.replicas)
            case FallbackBehavior.CURRENT_REPLICAS_IF_LOWER:
                return np.minimum(current, self.replicas)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KedaMemory:
    hpa: HpaMemory
    polled_at_seconds: Floats  # -inf: never
    last_active_seconds: Floats  # -inf: never
    failures: Ints  # in a row
    cached: Readings  # the metric of the last poll


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trigger:
    """The metric as KEDA serves it, after nulls and fallback."""

    metric: Readings
    failures: Ints
    falls_back: Bools


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Executed:
    """What the scale loop does at a poll."""

    acts: Bools
    desired: Ints
    rule: Ints
    last_active_seconds: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Keda:
    """A ScaledObject with one Prometheus trigger; minReplicaCount and maxReplicaCount (0 and 100) are the bounds.

    With `ignore_null_values` an empty result is zero, which is KEDA's default. The seam does not tell an empty result
    from a Prometheus that does not answer: here it is empty where no pod is ready, an error where ready pods exist.
    """

    profile: Profile
    signal: Signal = Signal.RATE
    threshold: float = 0.7  # as `target` of HpaMetric: share of saturation, or requests that wait per replica
    window_seconds: float = 60.0
    activation_threshold: float = 0.0  # of the whole service, in the unit of the signal
    polling_interval_seconds: float = 30.0
    cooldown_period_seconds: float = 300.0
    use_cached_metrics: bool = False  # true: the HPA sees the metric of the last poll, false: it is asked anew
    ignore_null_values: bool = True
    fallback: Fallback | None = None
    behavior: Behavior | None = field(default_factory=Behavior)
    tolerance: float = TOLERANCE
    tick_seconds: float = 15.0  # of the HPA

    def __post_init__(self) -> None:
        check_range("activation_threshold", self.activation_threshold, 0.0, np.inf)
        check_range("polling_interval_seconds", self.polling_interval_seconds, 1.0, 3600.0)
        check_range("cooldown_period_seconds", self.cooldown_period_seconds, 0.0, 86400.0)
        check_range("tolerance", self.tolerance, 0.0, 1.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, 3600.0)
        _ = self._metric  # checks signal, threshold and window_seconds

    @property
    def _metric(self) -> HpaMetric:
        return HpaMetric(
            source=Source.EXTERNAL_AVERAGE_VALUE,
            signal=self.signal,
            target=self.threshold,
            window_seconds=self.window_seconds,
        )

    @property
    def queries(self) -> tuple[Query, ...]:
        return self._metric.queries

    def start(self, past: Past) -> KedaMemory:
        """It knows nothing of the past."""
        services = past.services
        return KedaMemory(
            hpa=HpaMemory.fresh(services),
            polled_at_seconds=np.full(services, -np.inf),
            last_active_seconds=np.full(services, -np.inf),
            failures=np.zeros(services, dtype=np.int64),
            cached=Readings.unknown(services),
        )

    def decide(self, seen: Observation, memory: KedaMemory) -> PeerAnswer[KedaMemory]:
        """The scale loop where a poll is due, the HPA everywhere else."""
        current, now = seen.fleet.replicas, seen.now_seconds
        polled = due(
            memory.polled_at_seconds,
            every_seconds=self.polling_interval_seconds,
            tick_seconds=self.tick_seconds,
            now_seconds=now,
        )
        target = self._metric.targets(self.profile)
        trigger = self._trigger(seen, memory, target, polled)
        served = (
            Readings(
                value=np.where(polled, trigger.metric.value, memory.cached.value),
                known=np.where(polled, trigger.metric.known, memory.cached.known),
            )
            if self.use_cached_metrics
            else trigger.metric
        )
        executed = self._execute(seen, memory, trigger, polled)
        rescaled = rescale(
            propose_per_replica(
                served,
                target=target,
                status_replicas=seen.pods.count(~seen.pods.leaving, services=len(seen)),
                tolerances=tolerances_of(self.behavior, self.tolerance),
            ),
            current=current,
            minimum=np.maximum(seen.bounds.minimum, 1),  # between 0 and 1 it is not the HPA that decides
            maximum=seen.bounds.maximum,
            memory=memory.hpa,
            behavior=self.behavior,
            now_seconds=now,
            decides=~ordered(seen.bounds) & ~executed.acts,
        )
        rule = np.where(
            trigger.falls_back & (rescaled.rule == HpaRule.DESIRED_WITHIN_RANGE), KedaRule.FALLBACK, rescaled.rule
        )
        return answer(
            desired=np.where(executed.acts, executed.desired, rescaled.desired),
            rule=np.where(executed.acts, executed.rule, rule),
            rules=(*labels(HpaRule), *labels(KedaRule)),
            memory=KedaMemory(
                hpa=rescaled.memory,
                polled_at_seconds=np.where(polled, now, memory.polled_at_seconds),
                last_active_seconds=executed.last_active_seconds,
                failures=trigger.failures,
                cached=served,
            ),
            seen=seen,
        )

    def _trigger(self, seen: Observation, memory: KedaMemory, target: Floats, polled: Bools) -> Trigger:
        """The metric now. Each poll and each question of the HPA that is answered anew counts a failure."""
        measured = self._metric.total(seen)
        empty = seen.pods.count(seen.pods.ready, services=len(seen)) == 0
        known = measured.known | (empty & self.ignore_null_values)
        asked = polled.astype(np.int64) + (0 if self.use_cached_metrics else 1)
        failures = np.where(asked == 0, memory.failures, np.where(known, 0, memory.failures + asked))
        if self.fallback is None:
            return Trigger(
                metric=Readings(value=measured.value, known=known), failures=failures, falls_back=np.zeros_like(known)
            )
        falls_back = ~known & (failures > self.fallback.failure_threshold)
        replacement = target * self.fallback.wanted(seen.fleet.replicas)
        return Trigger(
            metric=Readings(value=np.where(falls_back, replacement, measured.value), known=known | falls_back),
            failures=failures,
            falls_back=falls_back,
        )

    def _execute(self, seen: Observation, memory: KedaMemory, trigger: Trigger, polled: Bools) -> Executed:
        """From zero when active, to zero after the cooldown, up to the minimum; an error moves nothing."""
        current, minimum, now = seen.fleet.replicas, seen.bounds.minimum, seen.now_seconds
        error = ~trigger.metric.known
        active = (trigger.metric.known & (trigger.metric.value > self.activation_threshold)) | trigger.falls_back
        # A fallback to no replicas at all lets errors scale to zero.
        blocked = error if self.fallback is None or self.fallback.replicas != 0 else np.zeros_like(error)
        idle = polled & ~active & ~blocked
        cooled = memory.last_active_seconds + self.cooldown_period_seconds < now
        moves = {
            KedaRule.ACTIVATED: (polled & active & (current == 0), np.maximum(minimum, 1)),
            KedaRule.DEACTIVATED: (idle & (current > 0) & (minimum == 0) & cooled, np.zeros_like(current)),
            KedaRule.MIN_REPLICA_COUNT: (idle & (current < minimum), minimum),
        }
        conditions = [condition for condition, _ in moves.values()]
        return Executed(
            acts=np.logical_or.reduce(conditions),
            desired=np.select(conditions, [replicas for _, replicas in moves.values()], default=current),
            rule=np.select(conditions, [int(rule) for rule in moves], default=0),
            last_active_seconds=np.where(polled & active, now, memory.last_active_seconds),
        )
