"""What Prometheus has recorded of a service: the operator's own series of a moment, and of now.

The bound that won, the quantile and what a HorizontalPodAutoscaler would have run are in no series; they are in status,
for the last decisions, and nothing here makes them up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from foretide.adapters.prometheus_series import Series, SeriesSource
    from foretide.api.inferenceservice import InferenceService

# By the names of docs/metrics.md; a test holds them against those that the operator exports.
DESIRED: Final = "foretide_desired_replicas"
DEMAND: Final = "foretide_demand_items_per_second"
FORECAST: Final = "foretide_forecast_items_per_second"
CONDITION: Final = "foretide_condition"
GAUGES: Final = (
    DESIRED,
    "foretide_replicas",
    "foretide_ready_replicas",
    "foretide_min_replicas",
    "foretide_max_replicas",
    DEMAND,
    "foretide_capacity_items_per_second",
    "foretide_lead_time_seconds",
    "foretide_slo_objective_ratio",
    "foretide_slo_latency_seconds",
    "foretide_error_budget_left_ratio",
)
MEDIAN: Final = "median"
PROVIDED: Final = "provided"
# How far back a change is looked for, and in what steps: Prometheus answers 11,000 at most.
LOOKED_BACK: Final = ((6 * 3_600.0, 15.0), (14 * 86_400.0, 600.0))


@dataclass(frozen=True, slots=True)
class Moment:
    """What was recorded of a moment; what is not in here was not known then, or not recorded."""

    at: datetime
    gauges: Mapping[str, float] = field(default_factory=dict)  # by name
    forecast: Mapping[str, float] = field(default_factory=dict)  # MEDIAN, PROVIDED
    conditions: Mapping[str, tuple[str, bool]] = field(default_factory=dict)  # type -> reason, and whether it is so

    @property
    def known(self) -> bool:
        return bool(self.gauges)

    def get(self, name: str) -> float | None:
        return self.gauges.get(f"foretide_{name}")

    def replicas_for(self, items_per_second: float | None) -> int | None:
        """By what a replica was counted on for then."""
        capacity = self.get("capacity_items_per_second")
        if items_per_second is None or not capacity:
            return None
        return math.ceil(items_per_second / capacity - 1e-9)


@dataclass(frozen=True, slots=True)
class Change:
    """When the number that is wanted became what it was: after `after`, and at `at` at the latest."""

    before: int
    to: int
    after: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """A moment, and the decision that was in force then as far as it is recorded."""

    moment: Moment
    change: Change | None
    decided: Moment | None  # what was known when it changed
    unchanged_seconds: float  # how far back nothing changed, where `change` is None
    demand_of_triton: float | None = None  # items a second by Triton's own counters, where the operator told none


async def recall(prometheus: SeriesSource, service: InferenceService, *, created: datetime, at: datetime) -> Recorded:
    """Of one service; raises AdapterError."""
    from foretide.control import past  # with numpy, which `status` does without

    found = await _recorded(prometheus, namespace=service.namespace, name=service.name, at=at)
    if DEMAND in found.moment.gauges:
        return found
    minute = math.floor(at.timestamp() / past.STEP_SECONDS) * past.STEP_SECONDS
    owner = past.owner_of(service, since_seconds=created.timestamp())
    chunk = await past.read(prometheus, [owner], steps=1, end_seconds=minute, rate_window_seconds=past.STEP_SECONDS)
    demand = chunk.of([owner.service]).demand
    return replace(found, demand_of_triton=float(demand.value[0, 0]) if demand.known[0, 0] else None)


async def _recorded(prometheus: SeriesSource, *, namespace: str, name: str, at: datetime) -> Recorded:
    chosen = f"namespace={json.dumps(namespace)},service={json.dumps(name)}"  # names hold neither quote nor backslash
    moment = await _moment(prometheus, chosen, at)
    unchanged = 0.0
    if DESIRED in moment.gauges:
        for seconds, step in LOOKED_BACK:
            end = at.timestamp()
            found = await prometheus.between(
                f"max({DESIRED}{{{chosen}}})", start_seconds=end - seconds, end_seconds=end, step_seconds=step
            )
            values = found[0].values if found else ()
            if (change := last_change(values)) is not None:
                return Recorded(moment, change, await _moment(prometheus, chosen, change.at), 0.0)
            unchanged = end - values[0][0] if values else unchanged
    return Recorded(moment, None, None, unchanged)


async def _moment(prometheus: SeriesSource, chosen: str, at: datetime) -> Moment:
    names = "|".join((*GAUGES, FORECAST, CONDITION))
    found = await prometheus.at(f'{{__name__=~"{names}",{chosen}}}', at_seconds=at.timestamp())
    return moment_of(found, at)


def moment_of(found: Iterable[Series], at: datetime) -> Moment:
    """Of two operator pods that told the same, as when one took over from the other, the larger number counts."""
    gauges: dict[str, float] = {}
    forecast: dict[str, float] = {}
    conditions: dict[str, tuple[str, bool]] = {}
    for one in found:
        if not one.values:
            continue
        value = one.values[-1][1]
        if one.name == FORECAST:
            level = one.labels.get("level", "")
            forecast[level] = max(value, forecast.get(level, value))
        elif one.name == CONDITION:
            conditions[one.labels.get("condition", "")] = (one.labels.get("reason", ""), value > 0.0)
        else:
            gauges[one.name] = max(value, gauges.get(one.name, value))
    return Moment(at, gauges, forecast, conditions)


def last_change(values: Sequence[tuple[float, float]]) -> Change | None:
    """The newest change in a series; None where there is none."""
    for (earlier, before), (later, to) in zip(reversed(values[:-1]), reversed(values[1:]), strict=True):
        if before != to:
            return Change(
                round(before), round(to), datetime.fromtimestamp(earlier, UTC), datetime.fromtimestamp(later, UTC)
            )
    return None


@dataclass(frozen=True, slots=True)
class Now:
    """The load of a service by the last scrape of the operator; None is not known."""

    demand: float | None = None
    provided: float | None = None  # what is foreseen at the quantile that is provided for
    likely: float | None = None  # and as likely as not
    lead_seconds: float | None = None  # for when


async def loads_now(
    prometheus: SeriesSource, *, namespace: str | None, name: str | None
) -> Mapping[tuple[str, str], Now]:
    """By namespace and name, of those that something is known of; raises AdapterError."""
    chosen = "".join(
        f",{label}={json.dumps(value)}" for label, value in (("namespace", namespace), ("service", name)) if value
    )
    names = f"{DEMAND}|{FORECAST}|foretide_lead_time_seconds"
    return now_of(await prometheus.at(f'{{__name__=~"{names}"{chosen}}}'))


def now_of(found: Iterable[Series]) -> dict[tuple[str, str], Now]:
    """One for each service."""
    told: dict[tuple[str, str], dict[str, float]] = {}
    for one in found:
        if one.values:
            key = (one.labels.get("namespace", ""), one.labels.get("service", ""))
            told.setdefault(key, {})[f"{one.name}/{one.labels.get('level', '')}"] = one.values[-1][1]
    return {
        key: Now(
            demand=values.get(f"{DEMAND}/"),
            provided=values.get(f"{FORECAST}/{PROVIDED}"),
            likely=values.get(f"{FORECAST}/{MEDIAN}"),
            lead_seconds=values.get("foretide_lead_time_seconds/"),
        )
        for key, values in told.items()
    }
