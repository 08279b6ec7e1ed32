"""What is replayed: a service, as its status or the options tell it, and its load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from foretide.api.durations import parse_seconds
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.status import InferenceServiceStatus
from foretide.cli.exits import Stop
from foretide.cli.known import Status, batch_law, status_of
from foretide.scaling.arrays import Floats
from foretide.serving.parallelism import instances
from foretide.serving.queue_policy import timeout_microseconds
from foretide.simulate.command import values
from foretide.simulate.command.refused import Refused
from foretide.simulate.scenario import Duration, Law, Queue

MOST_INSTANCES: Final = 16
MOST_BATCH: Final = 1_024
MOST_REPLICAS: Final = 2_000
SHARES: Final = tuple(step / 100.0 for step in range(101))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the options say; it wins over what status says. None: not given."""

    slo: str | None = None
    objective: str | None = None
    batch_time: str | None = None
    cold_start: str | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnClass:
    """The service on one hardware class."""

    name: str  # empty where no cluster was asked
    law: Law
    law_from: str
    cold_start: Duration
    cold_start_from: str
    queue: Queue = field(default_factory=Queue)  # of each replica
    quota: int | None = None  # replicas at most; None: none
    cost_per_hour: float | None = None  # of one replica
    currency: str = ""

    def is_feasible(self, slo_seconds: float) -> bool:
        """Whether a single item, alone, is within the SLO."""
        return self.law.batch_seconds(1) <= slo_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The service. Its classes are in its order, at least one; what was left out of them is told in `notes`."""

    name: str
    slo_seconds: float
    objective: float
    minimum: int
    maximum: int
    classes: tuple[OnClass, ...]
    notes: tuple[str, ...] = ()

    @property
    def usual(self) -> OnClass:
        """The first class that keeps the SLO; where none does, the first."""
        return next((one for one in self.classes if one.is_feasible(self.slo_seconds)), self.classes[0])

    @property
    def currencies(self) -> tuple[str, ...]:
        """Of the prices, each once."""
        return tuple(dict.fromkeys(one.currency for one in self.classes if one.cost_per_hour is not None))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Load:
    """Items a second in steps of equal length; what was not known is filled, and how much that was is told."""

    rates_rps: Floats
    step_seconds: float
    start_seconds: float  # Unix time; of a file without dates the Monday that the simulator begins with
    judged_from: int  # the first step that counts; what is before is known to who decides
    unknown_share: float
    source: str

    @property
    def judged_seconds(self) -> float:
        return (len(self.rates_rps) - self.judged_from) * self.step_seconds


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A service and its load."""

    case: Case
    load: Load


@dataclass(frozen=True, slots=True)
class Hardware:
    """The classes that a service lists, as far as they are there, and its ModelProfiles, by class."""

    classes: Mapping[str, HardwareClass] = field(default_factory=dict)
    profiles: Mapping[str, ModelProfile] = field(default_factory=dict)


def of_service(service: InferenceService, status: InferenceServiceStatus, hardware: Hardware, given: Given) -> Case:
    """As it runs now; raises Stop where nobody knows how fast the model is on any of its classes."""
    found, notes = [], []
    for name in service.hardware_classes:
        one = _on_class(service, status, hardware, name, given)
        if isinstance(one, OnClass):
            found.append(one)
        else:
            notes.append(one)
    if not found:
        raise Stop(
            f"{service.name}: how long a batch takes is not known yet; run it for some minutes under load, apply a "
            "ModelProfile, or say it with --batch-time per-item,fixed,largest-batch"
        )
    case = Case(
        name=f"{service.namespace}/{service.name}",
        slo_seconds=_slo(given) if given.slo else service.latency_seconds,
        objective=_objective(given) if given.objective else service.objective,
        minimum=service.min_replicas,
        maximum=service.max_replicas,
        classes=tuple(found),
        notes=tuple(notes),
    )
    return _bounded(case, given)


def of_options(name: str, given: Given) -> Case:
    """Of a load without a service in the cluster; raises Stop with what is missing."""
    for option, value in (("--slo", given.slo), ("--batch-time", given.batch_time), ("--cold-start", given.cold_start)):
        if value is None:
            example = "--slo 250ms --batch-time 10ms,40ms,8 --cold-start 60s"
            raise Stop(f"{option}: is needed where no SERVICE is named, e.g. {example}")
    alone = OnClass(
        name="",
        law=_batch_time(given, 1),
        law_from="--batch-time",
        cold_start=values.random_time("--cold-start", str(given.cold_start)),
        cold_start_from="--cold-start",
    )
    slo, objective = _slo(given), _objective(given)
    case = Case(name=name, slo_seconds=slo, objective=objective, minimum=1, maximum=100, classes=(alone,))
    return _bounded(case, given)


def _on_class(
    service: InferenceService, status: InferenceServiceStatus, hardware: Hardware, name: str, given: Given
) -> OnClass | str:
    """Why it is left out where it is."""
    there, profile = hardware.classes.get(name), hardware.profiles.get(name)
    if there is None and len(service.hardware_classes) > 1:
        return f"{name} is left out: there is no such HardwareClass"
    copies = min(instances(service.model_on(name), there), MOST_INSTANCES) if there else 1
    told = status_of(service.hardware_classes, status, name)
    if given.batch_time is not None:
        law, law_from = _batch_time(given, copies), "--batch-time"
    elif (known := batch_law(service, name, told, profile)) is None:
        return f"{name} is left out: how long a batch takes on it is not known; apply a ModelProfile"
    else:
        law_from = known.says
        law = Law(
            per_item_seconds=known.per_item_seconds,
            fixed_seconds=known.fixed_seconds,
            max_batch=min(known.largest, MOST_BATCH),
            instances=copies,
        )
    cold_start, cold_start_from = _cold_start(status, told, profile, given)
    quota = there.spec.quota.max_replicas if there and there.spec.quota else None
    if quota is not None and quota < 1:
        return f"{name} is left out: its quota is 0"
    cost = there.spec.cost if there else None
    return OnClass(
        name=name,
        law=law,
        law_from=law_from,
        cold_start=cold_start,
        cold_start_from=cold_start_from,
        queue=_queue(service, there, given) if there else Queue(),
        quota=quota,
        cost_per_hour=cost.amount_per_hour if cost else None,
        currency=cost.currency if cost else "",
    )


def _queue(service: InferenceService, there: HardwareClass, given: Given) -> Queue:
    """What a replica refuses; with another SLO as much of that."""
    timeout_us = timeout_microseconds(service, there)
    if timeout_us is None:
        return Queue()
    slo_seconds = _slo(given) if given.slo else service.latency_seconds
    return Queue(timeout_seconds=timeout_us / 1e6 * slo_seconds / service.latency_seconds)


def _cold_start(
    status: InferenceServiceStatus, on_class: Status, profile: ModelProfile | None, given: Given
) -> tuple[Duration, str]:
    """Of a class that nobody measured, as of the others."""
    if given.cold_start is not None:
        return values.random_time("--cold-start", given.cold_start), "--cold-start"
    measured = profile.spec.cold_start_seconds if profile is not None else None
    told = on_class.cold_start or (status.cold_start if measured is None else None)
    if told is not None:
        p50, p90 = parse_seconds(told.p50), parse_seconds(told.p90)
        # Two quantiles of a distribution: straight up to the median, and through the other one on to the end.
        quantiles = [
            p50 * (0.5 + share) if share <= 0.5 else p50 + (p90 - p50) * (share - 0.5) / 0.4 for share in SHARES
        ]
        return Duration(tuple(quantiles)), f"status ({told.starts} starts)"
    if profile is not None and measured is not None:
        return Duration.constant(measured), f"ModelProfile {profile.name}"
    raise Stop(
        "--cold-start: how long a replica takes until it is ready is not known yet; say it, e.g. --cold-start 60s"
    )


def _batch_time(given: Given, copies: int) -> Law:
    return values.batch_time("--batch-time", str(given.batch_time), instances=copies)


def _slo(given: Given) -> float:
    return values.duration("--slo", str(given.slo), low=0.001, high=3600.0)


def _objective(given: Given) -> float:
    return values.objective("--objective", given.objective or "99")


def _bounded(case: Case, given: Given) -> Case:
    least = case.minimum if given.min_replicas is None else given.min_replicas
    most = case.maximum if given.max_replicas is None else given.max_replicas
    if not 1 <= least <= most <= MOST_REPLICAS:
        raise Refused(
            "--min-replicas, --max-replicas",
            f"{least}, {most}",
            f"must be 1 <= min <= max <= {MOST_REPLICAS}",
            "swap them",
        )
    return replace(case, minimum=least, maximum=most)
