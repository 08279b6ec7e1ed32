"""How services do, for people and scripts: one line each, or one screen of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from foretide.api.durations import format_seconds
from foretide.cli import moments
from foretide.cli.output import Column, facts, figures, narrowed, table
from foretide.cli.recorded import Now
from foretide.cli.service import Service, number

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


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found."""

    services: tuple[Service, ...]
    now: Mapping[tuple[str, str], Now] | None = None  # the loads of now; None where they cannot be asked for
    why: str = ""  # they cannot

    def of(self, service: Service) -> Now | None:
        """Of one; all of it unknown where nothing is told of it."""
        return None if self.now is None else self.now.get((service.namespace, service.name), Now())


def fleet(found: Seen, *, width: int, now: datetime) -> RenderableType:
    """One line a service."""
    rows = [_row(service, found.of(service), now) for service in found.services]
    made, hidden = table(COLUMNS, rows, width=width)
    old = [] if found.now is not None or {"LOAD", "FORECAST"} <= set(hidden) else [_of_before(found.why)]
    return Group(made, *narrowed(hidden), *old)


def _of_before(why: str) -> Text:
    return Text(f"LOAD and FORECAST are of the last change of replicas, not of now: {why}", style="dim")


def _row(service: Service, load: Now | None, now: datetime) -> list[str | Text]:
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
        *_loads(service, load),
        f"{cost.per_hour} {cost.currency}" if cost else "?",
        moments.age(moments.parse(last.time), now) if last else "never",
    ]


def _loads(service: Service, load: Now | None) -> tuple[str, str]:
    """Those of now, or of the last change."""
    if load is not None:
        return _figures(load.demand), _figures(load.provided)
    last = service.last
    return _or_unknown(last.demand if last else None), _or_unknown(last.forecast if last else None)


def screen(found: Seen, *, now: datetime) -> RenderableType:
    """All that is told of one service."""
    (service,) = found.services
    status, load = service.status, found.of(service)
    title = Text.assemble((f"{service.namespace}/{service.name}", "bold"), f"   {service.state}")
    parts: list[RenderableType] = [title, facts(_facts(service, load, now))]
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
    if load is None:
        parts.append(Text(f"\nthe load of now is not known: {found.why}", style="dim"))
    return Group(*parts)


def _facts(service: Service, load: Now | None, now: datetime) -> list[tuple[str, str]]:
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
    if load is not None:
        pairs.append(("load", _load_now(load)))
    before = "at the last change" if load is not None else "load"
    pairs.append((before, "no decision yet that tells it" if last is None else _load(service, now)))
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


def _load_now(load: Now) -> str:
    asked = "not known" if load.demand is None else f"{figures(load.demand)} items/s asked now"
    if load.provided is None:
        return f"{asked}; no forecast is trusted"
    lead = "" if load.lead_seconds is None else f" in {format_seconds(round(load.lead_seconds, 1))}"
    half = "" if load.likely is None else f" (as likely as not {figures(load.likely)})"
    return f"{asked}, {figures(load.provided)} provided for{lead}{half}"


def _load(service: Service, now: datetime) -> str:
    last = service.last
    if last is None:
        return "?"
    asked = f"{last.demand} items/s asked" if last.demand else "not known"
    ahead = f", {last.forecast} foreseen in {last.horizon} (quantile {last.quantile})" if last.forecast else ""
    return f"{asked}{ahead}; at the last change, {moments.age(moments.parse(last.time), now)} ago"


def _figures(value: float | None) -> str:
    return "?" if value is None else figures(value)


def _or_unknown(value: object) -> str:
    """Unknown is not zero."""
    return "?" if value is None else str(value)


def _percent(value: str | None) -> str:
    return "?" if value is None else f"{value}%"


def as_document(service: Service, load: Now | None) -> dict[str, Any]:
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
        "now": None
        if load is None
        else {
            "itemsPerSecond": load.demand,
            "forecastItemsPerSecond": load.provided,
            "forecastMedianItemsPerSecond": load.likely,
            "leadTimeSeconds": load.lead_seconds,
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
