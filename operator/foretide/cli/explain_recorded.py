"""`explain --at` of a time that status does not reach: what Prometheus has recorded of it. Pure."""

from __future__ import annotations

from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from foretide.api.conditions import ConditionType
from foretide.api.durations import format_seconds
from foretide.cli import moments
from foretide.cli.output import facts, figures
from foretide.cli.recorded import MEDIAN, PROVIDED, Change, Moment, Recorded

NOT_RECORDED: Final = (
    "Not recorded in Prometheus: which bound won, the quantile, and what the HorizontalPodAutoscaler would have run. "
    "Status has them of the last decisions; what follows from the numbers above is worked out here."
)
# What of conditions says why a number did not follow the load, or by what it was decided.
TELLING: Final = (
    ConditionType.SCALING_ACTIVE,
    ConditionType.SCALING_LIMITED,
    ConditionType.FORECAST_HEALTHY,
    ConditionType.METRICS_AVAILABLE,
    ConditionType.SLO_MET,
)


def shown(recorded: Recorded) -> list[RenderableType]:
    """For a person."""
    moment, change = recorded.moment, recorded.change
    by_triton = recorded.demand_of_triton
    asked = [] if by_triton is None else [("load by Triton", f"{figures(by_triton)} items/s, in the minute before")]
    if not moment.known:
        absent = Text("Prometheus has no series of the operator of this time: was it scraped then, and is it kept?")
        return [absent, *([facts(asked)] if asked else [])]
    parts: list[RenderableType] = [
        Text("\nThen, by the operator's metrics", style="bold"),
        facts(
            [
                ("replicas", _replicas(moment)),
                ("changed", _changed(recorded)),
                *_load(moment),
                *asked,
                ("error budget", _budget(moment)),
            ]
        ),
    ]
    if change is not None and recorded.decided is not None and recorded.decided.known:
        parts += [
            Text(f"\nWhen {change.before} became {change.to}", style="bold"),
            facts([*_load(recorded.decided), *_candidates(recorded.decided, change)]),
        ]
    told = [(str(kind), _condition(moment, kind)) for kind in TELLING if kind in moment.conditions]
    if told:
        parts += [Text("\nConditions then", style="bold"), facts(told)]
    return [*parts, Text(f"\n{NOT_RECORDED}")]


def headline(recorded: Recorded) -> str:
    """After the name of the service."""
    desired = recorded.moment.get("desired_replicas")
    when = moments.written(recorded.moment.at)
    return f"at {when}: " + ("not known" if desired is None else f"{desired:.0f} replicas were wanted")


def as_document(recorded: Recorded) -> dict[str, Any]:
    """For scripts: what is not recorded is null."""
    change, decided = recorded.change, recorded.decided
    return {
        "then": _document(recorded.moment),
        "itemsPerSecondByTriton": recorded.demand_of_triton,
        "change": None
        if change is None
        else {
            "from": change.before,
            "to": change.to,
            "after": moments.written(change.after),
            "at": moments.written(change.at),
        },
        "unchangedSeconds": recorded.unchanged_seconds if change is None else None,
        "whenChanged": None if decided is None else _document(decided),
    }


def _document(moment: Moment) -> dict[str, Any]:
    demand, provided = moment.get("demand_items_per_second"), moment.forecast.get(PROVIDED)
    return {
        "replicas": {
            name: _whole(moment.get(f"{series}_replicas"))
            for name, series in (("wanted", "desired"), ("ready", "ready"), ("min", "min"), ("max", "max"))
        },
        "itemsPerSecond": demand,
        "forecastItemsPerSecond": provided,
        "forecastMedianItemsPerSecond": moment.forecast.get(MEDIAN),
        "leadTimeSeconds": moment.get("lead_time_seconds"),
        "itemsPerSecondPerReplica": moment.get("capacity_items_per_second"),
        "forDemand": moment.replicas_for(demand),
        "forForecast": moment.replicas_for(provided),
        "errorBudgetLeft": moment.get("error_budget_left_ratio"),
        "conditions": {kind: {"reason": reason, "status": so} for kind, (reason, so) in moment.conditions.items()},
    }


def _replicas(moment: Moment) -> str:
    wanted, there, ready = (_number(moment.get(f"{name}replicas")) for name in ("desired_", "", "ready_"))
    bounds = f"{_number(moment.get('min_replicas'))}-{_number(moment.get('max_replicas'))}"
    return f"{wanted} wanted, {there} in the Deployment, {ready} ready; bounds {bounds}"


def _changed(recorded: Recorded) -> str:
    change = recorded.change
    if change is None:
        seconds = recorded.unchanged_seconds
        return f"not in the {format_seconds(round(seconds))} before" if seconds else "not known when"
    within = format_seconds((change.at - change.after).total_seconds())
    return f"{change.before} -> {change.to} by {moments.written(change.at)}, in the {within} before"


def _load(moment: Moment) -> list[tuple[str, str]]:
    demand, capacity = moment.get("demand_items_per_second"), moment.get("capacity_items_per_second")
    objective, latency = moment.get("slo_objective_ratio"), moment.get("slo_latency_seconds")
    promise = f" within {format_seconds(latency)} for {figures(100.0 * objective)} %" if objective and latency else ""
    return [
        ("load", "not known then" if demand is None else f"{figures(demand)} items/s asked"),
        ("forecast", _forecast(moment)),
        ("a replica", "not recorded" if capacity is None else f"{figures(capacity)} items/s{promise}"),
    ]


def _forecast(moment: Moment) -> str:
    provided, likely = moment.forecast.get(PROVIDED), moment.forecast.get(MEDIAN)
    if provided is None:
        return "none was trusted then, or none is recorded"
    lead = moment.get("lead_time_seconds")
    ahead = "" if lead is None else f", the most within {format_seconds(round(lead, 1))}"
    half = "" if likely is None else f" (as likely as not {figures(likely)})"
    return f"{figures(provided)} items/s provided for{half}{ahead}"


def _candidates(decided: Moment, change: Change) -> list[tuple[str, str]]:
    for_load = decided.replicas_for(decided.get("demand_items_per_second"))
    for_forecast = decided.replicas_for(decided.forecast.get(PROVIDED))
    return [
        ("for the load", _number(for_load)),
        ("for the forecast", _number(for_forecast)),
        ("decided", f"{change.to}: {_meaning(decided, change.to, for_load, for_forecast)}"),
    ]


def _meaning(decided: Moment, to: int, for_load: int | None, for_forecast: int | None) -> str:
    """What the number agrees with; never which bound it was."""
    needs = [need for need in (for_load, for_forecast) if need is not None]
    if not needs:
        return "neither the load nor a forecast was known"
    if to == for_load and (for_forecast is None or for_forecast <= to):
        return "what the load asks for"
    if to == for_forecast and (for_load is None or for_load <= to):
        return "what was foreseen asks for"
    if to == decided.get("max_replicas") and max(needs) > to:
        return "maxReplicas, where more were needed"
    if to == decided.get("min_replicas") and max(needs) < to:
        return "minReplicas, where fewer were needed"
    if max(needs) < to:
        return "more than either asks for: a hold, a margin, a step limit or a queue kept them"
    return "fewer than one of them asks for: a step, a quota or the nodes allowed no more"


def _budget(moment: Moment) -> str:
    left = moment.get("error_budget_left_ratio")
    return "not known then" if left is None else f"{100.0 * left:.0f} % left"


def _condition(moment: Moment, kind: str) -> str:
    reason, so = moment.conditions[kind]
    return f"{so}: {reason}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
