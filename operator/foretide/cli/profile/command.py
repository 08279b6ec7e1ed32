"""From the options to a ModelProfile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.cli.cluster import Target, ask
from foretide.cli.exits import Exit, Stop
from foretide.cli.operator import operators
from foretide.cli.output import Format, console, document, show
from foretide.cli.plan.planned import serving_settings
from foretide.cli.profile import job as jobs
from foretide.cli.profile import request
from foretide.cli.profile.against import Address, address_of
from foretide.cli.profile.generator import perform
from foretide.cli.profile.law import measured
from foretide.cli.profile.report import Profile, manifest, terminal
from foretide.cli.profile.steps import Closed, Doing, Failed, Open, Order, Step
from foretide.cli.profile.subject import named, profile_name
from foretide.serving.naming import HTTP_PORT, service_account_name
from foretide.serving.parallelism import instances
from foretide.serving.profiling import generator_job, job_name, profiling_job
from foretide.simulate.command.progress import Progress

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster

MANAGER: Final = "kubectl-foretide"
# Beside the loops: the generator's start, and what is in flight at the end.
SLACK_SECONDS: Final = 60.0
CLOSED_LIMIT_SECONDS: Final = 420.0
MOST_OPEN_STEPS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options."""

    service: str
    hardware_class: str
    against: str | None
    in_production: bool
    request: Path | None
    open_seconds: float
    wait_seconds: float
    image: str | None
    apply: bool


def run(target: Target, asked: Asked, *, form: Format) -> Exit:
    """Measures, and prints what was found."""
    body = "" if asked.request is None else _read(asked.request)
    progress, began = Progress("profile"), time.monotonic()

    async def question(cluster: Cluster) -> tuple[Profile, str]:
        service, hardware_class = await named(cluster, asked.service, asked.hardware_class)
        order = _order(service, hardware_class, asked, body)
        profile = await _measured(cluster, asked, service, hardware_class, order, progress)
        name = await profile_name(cluster, service, asked.hardware_class)
        if asked.apply:
            await cluster.api.apply(manifest(profile, name=name), manager=MANAGER)
        return profile, name

    try:
        profile, name = ask(target, question)
    finally:
        progress.end()
    if form is Format.TABLE:
        took = time.monotonic() - began
        show(terminal(profile, name=name, width=console().width, took_seconds=took))
        done = (
            f"written to the cluster as ModelProfile {name}" if asked.apply else "not written: --apply does, or -o yaml"
        )
        show(done)
    else:
        print(document(manifest(profile, name=name), form), end="")  # noqa: T201 - what the command is for
    return Exit.OK if profile.found.feasible and not profile.disagrees else Exit.FOUND


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise Stop(f"--request: {path} cannot be read ({error}); name a file with the body of a request") from error
    try:
        request.of_json(text, batching=False)
    except request.NoRequest as error:
        raise Stop(f"--request: {path}: {error}") from error
    return text


def _order(service: InferenceService, hardware_class: HardwareClass, asked: Asked, body: str) -> Order:
    model = service.model_on(hardware_class.name)
    return Order(
        address=f"127.0.0.1:{HTTP_PORT}",
        model=service.model_name,
        max_batch=model.largest_batch,
        instances=instances(model, hardware_class),
        slo_seconds=service.latency_seconds,
        objective=service.objective,
        open_seconds=asked.open_seconds,
        limit_seconds=CLOSED_LIMIT_SECONDS + MOST_OPEN_STEPS * asked.open_seconds,
        request=body,
    )


async def _measured(
    cluster: Cluster,
    asked: Asked,
    service: InferenceService,
    hardware_class: HardwareClass,
    order: Order,
    progress: Progress,
) -> Profile:
    where: Address | None = None
    if asked.against is not None:
        where = await address_of(cluster, service, asked.against, in_production=asked.in_production)
        order = replace(order, address=where.address)
    if where is not None and where.from_here:
        result = jobs.Result(where.name, await _from_here(order, _teller(progress)), None)
    else:
        result = await _in_cluster(cluster, asked, service, hardware_class, order, where, progress)
    closed = tuple(step for step in result.steps if isinstance(step, Closed))
    found = measured(
        closed,
        max_batch=order.max_batch,
        instances=order.instances,
        slo_seconds=order.slo_seconds,
        objective=order.objective,
    )
    if found is None:
        raise Stop("the measurement ended before the time of a batch was known; try again", Exit.FOUND)
    return Profile(
        service=service,
        hardware_class=hardware_class.name,
        where=result.pod if where is None else where.name,
        image=hardware_class.spec.triton.image if where is None else "",
        measured_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        found=found,
        closed=closed,
        opened=tuple(step for step in result.steps if isinstance(step, Open)),
        cold_start_seconds=result.cold_start_seconds if where is None else None,
    )


async def _from_here(order: Order, tell: Callable[[Step], None]) -> tuple[Step, ...]:
    steps: list[Step] = []

    def emit(step: Step) -> None:
        steps.append(step)
        tell(step)

    await perform(order, emit)
    if isinstance(last := steps[-1], Failed):
        raise Stop(last.message, Exit.NO_ANSWER)
    return tuple(steps)


async def _in_cluster(
    cluster: Cluster,
    asked: Asked,
    service: InferenceService,
    hardware_class: HardwareClass,
    order: Order,
    where: Address | None,
    progress: Progress,
) -> jobs.Result:
    from foretide.adapters.resources import SERVICE_ACCOUNT

    installed = await operators(cluster) if asked.image is None else []
    image = asked.image or (installed[0].image if installed else None)
    if image is None:
        raise Stop("--image: no operator is found, whose image has the generator of load; name one")
    account = service_account_name(service.name)
    if await cluster.api.get(SERVICE_ACCOUNT, namespace=service.namespace, name=account) is None:
        raise Stop(
            f"{service.name}: there is no ServiceAccount {account}, which the operator makes: `kubectl foretide doctor`"
        )
    name = job_name(service.name, jobs.suffix())
    deadline = round(asked.wait_seconds + order.limit_seconds + SLACK_SECONDS)
    if where is None:
        wanted = profiling_job(
            service,
            hardware_class,
            name=name,
            image=image,
            order=order.text(),
            deadline_seconds=deadline,
            settings=await serving_settings(cluster),
        )
    else:
        wanted = generator_job(service, name=name, image=image, order=order.text(), deadline_seconds=deadline)

    def say(what: str) -> None:
        progress.what = what
        progress.at(0.0)

    async with jobs.made(cluster.api, wanted) as made:
        return await jobs.followed(
            cluster.api,
            namespace=service.namespace,
            job=made,
            start_seconds=asked.wait_seconds,
            say=say,
            tell=_teller(progress),
        )


def _teller(progress: Progress) -> Callable[[Step], None]:
    def tell(step: Step) -> None:
        if isinstance(step, Doing):
            progress.what = step.what
            progress.at(step.share)

    return tell
