"""What is replayed: a service, as its status or the options tell it, and its load."""

from __future__ import annotations

from dataclasses import dataclass, replace

from foretide.api.durations import parse_seconds
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.status import InferenceServiceStatus
from foretide.cli.exits import Stop
from foretide.scaling.arrays import Floats
from foretide.serving.parallelism import instances
from foretide.simulate.command import values
from foretide.simulate.command.refused import Refused
from foretide.simulate.scenario import Duration, Law


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
class Case:
    """The service."""

    name: str
    law: Law
    law_from: str
    slo_seconds: float
    objective: float
    cold_start: Duration
    cold_start_from: str
    minimum: int
    maximum: int
    cost_per_hour: float | None = None  # of one replica
    currency: str = ""


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


def of_service(
    service: InferenceService,
    status: InferenceServiceStatus,
    hardware_class: HardwareClass | None,
    profile: ModelProfile | None,
    given: Given,
) -> Case:
    """As it runs now; raises Stop where nobody knows how fast the model is."""
    copies = instances(service.model_on(hardware_class.name), hardware_class) if hardware_class else 1
    law, law_from = _law(service, status, profile, given, copies)
    cold_start, cold_from = _cold_start(status, profile, given)
    cost = hardware_class.spec.cost if hardware_class else None
    return _bounded(
        Case(
            name=f"{service.namespace}/{service.name}",
            law=law,
            law_from=law_from,
            slo_seconds=_slo(given) if given.slo else service.latency_seconds,
            objective=_objective(given) if given.objective else service.objective,
            cold_start=cold_start,
            cold_start_from=cold_from,
            minimum=service.min_replicas,
            maximum=service.max_replicas,
            cost_per_hour=cost.amount_per_hour if cost else None,
            currency=cost.currency if cost else "",
        ),
        given,
    )


def of_options(name: str, given: Given) -> Case:
    """Of a load without a service in the cluster; raises Stop with what is missing."""
    for option, value in (("--slo", given.slo), ("--batch-time", given.batch_time), ("--cold-start", given.cold_start)):
        if value is None:
            example = "--slo 250ms --batch-time 10ms,40ms,8 --cold-start 60s"
            raise Stop(f"{option}: is needed where no SERVICE is named, e.g. {example}")
    return _bounded(
        Case(
            name=name,
            law=_batch_time(given, 1),
            law_from="--batch-time",
            slo_seconds=_slo(given),
            objective=_objective(given),
            cold_start=values.random_time("--cold-start", str(given.cold_start)),
            cold_start_from="--cold-start",
            minimum=1,
            maximum=100,
        ),
        given,
    )


def _law(
    service: InferenceService,
    status: InferenceServiceStatus,
    profile: ModelProfile | None,
    given: Given,
    copies: int,
) -> tuple[Law, str]:
    if given.batch_time is not None:
        return _batch_time(given, copies), "--batch-time"
    told = status.capacity
    if told is not None and told.source != "Prior":
        per_item, fixed = parse_seconds(told.batch_time.per_item), parse_seconds(told.batch_time.fixed)
        source, largest = f"status ({told.source})", service.spec.model.largest_batch
    elif profile is not None:
        per_item, fixed = profile.spec.per_item_seconds, profile.spec.fixed_seconds
        source, largest = f"ModelProfile {profile.name}", profile.spec.max_batch_size
    else:
        raise Stop(
            f"{service.name}: how long a batch takes is not known yet; run it for some minutes under load, apply a "
            "ModelProfile, or say it with --batch-time per-item,fixed,largest-batch"
        )
    largest = max(min(largest, service.spec.model.largest_batch, 1024), 1)
    copies = min(copies, 16)
    return Law(per_item_seconds=per_item, fixed_seconds=fixed, max_batch=largest, instances=copies), source


def _cold_start(status: InferenceServiceStatus, profile: ModelProfile | None, given: Given) -> tuple[Duration, str]:
    if given.cold_start is not None:
        return values.random_time("--cold-start", given.cold_start), "--cold-start"
    if (told := status.cold_start) is not None:
        p50, p90 = parse_seconds(told.p50), parse_seconds(told.p90)
        # Two quantiles of a distribution: straight up to the median, and through the other one on to the end.
        quantiles = [
            p50 * (0.5 + share) if share <= 0.5 else p50 + (p90 - p50) * (share - 0.5) / 0.4 for share in _SHARES
        ]
        return Duration(tuple(quantiles)), f"status ({told.starts} starts)"
    if profile is not None and profile.spec.cold_start_seconds is not None:
        return Duration.constant(profile.spec.cold_start_seconds), f"ModelProfile {profile.name}"
    raise Stop(
        "--cold-start: how long a replica takes until it is ready is not known yet; say it, e.g. --cold-start 60s"
    )


_SHARES = tuple(step / 100.0 for step in range(101))


def _batch_time(given: Given, copies: int) -> Law:
    return values.batch_time("--batch-time", str(given.batch_time), instances=min(copies, 16))


def _slo(given: Given) -> float:
    return values.duration("--slo", str(given.slo), low=0.001, high=3600.0)


def _objective(given: Given) -> float:
    return values.objective("--objective", given.objective or "99")


def _bounded(case: Case, given: Given) -> Case:
    least = case.minimum if given.min_replicas is None else given.min_replicas
    most = case.maximum if given.max_replicas is None else given.max_replicas
    if not 1 <= least <= most <= 2_000:
        raise Refused(
            "--min-replicas, --max-replicas", f"{least}, {most}", "must be 1 <= min <= max <= 2000", "swap them"
        )
    return replace(case, minimum=least, maximum=most)
