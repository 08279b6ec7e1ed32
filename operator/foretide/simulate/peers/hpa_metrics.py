"""What each kind of metric makes the HPA propose.

Source: kubernetes pkg/controller/podautoscaler/replica_calculator.go. Values are whole thousandths, as the
`Quantity` of the metrics APIs has them; so 1.1 is within a tolerance of 10 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints, count, total
from foretide.scaling.policy import Observation, Over, PodList, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.simulate.peers.bounds import check_range, whole_replicas
from foretide.simulate.peers.profile import Profile

# A sum of a million pods of this size still is a whole number of thousandths.
MOST: Final = 1e9
# The smallest Quantity of which the controller knows more than that it is not zero.
LEAST: Final = 1e-3
AGE_OF_USAGE: Final = Query(Quantity.BUSY_SECONDS, Over.AGE)


class Source(StrEnum):
    """Where the HPA gets a metric, which decides what it does with pods that are not ready."""

    PODS = "Pods"
    RESOURCE = "Resource"
    EXTERNAL_AVERAGE_VALUE = "ExternalAverageValue"
    EXTERNAL_VALUE = "ExternalValue"


class Signal(StrEnum):
    """What is measured."""

    RATE = "rate"  # requests answered a second
    RATE_AND_FAILURES = "rate_and_failures"  # with those refused or failed
    PENDING = "pending"  # requests that wait
    UTILISATION = "utilisation"  # share of the time that instances were busy


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaMetric:
    """One entry of `spec.metrics`.

    `target` is per replica. Rates: a share of the saturation of one replica, which users know from a load test.
    Pending: requests. Utilisation: the share of the time that all instances are busy.
    """

    source: Source = Source.EXTERNAL_AVERAGE_VALUE
    signal: Signal = Signal.RATE
    target: float = 0.7
    window_seconds: float = 60.0  # documents recommend 30 s to 1 min; of pending 0 means the newest sample

    def __post_init__(self) -> None:
        if not 0.0 < self.target <= MOST:
            raise ValueError(f"target must be within (0, {MOST}], not {self.target}")
        if self.source is Source.RESOURCE and self.signal is not Signal.UTILISATION:
            raise ValueError(f"signal of a Resource metric must be utilisation, not {self.signal}")
        check_range("window_seconds", self.window_seconds, 0.0 if self.signal is Signal.PENDING else 1.0, 3600.0)

    @property
    def _summands(self) -> tuple[Query, ...]:
        window = self.window_seconds
        match self.signal:
            case Signal.RATE:
                return (Query(Quantity.SUCCESS, Over.RATE, window),)
            case Signal.RATE_AND_FAILURES:
                return (Query(Quantity.SUCCESS, Over.RATE, window), Query(Quantity.FAILURE, Over.RATE, window))
            case Signal.PENDING:
                return (Query(Quantity.PENDING, Over.AVERAGE if window else Over.NEWEST, window),)
            case Signal.UTILISATION:
                return (Query(Quantity.BUSY_SECONDS, Over.RATE, window),)

    @property
    def queries(self) -> tuple[Query, ...]:
        return (*self._summands, AGE_OF_USAGE) if self.source is Source.RESOURCE else self._summands

    def per_pod(self, seen: Observation) -> Readings:
        """The value of each pod; known where every summand is, since PromQL adds nothing to a missing series."""
        answers = [seen.answers[query] for query in self._summands]
        value, known = np.zeros(len(seen.pods)), np.ones(len(seen.pods), dtype=np.bool_)
        for answer in answers:
            value, known = value + answer.value, known & answer.known
        if self.signal is Signal.UTILISATION and self.source is not Source.RESOURCE:
            value = value / seen.promise.instances[seen.pods.service]
        return Readings.checked(value, known, low=0.0, high=MOST)

    def total(self, seen: Observation) -> Readings:
        """The sum over all pods that answer, ready or not; unknown where none does (no series, no sum)."""
        values = self.per_pod(seen)
        return Readings(
            value=total(seen.pods.service, values.value, length=len(seen)),
            known=seen.pods.count(values.known, services=len(seen)) > 0,
        )

    def targets(self, profile: Profile) -> Floats:
        """The target per replica of each service, in the unit of the signal."""
        if self.signal in (Signal.RATE, Signal.RATE_AND_FAILURES):
            return np.maximum(self.target * profile.saturation_rps, LEAST)
        return np.full(len(profile.max_batch), max(self.target, LEAST))


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Ratios of metric to target that are near enough to 1."""

    up: float
    down: float

    def within(self, ratio: Floats) -> Bools:
        return (1.0 - self.down <= ratio) & (ratio <= 1.0 + self.up)


@dataclass(frozen=True, slots=True)
class PodPhases:
    """When the HPA believes a pod; `pending_seconds` stands in for the phase, which the seam does not show."""

    cpu_initialization_seconds: float = 300.0  # --horizontal-pod-autoscaler-cpu-initialization-period
    pending_seconds: float = 0.0  # a pod that is not ready counts as Pending until this age, as running after it

    def pending(self, pods: PodList) -> Bools:
        return ~pods.ready & (pods.age_seconds < self.pending_seconds)

    def unready(self, pods: PodList, sample_age: Readings, window_seconds: float) -> Bools:
        """Of a Resource metric. While a pod is young: not ready, or its sample reaches back to before it was.

        Older ones count as ready unless they never were. The seam does not tell a pod that was ready before, so
        each that is not ready counts as one that never was.
        """
        young = pods.age_seconds < self.cpu_initialization_seconds
        early = pods.ready_age_seconds - np.where(sample_age.known, sample_age.value, 0.0) < window_seconds
        return ~pods.ready | (young & early)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """Replicas that one metric asks for; none where it failed."""

    replicas: Ints
    failed: Bools


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """Pods that count, and how many are set aside."""

    counted: Bools  # per pod
    ready: Ints
    unready: Ints
    missing: Ints

    @classmethod
    def of(cls, pods: PodList, *, known: Bools, pending: Bools, unready: Bools, services: int) -> Groups:
        """In the order of the HPA: leaving pods are no pods, then Pending, then without a metric, then not ready."""
        alive = ~pods.leaving
        missing = alive & ~pending & ~known
        aside = alive & (pending | (known & unready))
        counted = alive & ~missing & ~aside
        return cls(
            counted=counted,
            ready=count(pods.service, counted, length=services),
            unready=count(pods.service, aside, length=services),
            missing=count(pods.service, missing, length=services),
        )


def propose_average(
    groups: Groups,
    *,
    usage: Floats,
    unit: Floats,
    target: Floats,
    missing_when_shrinking: Floats,
    current: Ints,
    tolerances: Tolerances,
) -> Proposal:
    """Pods and Resource metrics: the average over the pods that count, then again with the others guessed.

    `usage` is the sum, `unit` what one pod is divided by. Missing pods use `missing_when_shrinking` when the average
    is below target and nothing above it; pods that are not ready use nothing above it and do not exist below it. The
    second average decides, but never in the other direction and never across the present number.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _average(usage, groups.ready, unit) / target
        simple = ~((groups.unready > 0) & (ratio > 1.0)) & (groups.missing == 0)
        added = np.where(ratio != 1.0, groups.missing, 0) + np.where(ratio > 1.0, groups.unready, 0)
        guessed = usage + np.where(ratio < 1.0, groups.missing * missing_when_shrinking, 0.0)
        again = _average(guessed, groups.ready + added, unit) / target
        turned = ((ratio < 1.0) & (again > 1.0)) | ((ratio > 1.0) & (again < 1.0))
    corrected = whole_replicas(again * (groups.ready + added))
    crossed = ((again < 1.0) & (corrected > current)) | ((again > 1.0) & (corrected < current))
    keep = np.where(simple, tolerances.within(ratio), tolerances.within(again) | turned | crossed)
    wanted = np.where(simple, whole_replicas(ratio * groups.ready), corrected)
    return Proposal(replicas=np.where(keep, current, wanted), failed=groups.ready == 0)


def propose_per_replica(metric: Readings, *, target: Floats, status_replicas: Ints, tolerances: Tolerances) -> Proposal:
    """External AverageValue: total / target, whatever is ready, unless near enough to what is there."""
    usage, goal = thousandths(metric.value), thousandths(target)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = tolerances.within(usage / (goal * status_replicas))
    return Proposal(replicas=np.where(near, status_replicas, whole_replicas(usage / goal)), failed=~metric.known)


def propose_value(
    metric: Readings, *, target: Floats, current: Ints, pods: PodList, tolerances: Tolerances
) -> Proposal:
    """External Value: the ratio times the ready pods, so that it over-scales while others start."""
    services = len(current)
    ratio = thousandths(metric.value) / thousandths(target)
    ready = pods.count(pods.ready, services=services)
    listed = pods.count(np.ones(len(pods), dtype=np.bool_), services=services) > 0
    running = np.where(tolerances.within(ratio), current, whole_replicas(ratio * ready))
    return Proposal(
        replicas=np.where(current == 0, whole_replicas(ratio), running),
        failed=~metric.known | ((current != 0) & ~tolerances.within(ratio) & ~listed),
    )


def propose(
    metric: HpaMetric, seen: Observation, profile: Profile, *, tolerances: Tolerances, phases: PodPhases
) -> Proposal:
    """What this metric asks for."""
    pods, current, services = seen.pods, seen.fleet.replicas, len(seen)
    target = metric.targets(profile)
    if metric.source is Source.EXTERNAL_AVERAGE_VALUE:
        alive = pods.count(~pods.leaving, services=services)
        return propose_per_replica(metric.total(seen), target=target, status_replicas=alive, tolerances=tolerances)
    if metric.source is Source.EXTERNAL_VALUE:
        # Value compares with the target as it is, so users give it an average: `avg()` over the pods that answer.
        answering = pods.count(metric.per_pod(seen).known, services=services)
        added = metric.total(seen)
        average = Readings(value=added.value / np.maximum(answering, 1), known=added.known)
        return propose_value(average, target=target, current=current, pods=pods, tolerances=tolerances)
    values = metric.per_pod(seen)
    is_resource = metric.source is Source.RESOURCE
    groups = Groups.of(
        pods,
        known=values.known,
        pending=phases.pending(pods),
        unready=phases.unready(pods, seen.answers[AGE_OF_USAGE], metric.window_seconds)
        if is_resource
        else np.zeros(len(pods), dtype=np.bool_),
        services=services,
    )
    usage = total(pods.service, np.where(groups.counted, thousandths(values.value), 0.0), length=services)
    if is_resource:
        # Utilisation is in whole per cent of the request, here of the time of all instances; the target as well.
        request, per_cent = thousandths(seen.promise.instances.astype(np.float64)), np.rint(100.0 * target)
        unit, goal, missing = request / 100.0, per_cent, request * np.maximum(100.0, per_cent) / 100.0
    else:
        goal = thousandths(target)
        unit, missing = np.ones(services), goal
    return propose_average(
        groups,
        usage=usage,
        unit=unit,
        target=goal,
        missing_when_shrinking=missing,
        current=current,
        tolerances=tolerances,
    )


def thousandths(value: Floats) -> Floats:
    """Whole thousandths, as a Quantity has them."""
    return np.rint(value * 1000.0)


def _average(usage: Floats, pods: Ints, unit: Floats) -> Floats:
    """Rounded down, as the integer division of the source does it."""
    return np.floor(usage / (pods * unit))
