"""The decision: how many replicas every service gets now, and which bound made it so.

Growth is immediate and follows the need, not a ratio of pods, so that pods which start, hang or surge in a rollout
are neither counted twice nor grow the fleet further (k8s#72775, k8s#87199). Shrinking is slow and needs certainty.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from foretide.scaling.arbitrate.quota import NO_QUOTA
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.capacity.rate import Capacity
from foretide.scaling.decision import Bound, Bounds, Decisions, Fleet, Plan, Stuck
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Gap, Seen
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings
from foretide.scaling.tuning import Tuning
from foretide.scaling.window import advance

# Needs and forecasts are cut off here, far above any maximum and far below what an int64 holds.
MOST_REPLICAS: Final = 1e9
MOST_FORESEEN: Final = 1e15
# A burst is what half a window shows to be so much more than the whole one: a rate over 30 s is right 30 s after a
# jump, and tells half of it after 15. Less than half a replica more is not worth an answer of its own, and a trickle is
# no burst: of requests that take 5 s each, one more that waits within 15 s looked like one 160 times a day.
BURST_TIMES, BURST_REPLICAS, BURST_ITEMS = 1.2, 0.5, 5.0
# Share of saturation that the documents of the HPA and of Triton aim at.
HPA_TARGET: Final = 0.7
# 3.0000000000000004 replicas are 3.
ROUNDING: Final = 1e-9


def decide(
    bounds: Bounds,
    tuning: Tuning,
    fleet: Fleet,
    seen: Seen,
    capacity: Capacity,
    plan: Plan,
    memory: Memory,
    *,
    now_seconds: float,
    settings: ScalingSettings,
    may_shrink: bool = True,
) -> Decisions:
    """Desired replicas of all services; a pure function, and no row looks at another.

    In this order: paused -> as it is; pinned -> that number; else between minimum and maximum, always, also while
    nothing is known: a maximum set below the present number is the user's explicit order and outranks "unknown
    never shrinks". Within: load unknown -> as it is, or, unknown for long and where that is ordered, no fewer than the
    last day needed; need above -> the need, at once, or a step of it where one is ordered; need below -> down to the
    most needed within the hold, a step at a time, with margin, to no fewer than are foreseen until new ones could be
    ready, and not while a rollout, a backlog or no pod old enough makes the load uncertain, nor where the caller says
    so (`may_shrink`). Silent and new pods count 0 for growing and full for shrinking, and neither can turn the
    direction: when 4 of 8 are silent and the others show a need of 3, then 3 does not grow and 3 + 4 shrinks to 7. The
    hold remembers silent pods, and not that pods were new.
    """
    current, known, rate = fleet.replicas, seen.demand.known, capacity.rate_rps
    plan = replace(plan, ahead=_sound(plan.ahead), meanwhile=_sound(plan.meanwhile), highest=_sound(plan.highest))
    ahead, meanwhile = plan.ahead, plan.meanwhile
    backlog = np.maximum(seen.pending - seen.reporting * capacity.queue_items, 0.0)
    bursting = seen.short_window_rps > BURST_TIMES * seen.demand.value + BURST_REPLICAS * rate
    bursting &= seen.burst_items > BURST_ITEMS + capacity.queue_items * seen.reporting
    load = np.where(bursting, seen.short_window_rps, seen.demand.value) + backlog / settings.drain_seconds
    asked = _replicas(load / rate)
    foreseen = _replicas(ahead.value / rate)
    # With the margin, or a fleet would follow each breath of a forecast: 28 turns within a minute in an hour of a load
    # that trembles by 3 %.
    soon = np.maximum(ahead.value, meanwhile.value) * (1.0 + settings.scale_down_margin)
    staying = _replicas(soon / rate)
    wanted = np.maximum(asked, foreseen)
    roomy = load * (1.0 + settings.scale_down_margin) / rate
    spacious = np.maximum(_replicas(roomy + seen.silent), staying)
    # A load that moves to new pods is told by neither: Prometheus finds them some seconds late, and of 25.8 requests/s
    # on four pods, three of them new, it told 16.8.
    filling = np.maximum(spacious, _replicas(roomy + seen.silent + seen.young))

    window = advance(
        memory.window,
        np.minimum(spacious, bounds.maximum),
        known=known,
        anew=bounds.paused | bounds.is_pinned,  # un-pausing does not jump
        replicas=current,
        now_seconds=now_seconds,
        hold_seconds=plan.hold_seconds,
        settings=settings,
    )
    held = window.highest
    step = np.maximum(1, _replicas(current * tuning.step_down))
    most = current + np.maximum(1, _replicas(np.maximum(current, 1) * tuning.step_up))
    upper = np.minimum(wanted, most)
    blind = ~known & tuning.grows_blind & plan.highest.known
    blind &= memory.window.started & (now_seconds - memory.window.last_seen_seconds > tuning.blind_seconds)
    # Without a ready pod it is not the metrics that fail, and more pods of the same are no cure.
    blind &= (seen.gap != Gap.NO_READY_REPLICAS) & ~fleet.rolling
    feared = np.maximum(current, np.where(blind, np.minimum(_replicas(plan.highest.value / rate), most), 0))
    certain = known & may_shrink & ~fleet.rolling & (seen.expected > 0) & (backlog <= 0.0)
    lower = np.minimum(current, np.maximum(np.maximum(held, filling), current - step))
    unbounded = np.where(known & (wanted > current), upper, np.where(certain, lower, feared))
    bounded = np.minimum(np.maximum(unbounded, bounds.minimum), bounds.maximum)
    desired = np.where(bounds.paused, current, np.where(bounds.is_pinned, bounds.pinned, bounded))

    # Fewer replicas would carry the load: something else keeps them.
    surplus = np.maximum(wanted, bounds.minimum) < desired
    kept = surplus & (desired == current)
    # The first that holds, from the strongest bound down to the plain load.
    won = {
        Bound.PAUSED: bounds.paused,
        Bound.PINNED: bounds.is_pinned,
        Bound.MAXIMUM: unbounded > bounds.maximum,
        Bound.MINIMUM: (unbounded < bounds.minimum) | (known & (wanted < desired) & ~surplus),
        Bound.BLIND: feared > current,
        Bound.UNKNOWN: ~known,
        Bound.STEP_UP_LIMIT: desired < wanted,
        Bound.ROLLOUT: kept & fleet.rolling,
        Bound.NOT_READY: kept & (seen.expected == 0),
        Bound.BACKLOG: kept & (backlog > 0.0),
        Bound.DIRECT: kept & (not may_shrink),
        Bound.NEW_PODS: surplus & (filling > np.maximum(held, spacious)) & (filling >= desired),
        Bound.STEP_LIMIT: surplus & (desired > np.maximum(held, filling)),
        Bound.HOLD: surplus & (held > spacious),
        Bound.SILENT_PODS: surplus & (seen.silent > 0) & (staying < desired),
        Bound.STAYING: surplus & (staying >= desired),
        Bound.MARGIN: surplus,
        Bound.FORECAST: foreseen > asked,
    }
    return Decisions(
        desired=desired,
        bound=np.select(list(won.values()), [int(bound) for bound in won], default=Bound.REACTIVE),
        memory=replace(memory, window=window, items_per_request=seen.items_per_request),
        wanted=desired,
        quota=np.full(len(desired), NO_QUOTA),
        bursting=bursting,
        load_rps=load,
        asked=asked,
        foreseen=foreseen,
        spacious=spacious,
        staying=staying,
        held=held,
        backlog=backlog,
        bounds=bounds,
        fleet=fleet,
        seen=seen,
        capacity=capacity,
        plan=plan,
        hpa=_replicas(seen.demand.value * capacity.utilisation / (HPA_TARGET * rate)),
        settings=settings,
        stuck=Stuck.none(len(desired)),
    )


def _sound(foreseen: Readings) -> Readings:
    return Readings.checked(np.minimum(foreseen.value, MOST_FORESEEN), foreseen.known, low=0.0)


def _replicas(ratio: Floats) -> Ints:
    """Whole replicas; any finite ratio is a number of them."""
    return np.ceil(np.clip(ratio, 0.0, MOST_REPLICAS) - ROUNDING).astype(np.int64)
