"""`status`: one line a service, or one screen of one service, from status alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from foretide.cli import moments
from foretide.cli.cluster import Target, ask
from foretide.cli.exits import Exit, Stop
from foretide.cli.output import Column, Format, console, document, facts, narrowed, show, table
from foretide.cli.service import Service, number, read

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster

EVERY_SECONDS: Final = 5.0
SHOWN_DECISIONS: Final = 5
COLUMNS: Final = (
    Column("NAMESPACE", 4),
    Column("NAME"),
    Column("STATE"),
    Column("READY", right=True),
    Column("BOUNDS", 5, right=True),
    Column("CLASS", 6),
    Column("SLO", 7),
    Column("ATTAINED", 3, right=True),
    Column("BUDGET", 2, right=True),
    Column("BURN", 8, right=True),
    Column("LOAD", 9, right=True),
    Column("FORECAST", 10, right=True),
    Column("COST/H", 11, right=True),
    Column("CHANGED", 12, right=True),
)


def run(target: Target, name: str | None, *, everywhere: bool, watch: bool, form: Format) -> Exit:
    """Prints it once, or until Ctrl-C."""
    if everywhere and name is not None:
        raise Stop(f"-A: a service has one namespace; leave out -A, and name that of {name} with -n")
    if everywhere and target.namespace is not None:
        raise Stop(f"-A: excludes -n {target.namespace}; give one of them")
    if watch and form is not Format.TABLE:
        raise Stop(f"--watch: is for people; -o {form} is printed once, so leave out one of them")
    found = services(target, name, everywhere=everywhere)
    if form is not Format.TABLE:
        told = [as_document(service) for service in found]
        print(document(told[0] if name else {"items": told}, form), end="")  # noqa: T201 - what the command is for
        return Exit.OK
    if watch:
        _watch(lambda: services(target, name, everywhere=everywhere), found, single=name is not None)
        return Exit.OK
    if not found:
        where = "in any namespace" if everywhere else f"in namespace {_namespace(target)}"
        raise Stop(f"no InferenceService {where}; -A looks into all of them", Exit.OK)
    show(_shown(found, single=name is not None, width=console().width, now=datetime.now(UTC)))
    return Exit.OK


def services(target: Target, name: str | None, *, everywhere: bool) -> list[Service]:
    """What there is, by namespace and name; raises Stop where a service of that name is not there."""
    from foretide.adapters.resources import INFERENCE_SERVICE

    async def question(cluster: Cluster) -> list[Service]:
        if name is not None:
            raw = await cluster.api.get(INFERENCE_SERVICE, namespace=cluster.namespace, name=name)
            if raw is None:
                raise Stop(
                    f"there is no InferenceService {name} in namespace {cluster.namespace}; -n names another one"
                )
            return [read(raw)]
        raws = await cluster.api.list(INFERENCE_SERVICE, namespace=None if everywhere else cluster.namespace)
        return sorted(map(read, raws), key=lambda service: (service.namespace, service.name))

    return ask(target, question)


def _namespace(target: Target) -> str:
    async def question(cluster: Cluster) -> str:
        return cluster.namespace

    return ask(target, question)


def _watch(look: Callable[[], list[Service]], found: list[Service], *, single: bool) -> None:
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


def _shown(found: Sequence[Service], *, single: bool, width: int, now: datetime) -> RenderableType:
    return screen(found[0], now=now) if single else fleet(found, width=width, now=now)


def fleet(found: Sequence[Service], *, width: int, now: datetime) -> RenderableType:
    """One line a service."""
    made, hidden = table(COLUMNS, [_row(service, now) for service in found], width=width)
    return Group(made, *narrowed(hidden))


def _row(service: Service, now: datetime) -> list[str | Text]:
    status, last = service.status, service.last
    slo, cost = status.slo, status.cost
    burn = slo.burn_rates[0].rate if slo and slo.burn_rates else None
    return [
        service.namespace,
        service.name,
        Text(service.state, style="green" if service.state == "OK" else "yellow"),
        f"{_or_unknown(status.ready_replicas)}/{_or_unknown(status.desired_replicas)}",
        service.bounds,
        service.hardware_class,
        f"{service.objective}% in {service.latency}",
        _percent(slo.attainment if slo else None),
        _percent(slo.budget_left if slo else None),
        _or_unknown(burn),
        _or_unknown(last.demand if last else None),
        _or_unknown(last.forecast if last else None),
        f"{cost.per_hour} {cost.currency}" if cost else "?",
        moments.age(moments.parse(last.time), now) if last else "never",
    ]


def screen(service: Service, *, now: datetime) -> RenderableType:
    """All that status tells of one service."""
    status = service.status
    title = Text.assemble((f"{service.namespace}/{service.name}", "bold"), f"   {service.state}")
    parts: list[RenderableType] = [title, facts(_facts(service, now))]
    if len(status.hardware) > 1:
        parts += [Text("\nHardware", style="bold")]
        parts += [
            facts([(one.class_, f"{one.ready} ready of {one.replicas}: {one.message}") for one in status.hardware])
        ]
    if service.alarms:
        parts += [Text("\nTo look at", style="bold")]
        parts += [facts([(f"{one.type}={one.status}", f"{one.reason}: {one.message}") for one in service.alarms])]
    if status.decisions:
        parts += [Text("\nLast decisions", style="bold")]
        recent = status.decisions[: -SHOWN_DECISIONS - 1 : -1]
        parts += [facts([(f"{moments.age(moments.parse(one.time), now)} ago", one.text) for one in recent])]
    return Group(*parts)


def _facts(service: Service, now: datetime) -> list[tuple[str, str]]:
    status, slo, last = service.status, service.status.slo, service.last
    pairs = [
        (
            "replicas",
            f"{_or_unknown(status.ready_replicas)} ready of {_or_unknown(status.replicas)}, "
            f"{_or_unknown(status.desired_replicas)} wanted, bounds {service.bounds}, on {service.hardware_class}",
        ),
        ("SLO", f"{service.objective} % within {service.latency}, over {service.window}"),
    ]
    if slo is None:
        pairs.append(("attained", "not known yet: too few requests were seen"))
    else:
        burns = ", ".join(f"{burn.rate} over {burn.window}" for burn in slo.burn_rates)
        pairs += [
            ("attained", f"{_percent(slo.attainment)}, told by {slo.source}"),
            (
                "error budget",
                f"{_percent(slo.budget_left)} left" + (f"; burns at {burns} (1 lasts the window)" if burns else ""),
            ),
        ]
    pairs.append(("load", "no decision yet that tells it" if last is None else _load(service, now)))
    if (capacity := status.capacity) is not None:
        law = f"{capacity.batch_time.fixed} + {capacity.batch_time.per_item} per item"
        pairs.append(("a replica", f"{capacity.per_replica} items/s within the SLO ({capacity.source}: {law})"))
    if (cold := status.cold_start) is not None:
        pairs.append(("cold start", f"{cold.p50} (half of {cold.starts} starts), {cold.p90} (nine of ten)"))
    if (cost := status.cost) is not None:
        each = f", {cost.per_thousand_inferences} per 1,000 inferences" if cost.per_thousand_inferences else ""
        energy = cost.watt_hours_per_thousand_inferences
        pairs.append(("cost", f"{cost.per_hour} {cost.currency} an hour{each}" + (f", {energy} Wh" if energy else "")))
    if service.policy:
        pairs.append(("policy", service.policy))
    if (tried := status.challenger) is not None:
        pairs.append(("challenger", f"{tried.policy}: {tried.message or f'compared for {tried.hours} h'}"))
    if status.url:
        pairs.append(("url", status.url))
    return pairs


def _load(service: Service, now: datetime) -> str:
    last = service.last
    if last is None:
        return "?"
    asked = f"{last.demand} items/s asked" if last.demand else "not known"
    ahead = f", {last.forecast} foreseen in {last.horizon} (quantile {last.quantile})" if last.forecast else ""
    return f"{asked}{ahead}; at the last change, {moments.age(moments.parse(last.time), now)} ago"


def _or_unknown(value: object) -> str:
    """Unknown is not zero."""
    return "?" if value is None else str(value)


def _percent(value: str | None) -> str:
    return "?" if value is None else f"{value}%"


def as_document(service: Service) -> dict[str, Any]:
    """For scripts: numbers are numbers, what is not known is null."""
    status, slo, cost, last = service.status, service.status.slo, service.status.cost, service.last
    return {
        "namespace": service.namespace,
        "name": service.name,
        "state": service.state,
        "alarms": [{"type": one.type, "reason": one.reason, "message": one.message} for one in service.alarms],
        "replicas": {
            "ready": status.ready_replicas,
            "existing": status.replicas,
            "desired": status.desired_replicas,
            "min": service.minimum,
            "max": service.maximum,
            "pinned": service.pinned,
        },
        "hardware": [
            {
                "class": one.class_,
                "replicas": one.replicas,
                "ready": one.ready,
                "costPerHour": number(one.cost_per_hour),
                "reason": one.reason,
                "message": one.message,
            }
            for one in status.hardware
        ],
        "slo": {
            "objectivePercent": number(service.objective),
            "latency": service.latency,
            "window": service.window,
            "attainmentPercent": number(slo.attainment) if slo else None,
            "budgetLeftPercent": number(slo.budget_left) if slo else None,
            "burnRates": {burn.window: number(burn.rate) for burn in slo.burn_rates} if slo else None,
            "source": slo.source if slo else None,
        },
        "load": {
            "time": last.time if last else None,
            "itemsPerSecond": number(last.demand) if last else None,
            "forecastItemsPerSecond": number(last.forecast) if last else None,
            "quantile": number(last.quantile) if last else None,
            "horizon": last.horizon if last else None,
        },
        "itemsPerSecondPerReplica": number(status.capacity.per_replica) if status.capacity else None,
        "coldStart": {"p50": status.cold_start.p50, "p90": status.cold_start.p90} if status.cold_start else None,
        "cost": {
            "perHour": number(cost.per_hour),
            "perThousandInferences": number(cost.per_thousand_inferences),
            "currency": cost.currency,
        }
        if cost
        else None,
        "decisions": [one.model_dump(by_alias=True, exclude_none=True) for one in status.decisions],
    }
