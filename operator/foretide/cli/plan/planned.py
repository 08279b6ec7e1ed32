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
from foretide.cli.operator import operators
from foretide.cli.output import figures
from foretide.cli.plan.changes import CHILD_MANAGER, Action, Change, change, with_uid
from foretide.cli.plan.feasibility import Feasibility, Source, feasibility
from foretide.cli.plan.files import Document, Files, Typed, Wrong
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
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One InferenceService of the files."""

    service: InferenceService
    classes: tuple[Feasibility, ...]
    unknown_classes: tuple[str, ...]  # neither in the files nor in the cluster
    policy_missing: bool
    children: tuple[Change, ...]  # empty where no cluster was asked

    @property
    def chosen(self) -> Feasibility | None:
        return next((one for one in self.classes if one.chosen), None)

    @property
    def cost_per_hour(self) -> float | None:
        """At the most expensive of the loads."""
        costs = [load.cost_per_hour for load in self.chosen.loads] if self.chosen else []
        return max((cost for cost in costs if cost is not None), default=None)


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
            if one.chosen and one.chosen.currency and one.cost_per_hour is not None:
                found[one.chosen.currency] = found.get(one.chosen.currency, 0.0) + one.cost_per_hour
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
            if one.chosen is not None and one.chosen.feasible is False:
                slo = one.service.spec.slo.latency
                single = format_seconds(float(f"{one.chosen.single_item_seconds or 0.0:.3g}"))
                found.append(f"{name}: a single item takes {single} on {one.chosen.hardware_class}, the SLO is {slo}")
            found += [f"{name}: {sentence}" for sentence in _overloads(one.chosen)]
        if fail_over_cost is not None:
            found += [
                f"--fail-over-cost: {figures(cost)} {currency} an hour is more than {figures(fail_over_cost)}"
                for currency, cost in self.costs.items()
                if cost > fail_over_cost
            ]
        return found


def _overloads(chosen: Feasibility | None) -> list[str]:
    """Loads that the bounds do not allow for. What is only assumed of a model speaks against nothing."""
    if chosen is None or chosen.source is Source.ASSUMED:
        return []
    return [
        f"{figures(load.items_per_second)} items/s need {load.needed} replicas of {chosen.hardware_class}, and no "
        f"more than {load.replicas} may run"
        for load in chosen.loads
        if not load.kept
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
    same_model = isinstance(running, InferenceService) and running.spec.model == one.spec.model
    told = read(live).status.capacity if live is not None and same_model else None
    names = one.hardware_classes
    return ServicePlan(
        service=one,
        classes=tuple(
            feasibility(
                one,
                known.classes[name],
                profile=known.profiles.get((one.namespace, one.name, name)),
                told=told if isinstance(running, InferenceService) and running.hardware_classes == (name,) else None,
                loads=loads,
            )
            for name in names
            if name in known.classes
        ),
        unknown_classes=tuple(name for name in names if name not in known.classes),
        policy_missing=one.policy_name is not None and (one.namespace, one.policy_name) not in known.policies,
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
