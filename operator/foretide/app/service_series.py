"""The series of single services, made when they are asked for from what the last tick decided: those of a service go
with the service, and what is unknown has none. So nothing is to be taken back, and a tick pays for no series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.api.durations import format_seconds
from foretide.api.inferenceservice import MAX_CLASSES
from foretide.app.exposition import Samples
from foretide.app.families import Family, Kind
from foretide.control.challenge_status import Verdict
from foretide.control.outcome import Outcome
from foretide.control.world import Key
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.budget import WINDOWS_SECONDS
from foretide.scaling.decision import Decisions
from foretide.scaling.readings import Readings
from foretide.scaling.shadow import Side

_SERVICE: Final = ("namespace", "service")
# Of a forecast: what is as likely as not, and the quantile that the error budget asks for.
MEDIAN, PROVIDED = "median", "provided"
SIDES: Final = tuple(side.name.lower() for side in Side)
WINDOWS: Final = tuple(format_seconds(seconds) for seconds in WINDOWS_SECONDS)
# The quantile whose coverage is told; a test holds it against that of the forecast's model.
COVERED: Final = "0.9"


@dataclass(frozen=True, slots=True)
class Series:
    """A family with one series for each service, or several, and how to read them."""

    family: Family
    read: Callable[[Outcome], Samples]


def _gauge(
    name: str, text: str, unit: str, read: Callable[[Outcome], Samples], labels: tuple[str, ...] = (), most: str = "S"
) -> Series:
    named, every = f"foretide_{name}", (*_SERVICE, *labels)
    return Series(Family(name=named, kind=Kind.GAUGE, text=text, unit=unit, labels=every, most=most), read)


def _column(of: Callable[[Decisions], Floats | Ints | Readings]) -> Callable[[Outcome], Samples]:
    """One number for each service."""

    def read(outcome: Outcome) -> Samples:
        found = of(outcome.decisions)
        if isinstance(found, Readings):
            return _known(outcome.keys, found.value, found.known)
        return zip(outcome.keys, found.tolist(), strict=True)

    return read


def _known(keys: Sequence[Key], values: Floats, known: Bools, *labels: str) -> Samples:
    rows = np.flatnonzero(known).tolist()
    return (((*keys[row], *labels), value) for row, value in zip(rows, values[known].tolist(), strict=True))


def _forecasts(outcome: Outcome) -> Samples:
    plan = outcome.decisions.plan
    for level, foreseen in ((MEDIAN, plan.likely), (PROVIDED, plan.ahead)):
        yield from _known(outcome.keys, foreseen.value, foreseen.known, level)


def _burn_rates(outcome: Outcome) -> Samples:
    spending = outcome.decisions.memory.spending
    rates = spending.burn_rates(outcome.decisions.capacity.objective)
    for column, window in enumerate(WINDOWS):  # the last column is the window of the SLO, which budget_left tells
        yield from _known(outcome.keys, rates[:, column], spending.known, window)


def _budget_left(made: Decisions) -> Readings:
    return Readings.checked(made.memory.spending.left(made.capacity.objective), made.memory.spending.known)


def _coverage(outcome: Outcome) -> Samples:
    found = outcome.decisions.memory.sight.coverage
    return _known(outcome.keys, found.value, found.known, COVERED)


def _costs(outcome: Outcome) -> Samples:
    for key, hardware in zip(outcome.keys, outcome.hardware, strict=True):
        for one, replicas in hardware:
            if (cost := one.spec.cost) is not None:
                yield (*key, one.name, cost.currency), replicas * cost.amount_per_hour


def _of_challengers(read: Callable[[Key, Verdict], Samples]) -> Callable[[Outcome], Samples]:
    return lambda outcome: (sample for key, verdict in outcome.verdicts.items() for sample in read(key, verdict))


def _challenger_replicas(key: Key, verdict: Verdict) -> Samples:
    if verdict.replicas is not None:
        yield key, verdict.replicas


def _compared_late(key: Key, verdict: Verdict) -> Samples:
    if (late := verdict.late_share) is not None:
        yield from (((*key, name), late[side]) for side, name in zip(Side, SIDES, strict=True))


def _compared_seconds(key: Key, verdict: Verdict) -> Samples:
    if (tally := verdict.tally) is not None:
        for side, name in zip(Side, SIDES, strict=True):
            yield (*key, name), float(tally.replica_seconds[0, side])


GAUGES: Final = (
    _gauge(
        "replicas",
        "spec.replicas of the Deployment; of several hardware classes, those that are counted on.",
        "replicas",
        _column(lambda made: made.fleet.replicas),
    ),
    _gauge("desired_replicas", "Replicas of the last decision.", "replicas", _column(lambda made: made.desired)),
    _gauge("ready_replicas", "Replicas that are ready.", "replicas", _column(lambda made: made.seen.ready)),
    _gauge("min_replicas", "Fewest replicas by the spec.", "replicas", _column(lambda made: made.bounds.minimum)),
    _gauge("max_replicas", "Most replicas by the spec.", "replicas", _column(lambda made: made.bounds.maximum)),
    _gauge(
        "demand_items_per_second",
        "Items asked for; absent while unknown.",
        "items/s",
        _column(lambda made: made.seen.demand),
    ),
    _gauge(
        "capacity_items_per_second",
        "Items that one replica is counted on for within the SLO.",
        "items/s",
        _column(lambda made: made.capacity.rate_rps),
    ),
    _gauge(
        "forecast_items_per_second",
        "Items foreseen for when a replica started now is ready: the median, and what is provided for; absent while no "
        "forecast is trusted.",
        "items/s",
        _forecasts,
        ("level",),
        "2 S",
    ),
    _gauge(
        "forecast_coverage_ratio",
        "Share of what came in the last hours that was at or below the forecast's quantile: the quantile itself where "
        "the forecast is calibrated; absent before an hour of outcomes.",
        "",
        _coverage,
        ("level",),
    ),
    _gauge(
        "forecast_pinball_loss",
        "Pinball loss of the forecast of the logarithm of demand, mean over its quantiles and the last half day: 0.01 "
        "is about 1 % of the load; absent before an hour of outcomes.",
        "",
        _column(lambda made: made.memory.sight.pinball_loss),
    ),
    _gauge(
        "lead_time_seconds",
        "Time within which nine of ten new replicas are ready: how far ahead the forecast is.",
        "seconds",
        _column(lambda made: made.plan.lead_seconds),
    ),
    _gauge(
        "slo_objective_ratio",
        "spec.slo.objective: the share of requests to be answered in time.",
        "",
        _column(lambda made: made.capacity.objective),
    ),
    _gauge(
        "slo_latency_seconds",
        "spec.slo.latency: within what a request is in time.",
        "seconds",
        _column(lambda made: made.capacity.slo_seconds),
    ),
    _gauge(
        "error_budget_left_ratio",
        "Share of the error budget that is left, below 0 once it is overspent; absent while too little is known.",
        "",
        _column(_budget_left),
    ),
    _gauge(
        "error_budget_burn_rate",
        "Times the rate at which the error budget lasts just for its window, in exponential windows; absent while too "
        "little is known.",
        "",
        _burn_rates,
        ("window",),
        "3 S",
    ),
    _gauge(
        "cost_per_hour",
        "Price of the replicas for an hour, by the hardware classes that the service lists; absent where one has no "
        "price.",
        "currency/h",
        _costs,
        ("hardware_class", "currency"),
        f"{MAX_CLASSES} S",
    ),
    _gauge(
        "challenger_replicas",
        "Replicas that the policy tried in the shadow would run.",
        "replicas",
        _of_challengers(_challenger_replicas),
    ),
    _gauge(
        "challenger_late_ratio",
        "Share of what was asked that was late since the comparison began, of the policy that acts (champion) and of "
        "the one that is tried in the shadow (challenger), by one estimate; absent before anything was asked.",
        "",
        _of_challengers(_compared_late),
        ("policy",),
        "2 S",
    ),
    _gauge(
        "challenger_replica_seconds",
        "Replicas times seconds since the comparison began, of the policy that acts (champion) and of the one that is "
        "tried in the shadow (challenger).",
        "replica seconds",
        _of_challengers(_compared_seconds),
        ("policy",),
        "2 S",
    ),
)
ITEMS: Final = Family(
    name="foretide_slo_items_total",
    kind=Kind.COUNTER,
    text="Items that were answered or refused, as far as the load was known: what the objective is a share of.",
    unit="items",
    labels=_SERVICE,
    most="S",
)
LATE_ITEMS: Final = Family(
    name="foretide_slo_late_items_total",
    kind=Kind.COUNTER,
    text="Those of them that were late or refused: measured by Triton's latencies, or estimated (status.slo.source).",
    unit="items",
    labels=_SERVICE,
    most="S",
)
FAMILIES: Final = (*(series.family for series in GAUGES), ITEMS, LATE_ITEMS)


class ServiceSeries:
    """What the last tick told of each service."""

    def __init__(self) -> None:
        self._outcome: Outcome | None = None
        self._counted: dict[Key, tuple[float, float]] = {}  # items, and late ones

    def ticked(self, outcome: Outcome) -> None:
        """Takes in what a tick decided."""
        counted = {}
        for key, (asked, late) in zip(outcome.keys, outcome.decisions.memory.spending.newest.tolist(), strict=True):
            asked_before, late_before = self._counted.get(key, (0.0, 0.0))
            counted[key] = (asked_before + asked, late_before + late)
        self._counted = counted
        self._outcome = outcome

    def collect(self) -> Iterator[tuple[Family, Samples]]:
        """All families, also those without a series."""
        for series in GAUGES:
            yield series.family, () if self._outcome is None else series.read(self._outcome)
        for column, family in enumerate((ITEMS, LATE_ITEMS)):
            yield family, [(key, counted[column]) for key, counted in self._counted.items()]
