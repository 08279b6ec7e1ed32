"""Every policy that can be run, by name: what it is, its knobs with their defaults and sweeps, how it is scraped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from foretide.scaling.brain import Brain
from foretide.scaling.policy import AnyPolicy, Promise
from foretide.scaling.settings import ScalingSettings
from foretide.simulate.peers.aws import Aws
from foretide.simulate.peers.azure import Azure
from foretide.simulate.peers.dynamo import Dynamo
from foretide.simulate.peers.faro import Faro
from foretide.simulate.peers.faro_baselines import FairShare, FaroMark, FaroStepping, Step
from foretide.simulate.peers.faro_solver import Objective
from foretide.simulate.peers.forecasters.persistence import Persistence
from foretide.simulate.peers.hpa import Hpa
from foretide.simulate.peers.hpa_metrics import HpaMetric, Signal, Source
from foretide.simulate.peers.inferno import Inferno
from foretide.simulate.peers.keda import Keda
from foretide.simulate.peers.kpa import Kpa, KpaMetric
from foretide.simulate.peers.mark import Mark
from foretide.simulate.peers.phpa import Phpa
from foretide.simulate.peers.profile import Profile
from foretide.simulate.peers.scheduled import Scheduled
from foretide.simulate.peers.static import Static
from foretide.simulate.peers.wva import Wva
from foretide.simulate.trees import compiled_model

Knobs: TypeAlias = Mapping[str, Any]  # numbers, by the names of the fields that they set
Build: TypeAlias = Callable[[Profile, Promise, Knobs], AnyPolicy]

# As the operator expects by default, and as it queries then.
SCRAPE_SECONDS: Final = ScalingSettings().scrape_interval_seconds
RATE_WINDOW_SECONDS: Final = ScalingSettings().rate_window_seconds


@dataclass(frozen=True, slots=True)
class Knob:
    """A number that users of a policy tune."""

    name: str
    default: float  # of its documents
    sweep: tuple[float, ...]
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A policy of the list."""

    name: str
    summary: str
    build: Build
    knobs: tuple[Knob, ...] = ()
    # The simulator keeps 64 samples of each pod: queue-proxies tell Knative more often, long windows need it seldom.
    scrape_seconds: float = SCRAPE_SECONDS
    # Services share a quota: those of one seed belong together, and results depend on who is there.
    divides: bool = False

    def settings(self, given: Knobs) -> dict[str, float]:
        """All knobs, as given or by default; ValueError names those there are."""
        known = {knob.name: knob.default for knob in self.knobs}
        for name in given:
            if name not in known:
                there = f"its knobs are {', '.join(known)}" if known else "it has none"
                raise ValueError(f"{self.name} has no knob {name!r}; {there}")
        return {**known, **given}

    def policy(self, profile: Profile, promise: Promise, given: Knobs) -> AnyPolicy:
        """The policy for services of that profile and promise; ValueError where a knob is out of its range."""
        return self.build(profile, promise, self.settings(given))


def listed(name: str) -> Listed:
    """The policy of that name; ValueError names all there are."""
    if name not in POLICIES:
        raise ValueError(f"there is no policy {name!r}; there are {', '.join(POLICIES)}")
    return POLICIES[name]


_SHARES: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_UTILISATION: Final = Knob("target_utilisation", 0.7, _SHARES, "share of the saturation of a replica")
_FACTOR: Final = Knob("demand_factor", 1.0, (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0), "what the forecast is times")
_QUANTILE: Final = Knob("quantile", 0.5, (0.5, 0.7, 0.9, 0.99), "of the forecast")
_UP: Final = Knob("upscale_delay_seconds", 30.0, (10.0, 20.0, 30.0, 60.0), "above the SLO for so long")
_DOWN: Final = Knob("downscale_delay_seconds", 600.0, (300.0, 600.0, 1200.0), "not above it for so long")
_QUOTA: Final = Knob("quota", 4.0, (2.0, 3.2, 3.6, 4.0, 6.0, 10.0), "replicas per service, mean of all")


def _target(default: float, meaning: str) -> Knob:
    return Knob("target", default, _SHARES, meaning)


def _quota(knobs: Knobs, profile: Profile) -> int:
    quota: int = round(knobs["quota"] * len(profile.max_batch))
    return max(1, quota)


def _hpa(signal: Signal, source: Source = Source.EXTERNAL_AVERAGE_VALUE) -> Build:
    return lambda profile, promise, knobs: Hpa(
        profile=profile, metrics=(HpaMetric(source=source, signal=signal, target=knobs["target"]),)
    )


def _kpa(metric: KpaMetric) -> Build:
    return lambda profile, promise, knobs: Kpa(profile=profile, metric=metric, **knobs)


def _faro(*, raise_quantile: bool = False) -> Build:
    return lambda profile, promise, knobs: Faro(profile=profile, raise_quantile=raise_quantile, **knobs)


def _faro_quota(objective: Objective) -> Build:
    return lambda profile, promise, knobs: Faro(profile=profile, quota=_quota(knobs, profile), objective=objective)


def _stepping(step: Step) -> Build:
    return lambda profile, promise, knobs: FaroStepping(step=step, **knobs)


def _dynamo(profile: Profile, promise: Promise, knobs: Knobs) -> Dynamo:
    scaling = bool(knobs["load_scaling"])
    return Dynamo(profile=profile, demand_factor=knobs["demand_factor"], load_scaling=scaling)


def _dynamo_constant(profile: Profile, promise: Promise, knobs: Knobs) -> Dynamo:
    scaling = bool(knobs["load_scaling"])
    return Dynamo(profile=profile, forecaster=Persistence(), demand_factor=knobs["demand_factor"], load_scaling=scaling)


_LOAD_SCALING: Final = Knob("load_scaling", 0.0, (0.0, 1.0), "1: also by queues, each 5 s")
_LIST: Final = (
    Listed(
        name="static",
        summary="a fixed number, sized once for the peak of the past",
        build=lambda profile, promise, knobs: Static(profile=profile, **knobs),
        knobs=(_UTILISATION, Knob("quantile", 1.0, (0.9, 0.99, 0.999, 1.0), "of the past demand")),
    ),
    Listed(
        name="scheduled",
        summary="by the clock: for each hour of the day what it needed in the past (cron trigger)",
        build=lambda profile, promise, knobs: Scheduled(profile=profile, **knobs),
        knobs=(_UTILISATION, Knob("margin", 0.1, (0.0, 0.1, 0.25, 0.5, 1.0), "above the peak of that hour")),
    ),
    Listed(
        name="hpa",
        summary="Kubernetes HPA v2, External AverageValue on requests answered",
        build=_hpa(Signal.RATE),
        knobs=(_target(0.7, "share of the saturation of a replica"),),
    ),
    Listed(
        name="hpa-rejected",
        summary="the same on requests answered and refused",
        build=_hpa(Signal.RATE_AND_FAILURES),
        knobs=(_target(0.7, "share of the saturation of a replica"),),
    ),
    Listed(
        name="hpa-utilisation",
        summary="Kubernetes HPA v2, Resource on the time that instances are busy",
        build=_hpa(Signal.UTILISATION, Source.RESOURCE),
        knobs=(_target(0.7, "share of the time"),),
    ),
    Listed(
        name="keda",
        summary="KEDA's Prometheus scaler on requests answered",
        build=lambda profile, promise, knobs: Keda(profile=profile, **knobs),
        knobs=(Knob("threshold", 0.7, _SHARES, "share of the saturation of a replica"),),
    ),
    Listed(
        name="kpa",
        summary="Knative Pod Autoscaler on concurrency",
        build=_kpa(KpaMetric.CONCURRENCY),
        knobs=(Knob("target_utilisation", 0.7, _SHARES, "share of one full batch per instance"),),
        scrape_seconds=1.0,
    ),
    Listed(
        name="kpa-rps",
        summary="Knative Pod Autoscaler on requests a second",
        build=_kpa(KpaMetric.RPS),
        knobs=(_UTILISATION,),
        scrape_seconds=1.0,
    ),
    Listed(
        name="wva",
        summary="llm-d Workload Variant Autoscaler, V1: spare capacity of replicas that are not saturated",
        build=lambda profile, promise, knobs: Wva(**knobs),
        knobs=(
            Knob("utilisation_threshold", 0.8, (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "above it a replica is saturated"),
            Knob("utilisation_spare_trigger", 0.1, (0.05, 0.1, 0.2, 0.3), "less spare than this asks for one more"),
        ),
    ),
    Listed(
        name="inferno",
        summary="llm-d WVA's queueing model: the mean latency within the target",
        build=lambda profile, promise, knobs: Inferno(profile=profile, **knobs),
        knobs=(
            Knob("target_share", 1.0, (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0), "of the SLO's latency, as a mean"),
            Knob("stability_safety_fraction", 0.1, (0.05, 0.1, 0.2, 0.3, 0.5), "below the fastest service rate"),
        ),
    ),
    Listed(
        name="mark",
        summary="MArk: each minute enough for the largest of the next six that are foreseen",
        build=lambda profile, promise, knobs: Mark(profile=profile, **knobs),
        knobs=(
            Knob("headroom", 1.2, (0.8, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0), "what the load is times"),
            Knob("target_utilisation", 1.0, (0.6, 0.7, 0.8, 0.9, 1.0), "share of what a replica can do in the SLO"),
        ),
    ),
    Listed(
        name="mark-faro",
        summary="MArk/Cocktail/Barista as Faro's evaluation has it",
        build=lambda profile, promise, knobs: FaroMark(profile=profile, **knobs),
        knobs=(_FACTOR, _QUANTILE),
    ),
    Listed(
        name="faro",
        summary="Faro without a quota",
        build=_faro(),
        knobs=(_FACTOR, _QUANTILE),
    ),
    Listed(
        name="faro-app",
        summary="the same at the 0.9 quantile, as its `_app` variants end without a quota",
        build=_faro(raise_quantile=True),
        knobs=(_FACTOR,),
    ),
    Listed(
        name="faro-quota",
        summary="Faro-Sum: the services of a trace share a quota",
        build=_faro_quota(Objective.SUM),
        knobs=(_QUOTA,),
        divides=True,
    ),
    Listed(
        name="faro-quota-fair",
        summary="Faro-Fair: the same, for the least utility",
        build=_faro_quota(Objective.FAIR),
        knobs=(_QUOTA,),
        divides=True,
    ),
    Listed(
        name="fair-share",
        summary="the quota in equal parts",
        build=lambda profile, promise, knobs: FairShare(quota=_quota(knobs, profile)),
        knobs=(_QUOTA,),
        divides=True,
    ),
    Listed(
        name="aiad",
        summary="one replica more or less by average latency (INFaaS, as Faro's evaluation has it)",
        build=_stepping(Step.ADDITIVE),
        knobs=(_UP, _DOWN),
    ),
    Listed(
        name="one-shot",
        summary="in proportion to average latency over the SLO (HPA and Ray Serve, as Faro's evaluation has them)",
        build=_stepping(Step.ONE_SHOT),
        knobs=(_UP, _DOWN),
    ),
    Listed(
        name="phpa",
        summary="predictive-horizontal-pod-autoscaler: Holt-Winters of the replicas that the HPA asks for",
        build=lambda profile, promise, knobs: Phpa(profile=profile, metric=HpaMetric(target=knobs["target"])),
        knobs=(_target(0.7, "share of the saturation of a replica"),),
    ),
    Listed(
        name="dynamo-constant",
        summary="NVIDIA Dynamo's planner: the next interval is as the last",
        build=_dynamo_constant,
        knobs=(_FACTOR, _LOAD_SCALING),
    ),
    Listed(
        name="dynamo-arima",
        summary="the same with its default predictor",
        build=_dynamo,
        knobs=(_FACTOR, _LOAD_SCALING),
    ),
    Listed(
        name="aws",
        summary="AWS predictive scaling (hourly, scale-out only) over target tracking",
        build=lambda profile, promise, knobs: Aws(profile=profile, **knobs),
        knobs=(_UTILISATION,),
    ),
    Listed(
        name="azure",
        summary="Azure predictive autoscale over threshold rules",
        build=lambda profile, promise, knobs: Azure(profile=profile, **knobs),
        knobs=(Knob("scale_out_threshold", 0.7, _SHARES[1:], "share of the saturation of a replica"),),
        scrape_seconds=10.0,
    ),
    Listed(
        name="foretide",
        summary="Foretide's own",
        build=lambda profile, promise, knobs: Brain(ScalingSettings(), model=compiled_model()),
    ),
)
POLICIES: Final[Mapping[str, Listed]] = MappingProxyType({entry.name: entry for entry in _LIST})
