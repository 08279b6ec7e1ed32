"""The autoscale loop's part of status: a pure function of one row of decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from foretide.api import conditions
from foretide.api.conditions import Condition, ConditionStatus, ConditionType, rfc3339
from foretide.api.durations import format_seconds
from foretide.api.reasons import Reason
from foretide.api.status import MAX_DECISIONS
from foretide.control.observe import NoMetrics
from foretide.scaling import ledger
from foretide.scaling.decision import Bound, Decisions
from foretide.scaling.observation import Gap

# A capacity is told anew when it moved by this share: each tick learns a little, and status must come to rest.
TOLD_CHANGE: Final = 0.05

_Statement = tuple[ConditionStatus, Reason, str]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else a status says than the decision itself."""

    generation: int
    no_metrics: NoMetrics | None
    foreign_scaler: str | None
    now: datetime


def status(made: Decisions, row: int, known: Circumstances, previous: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of status that the field manager `foretide-autoscaler` owns, without the memory."""
    current = [
        Condition(kind, *statement, observed_generation=known.generation)
        for kind, statement in (
            (ConditionType.METRICS_AVAILABLE, _metrics(made, row, known)),
            (ConditionType.SCALING_ACTIVE, _active(made, row, known)),
            (ConditionType.SCALING_LIMITED, _limited(made, row)),
        )
    ]
    timed = conditions.transitioned(current, conditions.read(previous), now=known.now)
    return {
        "conditions": [condition.as_json() for condition in timed],
        "desiredReplicas": int(made.desired[row]),
        "capacity": _capacity(made, row, previous.get("capacity")),
        "decisions": _decisions(made, row, known, previous.get("decisions", ())),
    }


def _metrics(made: Decisions, row: int, known: Circumstances) -> _Statement:
    if known.no_metrics is not None:
        return ConditionStatus.FALSE, known.no_metrics.reason, known.no_metrics.message
    reason = ledger.metrics_reason(made.seen, row)
    if reason is Reason.NO_READY_REPLICAS:
        return ConditionStatus.UNKNOWN, reason, "no replica has been ready for long enough to be seen"
    if reason is Reason.PARTIAL_SERIES:
        silent, expected = made.seen.silent[row], made.seen.expected[row]
        message = f"{silent} of {expected} ready replicas send no metrics; nothing shrinks that they may need"
        return ConditionStatus.FALSE, reason, message
    if reason is Reason.METRICS_COMPLETE:
        return ConditionStatus.TRUE, reason, "every ready replica is seen"
    return ConditionStatus.FALSE, reason, reason.meaning


def _active(made: Decisions, row: int, known: Circumstances) -> _Statement:
    if known.foreign_scaler is not None:
        message = (
            f"HorizontalPodAutoscaler {known.foreign_scaler} targets the Deployment; delete it, or set "
            "spec.scaling.paused and keep it"
        )
        return ConditionStatus.FALSE, Reason.FOREIGN_SCALER, message
    bound = Bound(made.bound[row])
    if bound is Bound.PAUSED:
        return ConditionStatus.FALSE, Reason.SCALING_PAUSED, "spec.scaling.paused is true"
    if bound is Bound.PINNED:
        return ConditionStatus.FALSE, Reason.REPLICAS_PINNED, f"spec.scaling.replicas is {made.desired[row]}"
    starting = Gap(made.seen.gap[row]) is Gap.NO_READY_REPLICAS and known.no_metrics is None
    if not made.seen.demand.known[row] and not starting:
        return ConditionStatus.FALSE, Reason.METRICS_UNAVAILABLE, "the load is unknown: replicas are held"
    return ConditionStatus.TRUE, Reason.SCALING_ACTIVE, "the number of replicas follows the load"


def _limited(made: Decisions, row: int) -> _Statement:
    wanted = max(int(made.asked[row]), int(made.foreseen[row]))
    maximum, minimum = int(made.bounds.maximum[row]), int(made.bounds.minimum[row])
    if Bound(made.bound[row]) is Bound.QUOTA:
        message = f"the quota of {made.quota[row]} replicas leaves {made.desired[row]} of {made.wanted[row]}"
        return ConditionStatus.TRUE, Reason.AT_QUOTA, message
    if wanted > maximum and made.seen.demand.known[row]:
        message = f"the load needs more than maxReplicas = {maximum} replicas"
        return ConditionStatus.TRUE, Reason.AT_MAX_REPLICAS, message
    if Bound(made.bound[row]) is Bound.MINIMUM:
        return ConditionStatus.FALSE, Reason.AT_MIN_REPLICAS, f"minReplicas = {minimum} is more than the load needs"
    return ConditionStatus.FALSE, Reason.WITHIN_LIMITS, "the wanted number of replicas is within the bounds"


def _capacity(made: Decisions, row: int, told: object) -> dict[str, Any]:
    capacity = made.capacity
    rate = float(capacity.rate_rps[row])
    now = {
        "perReplica": _rps(rate),
        "batchTime": {
            "perItem": format_seconds(float(capacity.per_item_seconds[row])),
            "fixed": format_seconds(float(capacity.fixed_seconds[row])),
        },
        "source": "Measured" if capacity.measured[row] else "Prior",
    }
    if isinstance(told, Mapping) and told.get("source") == now["source"]:
        before = _number(told.get("perReplica"))
        if math.isfinite(before) and abs(rate - before) <= TOLD_CHANGE * before:
            return dict(told)  # the law in it belongs to this rate
    return now


def _rps(rate: float) -> str:
    """A rate as the API writes numbers that are not whole: plain decimals, never an exponent."""
    return f"{rate:.3f}".rstrip("0").rstrip(".")


def _number(text: object) -> float:
    """What a status says that somebody may have edited by hand; NaN where it is no number."""
    try:
        return float(str(text))
    except ValueError:
        return math.nan


def _decisions(made: Decisions, row: int, known: Circumstances, before: Any) -> list[dict[str, Any]]:
    """The last changes, newest last; a change that must be tried again (its /scale failed) is told once."""
    wanted, present = int(made.desired[row]), int(made.fleet.replicas[row])
    kept = [dict(entry) for entry in before]
    if wanted == present:
        return kept[-MAX_DECISIONS:]
    if kept and (kept[-1]["from"], kept[-1]["to"]) == (present, wanted):
        kept.pop()
    demand = made.seen.demand
    entry = {
        "time": rfc3339(known.now),
        "from": present,
        "to": wanted,
        "bound": Bound(made.bound[row]).label,
        "reason": ledger.reason(made, row).value,
        "text": ledger.explain(made, row),
    }
    if demand.known[row]:
        entry["demand"] = _rps(float(demand.value[row]))
    return [*kept, entry][-MAX_DECISIONS:]
