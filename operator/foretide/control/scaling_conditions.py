"""What the autoscale loop states about a service: each condition with its reason and a sentence with numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from foretide.api import group
from foretide.api.conditions import Condition, ConditionStatus, ConditionType
from foretide.api.durations import format_seconds
from foretide.api.hardwareclass import HardwareClass
from foretide.api.reasons import Reason
from foretide.control.act import Untaken
from foretide.control.by_hand import FREE, Stand
from foretide.control.observe import NoMetrics
from foretide.control.policies import NoPolicy, Policy, is_advisory
from foretide.control.serving_status import refusal_reason
from foretide.scaling import ledger
from foretide.scaling.budget import Account, Budget
from foretide.scaling.decision import Bound, Decisions, Hindrance
from foretide.scaling.forecast.foresight import Trust
from foretide.scaling.observation import Gap

_Statement = tuple[ConditionStatus, Reason, str]

REFUSAL_LIMIT: Final = 600

_TRUST: Final = MappingProxyType(
    {
        Trust.GOOD: (ConditionStatus.TRUE, Reason.FORECAST_TRUSTED),
        Trust.NO_HISTORY: (ConditionStatus.UNKNOWN, Reason.NO_HISTORY),
        Trust.GAPS: (ConditionStatus.FALSE, Reason.HISTORY_GAPS),
        Trust.MISSED: (ConditionStatus.FALSE, Reason.FORECAST_MISSED),
        Trust.OFF: (ConditionStatus.FALSE, Reason.FORECAST_OFF),
    }
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else a status says than the decision itself."""

    generation: int
    no_metrics: NoMetrics | None
    foreign_scaler: str | None
    policy: Policy
    hardware_class: HardwareClass
    now: datetime
    refusal: str = ""  # why pods cannot be created, in the API server's words
    by_hand: Stand = FREE
    untaken: Untaken | None = None  # the last number, where it is still not what is there
    divided: tuple[
        tuple[HardwareClass, int], ...
    ] = ()  # the replicas of each, where several hardware classes are listed
    paused: bool = False  # by the annotation, with all that belongs to the service
    account: Account | None = None  # of the error budgets of all services, where it is worked out

    def account_of(self, made: Decisions) -> Account:
        """That, or worked out now."""
        return self.account or made.memory.spending.account(made.capacity.objective)


def conditions_of(made: Decisions, row: int, known: Circumstances) -> list[Condition]:
    """All that the autoscale loop owns, not yet with their times."""
    return [
        Condition(kind, *statement, observed_generation=known.generation)
        for kind, statement in (
            (ConditionType.METRICS_AVAILABLE, _metrics(made, row, known)),
            (ConditionType.FORECAST_HEALTHY, _forecast(made, row)),
            (ConditionType.SCALING_ACTIVE, _active(made, row, known)),
            (ConditionType.SCALING_LIMITED, _limited(made, row, known)),
            (ConditionType.SLO_FEASIBLE, _feasible(made, row)),
            (ConditionType.SLO_MET, _met(known.account_of(made), row)),
        )
    ]


def _metrics(made: Decisions, row: int, known: Circumstances) -> _Statement:
    if known.no_metrics is not None:
        message = known.no_metrics.message
        if made.seen.demand.known[row] and made.seen.reporting[row] > 0:
            read, expected = made.seen.reporting[row], made.seen.expected[row]
            message += f"; the load is read from the pods directly ({read} of {expected})"
        return ConditionStatus.FALSE, known.no_metrics.reason, message
    reason = ledger.metrics_reason(made.seen, row)
    if reason is Reason.NO_READY_REPLICAS:
        return ConditionStatus.UNKNOWN, reason, "no replica has been ready for long enough to be seen"
    if reason is Reason.PARTIAL_SERIES:
        silent, expected = made.seen.silent[row], made.seen.expected[row]
        message = f"{silent} of {expected} ready replicas send no metrics; nothing shrinks that they may need"
        return ConditionStatus.FALSE, reason, message
    if reason is Reason.CLOCK_SKEW:
        message = f"the newest sample is {round(made.seen.ahead_seconds[row], -1):.0f}s in the future: a clock is wrong"
        return ConditionStatus.FALSE, reason, message
    if reason is Reason.METRICS_COMPLETE:
        return ConditionStatus.TRUE, reason, "every ready replica is seen"
    return ConditionStatus.FALSE, reason, reason.meaning


def _active(made: Decisions, row: int, known: Circumstances) -> _Statement:
    bound = Bound(made.bound[row])
    if (barred := _barred(known)) is not None:
        return barred
    if bound is Bound.PAUSED:
        return ConditionStatus.FALSE, Reason.SCALING_PAUSED, "spec.scaling.paused is true"
    if made.bounds.is_pinned[row]:
        if is_advisory(known.policy):
            message = f"the ScalingPolicy is Advisory: spec.scaling.replicas = {made.bounds.pinned[row]} is not written"
            return ConditionStatus.FALSE, Reason.ADVISORY, message
        return ConditionStatus.FALSE, Reason.REPLICAS_PINNED, f"spec.scaling.replicas is {made.bounds.pinned[row]}"
    starting = Gap(made.seen.gap[row]) is Gap.NO_READY_REPLICAS and known.no_metrics is None
    if not made.seen.demand.known[row] and not starting:
        grown = bound is Bound.BLIND
        message = f"the load is unknown: replicas {'grow to what the last day needed' if grown else 'are held'}"
        return ConditionStatus.FALSE, Reason.METRICS_UNAVAILABLE, message
    if is_advisory(known.policy):
        return ConditionStatus.FALSE, Reason.ADVISORY, "the ScalingPolicy is Advisory: decisions are told and not done"
    if known.no_metrics is not None:
        message = "the number of replicas grows with the load that the pods tell; without Prometheus nothing shrinks"
        return ConditionStatus.TRUE, Reason.SCALING_ACTIVE, message
    return ConditionStatus.TRUE, Reason.SCALING_ACTIVE, "the number of replicas follows the load"


def _barred(known: Circumstances) -> _Statement | None:
    """What others do or forbid that keeps replicas from being written, if they do."""
    if known.paused:
        return ConditionStatus.FALSE, Reason.SCALING_PAUSED, f"the annotation {group.PAUSED_ANNOTATION} is set"
    if known.foreign_scaler is not None:
        message = (
            f"HorizontalPodAutoscaler {known.foreign_scaler} targets the Deployment; delete it, or set "
            "spec.scaling.paused and keep it"
        )
        return ConditionStatus.FALSE, Reason.FOREIGN_SCALER, message
    if known.untaken is not None and known.untaken.reason is not None:
        message = f"the API server does not let the Deployment be scaled: {known.untaken.message}"
        return ConditionStatus.FALSE, known.untaken.reason, message
    if isinstance(known.policy, NoPolicy):
        return ConditionStatus.FALSE, known.policy.reason, known.policy.message
    if known.by_hand.reason is not None:
        return ConditionStatus.FALSE, known.by_hand.reason, known.by_hand.message
    return None


def _limited(made: Decisions, row: int, known: Circumstances) -> _Statement:
    wanted = max(int(made.asked[row]), int(made.foreseen[row]))
    maximum, minimum = int(made.bounds.maximum[row]), int(made.bounds.minimum[row])
    if Bound(made.bound[row]) is Bound.QUOTA:
        message = f"the quota of {made.quota[row]} replicas leaves {made.desired[row]} of {made.wanted[row]}"
        return ConditionStatus.TRUE, Reason.AT_QUOTA, message
    ordered = made.bounds.paused[row] or made.bounds.is_pinned[row]
    hindered = made.stuck.cause[row] != Hindrance.NONE
    if hindered and not ordered and wanted > made.stuck.going[row]:
        return _stuck(made, row, known)
    if Bound(made.bound[row]) is Bound.STEP_UP_LIMIT:
        message = f"one step grows to {made.desired[row]} of the {wanted} replicas that are needed"
        return ConditionStatus.TRUE, Reason.STEP_LIMITED, message
    if wanted > maximum and made.seen.demand.known[row]:
        message = f"the load needs more than maxReplicas = {maximum} replicas"
        return ConditionStatus.TRUE, Reason.AT_MAX_REPLICAS, message
    if Bound(made.bound[row]) is Bound.MINIMUM:
        return ConditionStatus.FALSE, Reason.AT_MIN_REPLICAS, f"minReplicas = {minimum} is more than the load needs"
    return ConditionStatus.FALSE, Reason.WITHIN_LIMITS, "the wanted number of replicas is within the bounds"


def _stuck(made: Decisions, row: int, known: Circumstances) -> _Statement:
    """No number of it changes with the load: pods may be stuck for days."""
    message = f"of the replicas {ledger.hindrance(made, row)}"
    cause = Hindrance(made.stuck.cause[row])
    if cause is Hindrance.REFUSED and known.refusal:
        message += f": {known.refusal[:REFUSAL_LIMIT]}"
        return ConditionStatus.TRUE, refusal_reason(known.refusal), message
    return ConditionStatus.TRUE, ledger.HINDRANCES[cause][0], message


def _forecast(made: Decisions, row: int) -> _Statement:
    status, reason = _TRUST[Trust(made.plan.trust[row])]
    return status, reason, reason.meaning


def _feasible(made: Decisions, row: int) -> _Statement:
    capacity = made.capacity
    if not capacity.known[row]:
        return ConditionStatus.UNKNOWN, Reason.SLO_UNKNOWN, "no batch has been measured yet"
    slo = format_seconds(float(f"{capacity.slo_seconds[row]:.3g}"))
    single = format_seconds(float(f"{capacity.fixed_seconds[row] + capacity.per_item_seconds[row]:.2g}"))
    if capacity.feasible[row]:
        return ConditionStatus.TRUE, Reason.SLO_FEASIBLE, f"a single item is answered faster than the {slo} of the SLO"
    message = f"a single item, alone, takes {single}: no number of replicas keeps the {slo} of the SLO"
    return ConditionStatus.FALSE, Reason.SLO_INFEASIBLE, message


def _met(account: Account, row: int) -> _Statement:
    return {
        Budget.UNKNOWN: (ConditionStatus.UNKNOWN, Reason.SLO_UNKNOWN, "too few requests were seen to speak of a share"),
        Budget.KEPT: (ConditionStatus.TRUE, Reason.SLO_MET, Reason.SLO_MET.meaning),
        Budget.BURNING: (
            ConditionStatus.FALSE,
            Reason.SLO_BUDGET_BURNING,
            "the error budget is spent many times as fast as it may be; status.slo has the rates",
        ),
        Budget.SPENT: (ConditionStatus.FALSE, Reason.SLO_BUDGET_SPENT, Reason.SLO_BUDGET_SPENT.meaning),
    }[Budget(account.state[row])]
