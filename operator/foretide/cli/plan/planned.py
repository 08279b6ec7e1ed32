"""From documents and a cluster, if there is one, to a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from foretide.api import parse
from foretide.api.durations import format_seconds
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.scalingpolicy import ScalingPolicy
from foretide.cli.known import UNTOLD, Source, status_of
from foretide.cli.operator import operators
from foretide.cli.output import figures
from foretide.cli.plan.changes import CHILD_MANAGER, Action, Change, change, with_uid
from foretide.cli.plan.feasibility import Feasibility, feasibility
from foretide.cli.plan.files import Document, Files, Typed, Wrong
from foretide.cli.plan.fleet import Fleet, fleet, together
from foretide.cli.service import read
from foretide.serving.download import DownloadSettings
from foretide.serving.manifests import ServingSettings, build
from foretide.serving.naming import deployment_name

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster
    from foretide.adapters.kubernetes import Kubernetes

# As the chart hands its values to the operator.
DRAIN_VARIABLE: Final = "FORETIDE_DRAIN_SECONDS"
IMAGE_VARIABLE: Final = "FORETIDE_DOWNLOAD_IMAGE"
FLAGS_VARIABLE: Final = "FORETIDE_DOWNLOAD_FLAGS"
SIZE_LIMIT_VARIABLE: Final = "FORETIDE_DOWNLOAD_SIZE_LIMIT"
# Items a second, where no load is given: which classes are used then.
HARDLY_ANY: Final = 1e-3
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One InferenceService of the files."""

    service: InferenceService
    classes: tuple[Feasibility, ...]
    unknown_classes: tuple[str, ...]  # neither in the files nor in the cluster
    policy_missing: bool
    fleets: tuple[Fleet, ...]  # at each of the loads; at hardly any where none is given
    has_loads: bool
    children: tuple[Change, ...]  # empty where no cluster was asked

    @property
    def chosen(self) -> frozenset[str]:
        """The classes that it would use."""
        return frozenset(name for one in self.fleets for name in one.replicas)

    @property
    def costs(self) -> Mapping[str, float]:
        """An hour at the most expensive of the loads, by currency."""
        found: dict[str, float] = {}
        for one in self.fleets if self.has_loads else ():
            for currency, cost in (one.costs or {}).items():
                found[currency] = max(found.get(currency, 0.0), cost)
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it."""

    wrong: tuple[Wrong, ...]
    others: tuple[str, ...]
    objects: tuple[Change, ...]
    services: tuple[ServicePlan, ...]
    cluster: str | None  # which one was asked
    note: str  # why none was

    @property
    def costs(self) -> Mapping[str, float]:
        """By currency, of all services together."""
        found: dict[str, float] = {}
        for one in self.services:
            for currency, cost in one.costs.items():
                found[currency] = found.get(currency, 0.0) + cost
        return found

    def faults(self, fail_over_cost: float | None) -> list[str]:
        """Why somebody should look before it is applied; each in a sentence."""
        found = [str(wrong) for wrong in self.wrong]
        changes = [*self.objects, *(child for one in self.services for child in one.children)]
        found += [f"{one.kind}/{one.name}: {one.note}" for one in changes if one.action is Action.REFUSED]
        for one in self.services:
            name = f"InferenceService/{one.service.name}"
            found += [
                f"{name}: there is no HardwareClass {each}; give its file to -f, too, or correct spec.hardware"
                for each in one.unknown_classes
            ]
            if one.policy_missing:
                found.append(f"{name}: there is no ScalingPolicy {one.service.policy_name}; its replicas would be held")
            if one.classes and all(each.feasible is False for each in one.classes):
                slo = one.service.spec.slo.latency
                singles = " and ".join(f"{_single(each)} on {each.hardware_class}" for each in one.classes)
                found.append(f"{name}: a single item takes {singles}, the SLO is {slo}")
            found += [f"{name}: {sentence}" for sentence in _overloads(one)]
        if fail_over_cost is not None:
            found += [
                f"--fail-over-cost: {figures(cost)} {currency} an hour is more than {figures(fail_over_cost)}"
                for currency, cost in self.costs.items()
                if cost > fail_over_cost
            ]
        return found


def _single(found: Feasibility) -> str:
    return format_seconds(float(f"{found.single_item_seconds or 0.0:.3g}"))


def _overloads(one: ServicePlan) -> list[str]:
    """Loads that the bounds do not allow for. What is only assumed of a model speaks against nothing."""
    if not one.has_loads or all(each.source is Source.ASSUMED for each in one.classes):
        return []
    if len(one.classes) == 1:
        (alone,) = one.classes
        return [
            f"{figures(load.items_per_second)} items/s need {load.needed} replicas of {alone.hardware_class}, and no "
            f"more than {load.replicas} may run"
            for load in alone.loads
            if not load.kept
        ]
    return [
        f"{figures(each.items_per_second)} items/s are more than the replicas that may run carry: {together(each)}"
        for each in one.fleets
        if not each.kept
    ]


@dataclass(frozen=True, slots=True)
class Known:
    """What services refer to, in the files and in the cluster; the files win."""

    classes: Mapping[str, HardwareClass]
    policies: frozenset[tuple[str, str]]
    profiles: Mapping[tuple[str, str, str], ModelProfile]  # by namespace, service and class


def offline(files: Files, loads: Sequence[float], note: str) -> Plan:
    """By the files alone."""
    known = _of_files(files)
    services = tuple(_service(one, known, loads, live=None) for one in _all(files, InferenceService))
    return Plan(files.wrong, files.others, (), services, None, note)


async def online(files: Files, loads: Sequence[float], cluster: Cluster) -> Plan:
    """With what is in the cluster. Raises AdapterError where that cannot be asked."""
    from foretide.adapters.resources import HARDWARE_CLASS, INFERENCE_SERVICE, MODEL_PROFILE, SCALING_POLICY

    known, api = _of_files(files), cluster.api
    services = _all(files, InferenceService)
    objects = [await change(api, {**document.raw}) for document, _ in files.good]
    plans, settings = [], ServingSettings()
    if services:
        settings = await serving_settings(cluster)
        classes = [parse.hardware_class(raw) for raw in await api.list(HARDWARE_CLASS)]
        there = {one.name: one for one in classes if isinstance(one, HardwareClass)}
        known = replace(known, classes={**there, **known.classes})
    for namespace in sorted({one.namespace for one in services}):
        policies = await api.list(SCALING_POLICY, namespace=namespace)
        profiles = [parse.model_profile(raw) for raw in await api.list(MODEL_PROFILE, namespace=namespace)]
        measured = by_class([one for one in profiles if isinstance(one, ModelProfile)])
        named = frozenset((namespace, raw["metadata"]["name"]) for raw in policies)
        known = replace(known, policies=known.policies | named, profiles={**measured, **known.profiles})
    for one in services:
        live = await api.get(INFERENCE_SERVICE, namespace=one.namespace, name=one.name)
        plan = _service(one, known, loads, live=live)
        if classes_in_use := _in_use(one, known, live):
            uid = with_uid(live)
            budgets = {each.name: await _startup_seconds(api, one, each) for each in classes_in_use}
            wanted = build(replace(one, uid=uid), *classes_in_use, settings=settings, startup_seconds=budgets)
            children = [await change(api, child, manager=CHILD_MANAGER, owner_uid=uid) for child in wanted]
            plan = replace(plan, children=tuple(children))
        plans.append(plan)
    return Plan(files.wrong, files.others, tuple(objects), tuple(plans), cluster.server, "")


async def serving_settings(cluster: Cluster) -> ServingSettings:
    """As the operator has them; the defaults where it cannot be looked at."""
    from foretide.adapters.errors import Rejected

    try:
        found = await operators(cluster)
    except Rejected:
        return ServingSettings()
    usual, given = ServingSettings(), found[0].environment if found else {}
    drain = given.get(DRAIN_VARIABLE, "")
    return ServingSettings(
        drain_seconds=int(drain) if drain.isdecimal() else usual.drain_seconds,
        download=DownloadSettings(
            image=given.get(IMAGE_VARIABLE, usual.download.image),
            flags=tuple(given.get(FLAGS_VARIABLE, "").split()),
            size_limit=given.get(SIZE_LIMIT_VARIABLE, usual.download.size_limit),
        ),
    )


async def _startup_seconds(api: Kubernetes, one: InferenceService, hardware_class: HardwareClass) -> int:
    """As the operator would leave it."""
    from foretide.adapters.errors import Rejected
    from foretide.adapters.resources import DEPLOYMENT
    from foretide.control.startup import budget_seconds

    name = deployment_name(one.name, hardware_class.name)
    try:
        return budget_seconds(await api.get(DEPLOYMENT, namespace=one.namespace, name=name), ())
    except Rejected:  # what the change of it is told with, too
        return budget_seconds(None, ())


def _in_use(one: InferenceService, known: Known, live: Mapping[str, Any] | None) -> list[HardwareClass]:
    """Of the classes that it lists those that have replicas; where none has, the first that there is."""
    hardware = () if live is None else read(live).status.hardware
    used = {each.class_ for each in hardware if each.replicas > 0}
    there = [known.classes[name] for name in one.hardware_classes if name in known.classes]
    return [each for each in there if each.name in used] or there[:1]


def _service(
    one: InferenceService, known: Known, loads: Sequence[float], *, live: Mapping[str, Any] | None
) -> ServicePlan:
    running = None if live is None else parse.inference_service(live)
    if live is None or not isinstance(running, InferenceService) or running.spec.model != one.spec.model:
        running = None
    names = one.hardware_classes
    there = [known.classes[name] for name in names if name in known.classes]
    status = read(live).status if live is not None and running is not None else None
    found = tuple(
        feasibility(
            one,
            each,
            profile=known.profiles.get((one.namespace, one.name, each.name)),
            told=status_of(running.hardware_classes, status, each.name) if running and status else UNTOLD,
            loads=loads,
        )
        for each in there
    )
    return ServicePlan(
        service=one,
        classes=found,
        unknown_classes=tuple(name for name in names if name not in known.classes),
        policy_missing=one.policy_name is not None and (one.namespace, one.policy_name) not in known.policies,
        fleets=tuple(fleet(one, there, found, load) for load in loads or (HARDLY_ANY,)) if there else (),
        has_loads=bool(loads),
        children=(),
    )


def _of_files(files: Files) -> Known:
    return Known(
        classes={one.name: one for one in _all(files, HardwareClass)},
        policies=frozenset((one.namespace, one.name) for one in _all(files, ScalingPolicy)),
        profiles=by_class(_all(files, ModelProfile)),
    )


def by_class(found: Sequence[ModelProfile]) -> dict[tuple[str, str, str], ModelProfile]:
    """Of two for the same, the one whose name comes first, as for the operator."""
    ordered = sorted(found, key=lambda one: one.name, reverse=True)
    return {(one.namespace, one.spec.service, one.spec.hardware_class): one for one in ordered}


def _all(files: Files, kind: type[T]) -> list[T]:
    pairs: Sequence[tuple[Document, Typed]] = files.good
    return [typed for _, typed in pairs if isinstance(typed, kind)]
