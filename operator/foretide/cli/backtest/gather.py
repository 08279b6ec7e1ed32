"""What a backtest is of: services of the cluster with their own past, or loads of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.modelprofile import ModelProfile
from foretide.api.problems import Problems
from foretide.cli import moments
from foretide.cli.backtest import loads
from foretide.cli.backtest.case import Case, Given, Hardware, Load, Subject, of_options, of_service
from foretide.cli.backtest.loads import Created
from foretide.cli.exits import Stop
from foretide.cli.operator import USUAL, operators, prometheus
from foretide.cli.plan.planned import by_class
from foretide.cli.service import read
from foretide.simulate.command.progress import Progress

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster
    from foretide.adapters.resources import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which services."""

    names: tuple[str, ...] = ()
    selector: str | None = None
    everywhere: bool = False

    @property
    def is_many(self) -> bool:
        """Whether those that nothing can be said of are passed over, and not the end of it."""
        return self.everywhere or self.selector is not None

    @property
    def is_none(self) -> bool:
        return not self.names and not self.is_many


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is replayed, and why some is not."""

    subjects: tuple[Subject, ...]
    passed_over: tuple[str, ...] = field(default=())


def of_file(found: Mapping[str, Load], given: Given) -> Gathered:
    """Each series as a service of its own."""
    return Gathered(tuple(Subject(of_options(load.source, given), load) for load in found.values()))


async def of_cluster(
    cluster: Cluster,
    chosen: Chosen,
    given: Given,
    *,
    load: Load | None,
    days: float,
    prometheus_url: str | None,
    progress: Progress,
) -> Gathered:
    """Services with their own past, or with that load. Raises Stop where none is left, or where one that is named
    cannot be replayed."""
    cases, passed_over = await _cases(cluster, chosen, given)
    if load is not None:
        return Gathered(tuple(Subject(case, load) for _, case in cases), tuple(passed_over))
    pasts = await _pasts(cluster, [one for one, _ in cases], days=days, url=prometheus_url, progress=progress)
    unknown = [found for found in pasts if isinstance(found, str)]
    passed_over += unknown
    subjects = [Subject(case, found) for (_, case), found in zip(cases, pasts, strict=True) if isinstance(found, Load)]
    if not subjects or (unknown and not chosen.is_many):
        raise Stop("; ".join(passed_over))
    return Gathered(tuple(subjects), tuple(passed_over))


async def _cases(cluster: Cluster, chosen: Chosen, given: Given) -> tuple[list[tuple[Created, Case]], list[str]]:
    """At least one, and why others are passed over."""
    cases, passed_over = [], []
    for raw in await _raws(cluster, chosen):
        try:
            cases.append(await _case(cluster, raw, given))
        except Stop as stop:
            if not chosen.is_many:
                raise
            passed_over.append(str(stop))
    if not cases:
        raise Stop("; ".join(passed_over) or "there is no such InferenceService; -A looks into all namespaces")
    return cases, passed_over


async def _raws(cluster: Cluster, chosen: Chosen) -> list[Object]:
    from foretide.adapters.resources import INFERENCE_SERVICE

    if chosen.is_many:
        namespace = None if chosen.everywhere else cluster.namespace
        found = await cluster.api.list(INFERENCE_SERVICE, label_selector=chosen.selector or "", namespace=namespace)
        return sorted(found, key=lambda raw: (raw["metadata"]["namespace"], raw["metadata"]["name"]))
    raws = []
    for name in dict.fromkeys(chosen.names):
        raw = await cluster.api.get(INFERENCE_SERVICE, namespace=cluster.namespace, name=name)
        if raw is None:
            raise Stop(f"there is no InferenceService {name} in namespace {cluster.namespace}; -n names another one")
        raws.append(raw)
    return raws


async def _case(cluster: Cluster, raw: Object, given: Given) -> tuple[Created, Case]:
    from foretide.adapters.resources import HARDWARE_CLASS, MODEL_PROFILE

    service = parse.inference_service(raw)
    if isinstance(service, Problems):
        raise Stop(f"InferenceService {raw['metadata']['name']} breaks rules: {service.message}")
    classes: dict[str, HardwareClass] = {}
    for name in service.hardware_classes:
        there = await cluster.api.get(HARDWARE_CLASS, namespace=None, name=name)
        parsed = None if there is None else parse.hardware_class(there)
        if isinstance(parsed, HardwareClass):
            classes[name] = parsed
    raws = await cluster.api.list(MODEL_PROFILE, namespace=service.namespace)
    found = by_class([one for one in map(parse.model_profile, raws) if isinstance(one, ModelProfile)])
    profiles = {
        name: found[service.namespace, service.name, name]
        for name in service.hardware_classes
        if (service.namespace, service.name, name) in found
    }
    created = moments.parse(str(raw["metadata"].get("creationTimestamp", "")))
    case = of_service(service, read(raw).status, Hardware(classes, profiles), given)
    return Created(service, created.timestamp() if created else 0.0), case


async def _pasts(
    cluster: Cluster, services: Sequence[Created], *, days: float, url: str | None, progress: Progress
) -> list[Load | str]:
    installed = await operators(cluster) if url is None else []
    operator = installed[0] if installed else None
    window = (operator.scaling if operator else USUAL).rate_window_seconds
    async with prometheus(cluster, url=url, operator=operator) as server:
        return await loads.of_prometheus(
            server,
            services,
            now_seconds=datetime.now(UTC).timestamp(),
            days=days,
            rate_window_seconds=window,
            report=progress.at,
        )
