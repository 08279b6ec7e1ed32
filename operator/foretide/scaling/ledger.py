"""Why: one sentence with numbers and one word of the API for each decision, from the record of the decision alone."""

from typing import Final

from foretide.api.durations import format_seconds
from foretide.api.reasons import Reason
from foretide.scaling.decision import Bound, Decisions, Hindrance
from foretide.scaling.normal import STANDARD
from foretide.scaling.observation import Gap, Seen

# With what its sentence says of a number of replicas.
HINDRANCES: Final = {
    Hindrance.UNSCHEDULABLE: (Reason.UNSCHEDULABLE, "no node has room for {}"),
    Hindrance.CRASHING: (Reason.REPLICAS_CRASHING, "{} crash again and again and never served"),
    Hindrance.REFUSED: (Reason.PODS_REFUSED, "the pods of {} are refused"),
    Hindrance.UNCREATED: (Reason.CONTAINERS_NOT_CREATED, "the containers of {} cannot be created"),
}
HINDERED: Final = {cause.bound: reason for cause, (reason, _) in HINDRANCES.items()}
# Unchanged replicas are explained by what keeps them; changed ones by the direction.
KEPT: Final = {
    Bound.REACTIVE: Reason.STEADY,
    Bound.FORECAST: Reason.STEADY,
    Bound.MARGIN: Reason.STEADY,
    Bound.MINIMUM: Reason.AT_MIN_REPLICAS,
    Bound.MAXIMUM: Reason.AT_MAX_REPLICAS,
    Bound.HOLD: Reason.SCALE_DOWN_HELD,
    Bound.BACKLOG: Reason.SCALE_DOWN_HELD,
    Bound.DIRECT: Reason.SCALE_DOWN_HELD,
    Bound.STAYING: Reason.SCALE_DOWN_HELD,
    Bound.NEW_PODS: Reason.SCALE_DOWN_HELD,
    Bound.STEP_LIMIT: Reason.STEP_LIMITED,
    Bound.SILENT_PODS: Reason.PARTIAL_SERIES,
    Bound.NOT_READY: Reason.NO_READY_REPLICAS,
    Bound.ROLLOUT: Reason.ROLLOUT_HELD,
    Bound.UNKNOWN: Reason.METRICS_UNAVAILABLE,
    Bound.PAUSED: Reason.SCALING_PAUSED,
    Bound.PINNED: Reason.REPLICAS_PINNED,
    Bound.QUOTA: Reason.AT_QUOTA,
    Bound.STEP_UP_LIMIT: Reason.STEP_LIMITED,
    Bound.BLIND: Reason.METRICS_UNAVAILABLE,
    **HINDERED,
}
# Bounds that name a change better than its direction does.
CHANGED: Final = {
    Bound.PINNED: Reason.REPLICAS_PINNED,
    Bound.MINIMUM: Reason.AT_MIN_REPLICAS,
    Bound.MAXIMUM: Reason.AT_MAX_REPLICAS,
    Bound.QUOTA: Reason.AT_QUOTA,
    Bound.BLIND: Reason.GROWN_BLIND,
    **HINDERED,
}
# All that a decision may be told with.
REASONS: Final = frozenset({*KEPT.values(), *CHANGED.values(), Reason.SCALED_UP, Reason.SCALED_DOWN})
GAPS: Final = {
    Gap.NO_READY_REPLICAS: (Reason.NO_READY_REPLICAS, "no replica is ready long enough to report"),
    Gap.NO_SERIES: (Reason.NO_SERIES, "there is no series of any ready replica"),
    Gap.STALE_SERIES: (Reason.STALE_SERIES, "the newest sample is too old"),
    Gap.CLOCK_SKEW: (Reason.CLOCK_SKEW, "the newest sample is from the future"),
    Gap.UNUSABLE_VALUES: (Reason.NOT_FINITE, "samples are missing in part, not finite, negative or absurd"),
}


def reason(made: Decisions, row: int) -> Reason:
    """The word for status.decisions and for the event."""
    bound = Bound(made.bound[row])
    change = int(made.desired[row] - made.fleet.replicas[row])
    if change == 0:
        return KEPT[bound]
    if bound is Bound.MINIMUM and change < 0:
        return Reason.SCALED_DOWN  # the load went, and the minimum is only where that ended
    return CHANGED.get(bound, Reason.SCALED_UP if change > 0 else Reason.SCALED_DOWN)


def metrics_reason(seen: Seen, row: int) -> Reason:
    """The word for the condition MetricsAvailable, as far as the series themselves tell it."""
    if seen.demand.known[row]:
        return Reason.PARTIAL_SERIES if seen.reporting[row] < seen.expected[row] else Reason.METRICS_COMPLETE
    return GAPS[Gap(seen.gap[row])][0]


def explain(made: Decisions, row: int) -> str:
    """One sentence, e.g. `3 -> 5: 118.2 items/s asked, 26.4 a replica within 100ms at p99 (measured 4.5ms + 1.2ms
    per item), so 5`."""
    now, then = int(made.fleet.replicas[row]), int(made.desired[row])
    move = f"{now} -> {then}" if then != now else f"stays at {now}"
    return f"{move}: {_because(made, row, Bound(made.bound[row]))}"


def _because(made: Decisions, row: int, bound: Bound) -> str:
    if bound is Bound.PAUSED:
        return "paused by the spec"
    if bound is Bound.PINNED:
        return _pinned(made, row)
    if bound is Bound.QUOTA and made.bounds.is_pinned[row]:
        return f"{_pinned(made, row)}, but {_limit(made, row, bound)}"
    if not made.seen.demand.known[row]:
        if bound is Bound.BLIND:
            ending = f"so the {made.plan.highest.value[row]:.1f} items/s that the last day had at most are provided for"
        else:
            ending = "so nothing changes" if bound is Bound.UNKNOWN else f"but {_limit(made, row, bound)}"
        return f"the load is unknown ({GAPS[Gap(made.seen.gap[row])][1]}), {ending}"
    if bound is Bound.QUOTA:
        return f"{_load(made, row)}, so {made.wanted[row]} are wanted, but {_limit(made, row, bound)}"
    needed = int(max(made.asked[row], made.foreseen[row]))
    if bound in (Bound.REACTIVE, Bound.FORECAST):
        return f"{_load(made, row)}, so {needed}"
    if bound is Bound.STEP_UP_LIMIT:
        added = made.desired[row] - made.fleet.replicas[row]
        return f"{_load(made, row)}, so {needed}, but one step adds no more than {added}"
    if bound in (Bound.MINIMUM, Bound.MAXIMUM, *HINDERED):
        return f"{_load(made, row)}, so {needed}, but {_limit(made, row, bound)}"
    return f"{_load(made, row)}, so {needed} would do, but {_keeper(made, row, bound)}"


def _pinned(made: Decisions, row: int) -> str:
    return f"pinned to {made.bounds.pinned[row]} by the spec"


def _keeper(made: Decisions, row: int, bound: Bound) -> str:
    """What keeps more replicas than the load needs."""
    settings = made.settings
    return {
        Bound.ROLLOUT: "a rollout is running",
        Bound.NOT_READY: "no replica is ready long enough to show the whole load",
        Bound.BACKLOG: "the queue must be gone first",
        Bound.DIRECT: "nothing shrinks while Prometheus is away, nor until its windows are whole again",
        Bound.STEP_LIMIT: f"one step takes away no more than {made.fleet.replicas[row] - made.desired[row]}",
        Bound.HOLD: f"{made.held[row]} were needed within the last {made.plan.hold_seconds[row]:.0f}s",
        Bound.STAYING: f"{made.staying[row]} are foreseen to be needed soon",
        Bound.NEW_PODS: f"{made.seen.young[row]} new replicas count as fully loaded until their rates are whole",
        Bound.SILENT_PODS: f"{made.seen.silent[row]} silent replicas count as fully loaded",
        Bound.MARGIN: f"that leaves less than {settings.scale_down_margin:.0%} of room",
    }[bound]


def _limit(made: Decisions, row: int, bound: Bound) -> str:
    if bound is Bound.MINIMUM:
        return f"minReplicas is {made.bounds.minimum[row]}"
    if bound is Bound.QUOTA:
        return f"the quota of {made.quota[row]} replicas leaves {made.desired[row]}"
    if bound in HINDERED:
        return hindrance(made, row)
    return f"maxReplicas is {made.bounds.maximum[row]}"


def hindrance(made: Decisions, row: int) -> str:
    """What keeps replicas from starting, where something does, and how many are asked for meanwhile."""
    stuck, present = made.stuck, int(made.fleet.replicas[row])
    count, most = int(stuck.count[row]), int(stuck.most(made.fleet.replicas)[row])
    why = HINDRANCES[Hindrance(stuck.cause[row])][1].format(f"{count} of {present}")
    return f"{why}, so no more than {most} are asked for until they start"


def _load(made: Decisions, row: int) -> str:
    """What is asked for, and what a replica is counted on for."""
    capacity, seen = made.capacity, made.seen
    asked = f"{seen.demand.value[row]:.1f} items/s asked"
    if made.bursting[row]:
        asked = f"{seen.short_window_rps[row]:.1f} items/s asked in a burst ({seen.demand.value[row]:.1f} on average)"
    if seen.reporting[row] < seen.expected[row]:
        asked += f" of {seen.reporting[row]} of {seen.expected[row]} replicas"
    if made.backlog[row] > 0.0:
        asked += f" and {made.backlog[row]:.0f} waiting"
    if made.foreseen[row] > made.asked[row]:
        asked += f", {made.plan.ahead.value[row]:.1f} foreseen in {_duration(made.plan.lead_seconds[row])}"
        asked += f" (p{100.0 * STANDARD.cdf(made.plan.score[row]):.3g})"
    slo, objective = _duration(capacity.slo_seconds[row]), f"p{100.0 * capacity.objective[row]:g}"
    fixed, per_item = _duration(capacity.fixed_seconds[row]), _duration(capacity.per_item_seconds[row])
    source = f"{'told' if capacity.told[row] else 'measured'} {fixed} + {per_item} per item"
    source = source if capacity.known[row] else "assumed, nothing measured yet"
    within = f"within {slo} at {objective}" if capacity.feasible[row] else f"(none within {slo})"
    return f"{asked}, {capacity.rate_rps[row]:.1f} a replica {within} ({source})"


def _duration(seconds: float) -> str:
    """Three digits are what a measurement here is worth."""
    return format_seconds(float(f"{seconds:.3g}"))
