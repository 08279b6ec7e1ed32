"""From the options to the results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.problems import Problems
from foretide.api.scalingpolicy import ScalingPolicy
from foretide.cli import moments
from foretide.cli.backtest import candidates, loads, report
from foretide.cli.backtest.candidates import Candidate
from foretide.cli.backtest.case import Case, Given, Load, of_options, of_service
from foretide.cli.backtest.replay import joined, tasks
from foretide.cli.cluster import Target, ask
from foretide.cli.exits import Exit, Stop
from foretide.cli.operator import USUAL_WINDOW_SECONDS, operators, prometheus
from foretide.cli.output import Format, console, document, show
from foretide.cli.plan.files import read as read_documents
from foretide.cli.plan.files import texts_of
from foretide.cli.plan.planned import by_class
from foretide.cli.service import read
from foretide.simulate.command.processes import WorkerLost, perform_all
from foretide.simulate.command.progress import Progress
from foretide.simulate.command.refused import Refused
from foretide.simulate.compile import compile_all
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.fluid_columns import STEPS_SECONDS
from foretide.simulate.policies import POLICIES
from foretide.simulate.traces import TraceError

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options."""

    service: str | None
    file: Path | None
    series: str | None
    days: float
    policies: tuple[str, ...]
    prometheus_url: str | None
    given: Given
    fidelity: Fidelity
    whole: bool
    workers: int | None
    report: Path | None


def run(target: Target, asked: Asked, *, form: Format) -> Exit:
    """Prints the comparison, and writes the page where one is asked for."""
    try:
        return _run(target, asked, form)
    except (Refused, TraceError) as error:
        raise Stop(str(error)) from error
    except WorkerLost as error:
        raise Stop(str(error), Exit.FOUND) from error


def _run(target: Target, asked: Asked, form: Format) -> Exit:
    if asked.service is None and asked.file is None:
        raise Stop("SERVICE: name one, whose own past is replayed, or give a load with -f FILE; or both")
    if not 0.0 < asked.days <= 60.0:
        raise Stop(f"--days: {asked.days:g} must be above 0 and at most 60")
    if asked.report is not None and not asked.report.parent.is_dir():
        raise Stop(f"--report: {asked.report.parent} is not a folder; name a file in one that is there")
    known = {text: candidates.listed(text) for text in asked.policies}
    load = None if asked.file is None else loads.of_file(asked.file, series=asked.series, days=asked.days)
    case, load, tried = _gathered(target, asked, known, load)
    fidelity = asked.fidelity
    if case.slo_seconds > STEPS_SECONDS[-1]:
        fidelity = Fidelity.ARRIVALS  # the fluid's steps are shorter than such an SLO
    compile_all()
    workers = asked.workers or min(os.cpu_count() or 1, 8)
    work = tasks(case, load, tried, workers=workers, fidelity=fidelity, whole=asked.whole)
    progress = Progress("backtest")
    try:
        runs = perform_all(work, workers=workers, report=progress.at)
    except ValueError as error:
        raise Stop(f"--policy: {error}") from error
    finally:
        progress.end()
    results, how = joined(case, tried, runs), report.How(fidelity, asked.whole)
    if asked.report is not None:
        _write(asked.report, report.page(case, load, results, how))
    if form is Format.TABLE:
        show(report.terminal(case, load, results, how, width=console().width))
    else:
        print(document(report.document(case, load, results, how), form), end="")  # noqa: T201
    return Exit.OK


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Stop(
            f"--report: {path} cannot be written ({error.strerror}); name a file in a folder of yours"
        ) from error


def _gathered(
    target: Target, asked: Asked, known: dict[str, Candidate | None], load: Load | None
) -> tuple[Case, Load, list[Candidate]]:
    """What only the cluster can tell is asked of it, and nothing where all is given."""
    tried = {text: one or _of_file(text) for text, one in known.items()}
    named = [text for text, one in tried.items() if one is None]
    if asked.service is None and load is not None:
        if named:
            raise Stop(_no_policy(named[0], "name a SERVICE, in whose namespace ScalingPolicies are looked for"))
        found = [one for one in tried.values() if one is not None]
        return of_options(load.source, asked.given), load, found
    progress = Progress("reading the past")

    async def question(cluster: Cluster) -> tuple[Case, Load, list[Candidate]]:
        service, case, created = await _service(cluster, str(asked.service), asked.given)
        for text in named:
            tried[text] = await _of_cluster(cluster, text)
        past = load or await _past(cluster, asked, service, created, progress)
        return case, past, [one for one in tried.values() if one is not None]

    try:
        return ask(target, question)
    finally:
        progress.end()


async def _past(cluster: Cluster, asked: Asked, service: InferenceService, created: float, progress: Progress) -> Load:
    installed = await operators(cluster) if asked.prometheus_url is None else []
    operator = installed[0] if installed else None
    window = operator.rate_window_seconds if operator else USUAL_WINDOW_SECONDS
    async with prometheus(cluster, url=asked.prometheus_url, operator=operator) as server:
        return await loads.of_prometheus(
            server,
            service,
            created_seconds=created,
            now_seconds=datetime.now(UTC).timestamp(),
            days=asked.days,
            rate_window_seconds=window,
            report=progress.at,
        )


async def _service(cluster: Cluster, name: str, given: Given) -> tuple[InferenceService, Case, float]:
    from foretide.adapters.resources import HARDWARE_CLASS, INFERENCE_SERVICE, MODEL_PROFILE

    raw = await cluster.api.get(INFERENCE_SERVICE, namespace=cluster.namespace, name=name)
    if raw is None:
        raise Stop(f"there is no InferenceService {name} in namespace {cluster.namespace}; -n names another one")
    service = parse.inference_service(raw)
    if isinstance(service, Problems):
        raise Stop(f"InferenceService {name} breaks rules: {service.message}")
    raw_class = await cluster.api.get(HARDWARE_CLASS, namespace=None, name=service.hardware_classes[0])
    hardware_class = None if raw_class is None else parse.hardware_class(raw_class)
    raws = await cluster.api.list(MODEL_PROFILE, namespace=cluster.namespace)
    profiles = [one for one in map(parse.model_profile, raws) if isinstance(one, ModelProfile)]
    case = of_service(
        service,
        read(raw).status,
        hardware_class if isinstance(hardware_class, HardwareClass) else None,
        by_class(profiles).get((service.namespace, service.name, service.hardware_classes[0])),
        given,
    )
    created = moments.parse(str(raw["metadata"].get("creationTimestamp", "")))
    return service, case, created.timestamp() if created else 0.0


def _of_file(text: str) -> Candidate | None:
    """The first ScalingPolicy of a YAML file."""
    if not text.endswith((".yaml", ".yml")):
        return None
    found = read_documents(texts_of([text]), namespace="default")
    if found.wrong:
        raise Stop(f"--policy: {found.wrong[0]}")
    policies = [typed for _, typed in found.good if isinstance(typed, ScalingPolicy)]
    if not policies:
        raise Stop(f"--policy: {text} has no ScalingPolicy; name a file that has one")
    return Candidate(f"foretide, {policies[0].name}", spec=policies[0].spec)


async def _of_cluster(cluster: Cluster, name: str) -> Candidate:
    from foretide.adapters.resources import SCALING_POLICY

    raw = await cluster.api.get(SCALING_POLICY, namespace=cluster.namespace, name=name)
    if raw is None:
        raise Stop(_no_policy(name, f"nor is there a ScalingPolicy of that name in {cluster.namespace}"))
    parsed = parse.scaling_policy(raw)
    if isinstance(parsed, Problems):
        raise Stop(f"ScalingPolicy {name} breaks rules: {parsed.message}")
    return Candidate(f"foretide, {name}", spec=parsed.spec)


def _no_policy(name: str, more: str) -> str:
    there = ", ".join(name for name, entry in POLICIES.items() if not entry.divides)
    return f"--policy: {name} is not one of {there}; {more}"


def policies_of(policy: Sequence[str], against: Sequence[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys([*policy, *against]))
