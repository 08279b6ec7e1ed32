"""`status`: one line a service, or one screen of one service: from status, and the load of now from Prometheus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from foretide.cli.cluster import Target, ask
from foretide.cli.exits import Exit, Stop
from foretide.cli.operator import operators, prometheus
from foretide.cli.output import Format, console, document, show
from foretide.cli.recorded import Now, loads_now
from foretide.cli.service import Service, read
from foretide.cli.status_shown import Seen, as_document, fleet, screen

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster

EVERY_SECONDS: Final = 5.0
# Whoever asks how services do waits no longer for what only Prometheus knows.
NOW_SECONDS: Final = 1.5


def run(
    target: Target, name: str | None, *, everywhere: bool, watch: bool, prometheus_url: str | None, form: Format
) -> Exit:
    """Prints it once, or until Ctrl-C."""
    if everywhere and name is not None:
        raise Stop(f"-A: a service has one namespace; leave out -A, and name that of {name} with -n")
    if everywhere and target.namespace is not None:
        raise Stop(f"-A: excludes -n {target.namespace}; give one of them")
    if watch and form is not Format.TABLE:
        raise Stop(f"--watch: is for people; -o {form} is printed once, so leave out one of them")

    def look() -> Seen:
        return seen(target, name, everywhere=everywhere, prometheus_url=prometheus_url)

    found = look()
    if form is not Format.TABLE:
        told = [as_document(service, found.of(service)) for service in found.services]
        print(document(told[0] if name else {"items": told}, form), end="")  # noqa: T201 - what the command is for
        return Exit.OK
    if watch:
        _watch(look, found, single=name is not None)
        return Exit.OK
    if not found.services:
        where = "in any namespace" if everywhere else f"in namespace {_namespace(target)}"
        raise Stop(f"no InferenceService {where}; -A looks into all of them", Exit.OK)
    show(_shown(found, single=name is not None, width=console().width, now=datetime.now(UTC)))
    return Exit.OK


def services(target: Target, name: str | None, *, everywhere: bool) -> list[Service]:
    """What there is, by namespace and name; raises Stop where a service of that name is not there."""

    async def question(cluster: Cluster) -> list[Service]:
        return await _services(cluster, name, everywhere=everywhere)

    return ask(target, question)


def seen(target: Target, name: str | None, *, everywhere: bool, prometheus_url: str | None) -> Seen:
    """The same with the loads of now, where they can be had in a moment."""

    async def question(cluster: Cluster) -> Seen:
        namespace = None if everywhere else cluster.namespace
        found, now = await asyncio.gather(
            _services(cluster, name, everywhere=everywhere),
            _now(cluster, prometheus_url, namespace=namespace, name=name),
        )
        return Seen(tuple(found), None, now) if isinstance(now, str) else Seen(tuple(found), now)

    return ask(target, question)


async def _services(cluster: Cluster, name: str | None, *, everywhere: bool) -> list[Service]:
    from foretide.adapters.resources import INFERENCE_SERVICE

    if name is not None:
        raw = await cluster.api.get(INFERENCE_SERVICE, namespace=cluster.namespace, name=name)
        if raw is None:
            raise Stop(f"there is no InferenceService {name} in namespace {cluster.namespace}; -n names another one")
        return [read(raw)]
    raws = await cluster.api.list(INFERENCE_SERVICE, namespace=None if everywhere else cluster.namespace)
    return sorted(map(read, raws), key=lambda service: (service.namespace, service.name))


async def _now(
    cluster: Cluster, url: str | None, *, namespace: str | None, name: str | None
) -> Mapping[tuple[str, str], Now] | str:
    """The loads of now, or why they are not known: who may not ask Prometheus has the status none the less."""
    from foretide.adapters.errors import AdapterError

    try:
        async with asyncio.timeout(NOW_SECONDS):
            installed = await operators(cluster) if url is None else []
            async with prometheus(cluster, url=url, operator=installed[0] if installed else None) as server:
                found = await loads_now(server, namespace=namespace, name=name)
    except TimeoutError:
        return f"Prometheus gives no answer in {NOW_SECONDS:g} s"
    except Stop as stop:
        return str(stop)
    except AdapterError as error:
        return str(error)
    return found or "Prometheus has no series of the operator: is it scraped?"


def _namespace(target: Target) -> str:
    async def question(cluster: Cluster) -> str:
        return cluster.namespace

    return ask(target, question)


def _watch(look: Callable[[], Seen], found: Seen, *, single: bool) -> None:
    """Shows it anew every few seconds; where a look fails the last one stays, with what went wrong."""
    screen, note = console(), ""
    with Live(console=screen, screen=screen.is_terminal, auto_refresh=False) as live:
        while True:
            now = datetime.now(UTC)
            below = Text(f"\n{now:%H:%M:%S} UTC, every {EVERY_SECONDS:g} s, Ctrl-C ends{note}", style="dim")
            live.update(Group(_shown(found, single=single, width=screen.width, now=now), below), refresh=True)
            time.sleep(EVERY_SECONDS)
            try:
                found, note = look(), ""
            except Stop as stop:
                note = f"; shown is what was before: {stop}"


def _shown(found: Seen, *, single: bool, width: int, now: datetime) -> RenderableType:
    return screen(found, now=now) if single else fleet(found, width=width, now=now)
