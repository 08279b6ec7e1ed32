"""What goes into a decision besides observations, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from foretide.scaling.arbitrate.quota import NO_QUOTA
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.rate import Capacity
from foretide.scaling.observation import Seen
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings

# A step that finds out whether more replicas start: of those that are going, at least one; as large as a step down is.
PROBE_SHARE: Final = 0.2

if TYPE_CHECKING:  # a memory holds what was seen of pods, whose seam names the bounds below
    from foretide.scaling.memory import Memory


class Bound(IntEnum):
    """What decided the number."""

    REACTIVE = 0  # the load measured now
    FORECAST = 1  # the load foreseen
    MINIMUM = 2
    MAXIMUM = 3
    HOLD = 4  # more was needed within the hold
    STEP_LIMIT = 5  # fewer would do, one step takes away no more
    MARGIN = 6  # one replica fewer would do, but with too little room
    BACKLOG = 7  # fewer would do once the queue is gone
    SILENT_PODS = 8  # fewer would do if the silent pods had no load
    NOT_READY = 9  # fewer would do, but no pod is ready long enough to show the whole load
    ROLLOUT = 10  # fewer would do, but a rollout is running
    UNKNOWN = 11  # the load is unknown
    PAUSED = 12
    PINNED = 13
    STAYING = 14  # fewer would do now, and more are foreseen before a new one would be ready, or soon after
    QUOTA = 15  # more are wanted than a quota leaves
    STEP_UP_LIMIT = 16  # more are wanted, one step adds no more
    BLIND = 17  # the load has been unknown for so long that the most of the last day is taken for it
    DIRECT = 18  # fewer would do, but the load is read from the pods directly: Prometheus is away, or just back
    UNSCHEDULABLE = 19  # more are wanted, but no node has room for those that are there
    CRASHING = 20  # more are wanted, but the new ones crash
    REFUSED = 21  # more are wanted, but the API server refuses their pods
    UNCREATED = 22  # more are wanted, but the containers of the new ones cannot be created
    NEW_PODS = 23  # fewer would do, but new pods do not tell all yet that they serve

    @property
    def label(self) -> str:
        """As status shows it, e.g. `StepLimit`."""
        return self.name.title().replace("_", "")


class Hindrance(IntEnum):
    """Why replicas that are wanted do not start."""

    NONE = 0
    UNSCHEDULABLE = 1  # no node has room
    CRASHING = 2  # they end again and again, and never served
    REFUSED = 3  # their pods cannot be created (a quota, a LimitRange, an admission rule)
    UNCREATED = 4  # their containers cannot be created (no such image, a missing Secret), and never served

    @property
    def bound(self) -> Bound:
        """What it makes of a decision; of use where it is not NONE."""
        return Bound[self.name]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """What users order."""

    minimum: Ints
    maximum: Ints
    paused: Bools
    is_pinned: Bools
    pinned: Ints  # of use where is_pinned


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quotas:
    """What administrators let services take together."""

    group: Ints  # [services]; the quota that each falls under, NO_QUOTA for none
    priority: Ints  # [services]; the higher one is served first
    limit: Ints  # [groups]; replicas

    @classmethod
    def none(cls) -> Quotas:
        """Every service takes what it needs, however many there are."""
        nobody = np.zeros(0, dtype=np.int64)
        return cls(group=nobody, priority=nobody, limit=nobody)

    def of_each(self) -> Ints:
        """[services]; the limit that each falls under, NO_QUOTA for none."""
        return np.append(self.limit, NO_QUOTA)[self.group]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """What is there."""

    replicas: Ints  # spec.replicas of the Deployment
    rolling: Bools  # a rollout is running


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stuck:
    """Replicas that do not start; one row per service."""

    cause: Ints  # a Hindrance; that of most of them
    count: Ints  # of that cause
    going: Ints  # replicas that serve, or may soon

    @classmethod
    def none(cls, services: int) -> Stuck:
        """Growth is not bound."""
        nothing = np.zeros(services, dtype=np.int64)
        return cls(cause=nothing, count=nothing, going=nothing)

    def most(self, replicas: Ints) -> Ints:
        """Replicas that are asked for at most while some of `replicas` do not start: one step more than are going."""
        step = np.maximum(1, np.ceil(PROBE_SHARE * self.going - 1e-9).astype(np.int64))
        most: Ints = np.maximum(replicas, self.going + step)
        return most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What is foreseen, as demand in items a second, and for how long a replica that is not needed is kept."""

    ahead: Readings  # when a replica started now has become ready
    likely: Readings  # the median of it
    meanwhile: Readings  # until then: only those that are there can serve it
    hold_seconds: Floats
    lead_seconds: Floats  # from the decision until a replica is ready: nine of ten times less
    score: Floats  # normal score of the quantile of `ahead` and `meanwhile`
    trust: Ints  # a forecast.Trust
    highest: Readings  # demand of the last day

    @classmethod
    def none(cls, services: int, *, hold_seconds: float) -> Plan:
        """Nothing is foreseen: decisions are reactive."""
        unknown, nothing = Readings.unknown(services), np.zeros(services)
        return cls(
            ahead=unknown,
            likely=unknown,
            meanwhile=unknown,
            hold_seconds=np.full(services, hold_seconds),
            lead_seconds=nothing,
            score=nothing,
            trust=np.ones(services, dtype=np.int64),
            highest=unknown,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Divided:
    """What was decided for each hardware class of services that list several; one row per row of `classes.Classes`."""

    replicas: Ints  # to ask for
    counted: Ints  # of them counted on
    why: Ints  # an arbitrate.Why


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """The answer, the new memory, and all that a sentence about it needs; one row per service."""

    desired: Ints
    bound: Ints  # a Bound
    memory: Memory
    wanted: Ints  # replicas before a quota was looked at
    quota: Ints  # replicas that the services of its group may take together, NO_QUOTA for any number
    bursting: Bools  # the newest half of the window shows far more than the whole one, and counts
    load_rps: Floats  # what is asked now, a burst and what drains the backlog included; 0 where it is unknown
    asked: Ints  # replicas that the load measured now asks for, backlog included
    foreseen: Ints  # replicas that the forecast asks for
    spacious: Ints  # replicas below which there is too little room: margin, and silent pods at full load
    staying: Ints  # replicas that the forecast keeps: what comes before new ones are ready, or soon after
    held: Ints  # most replicas needed within the hold
    backlog: Floats  # items that wait beyond what waits in a healthy queue
    bounds: Bounds
    fleet: Fleet
    seen: Seen
    capacity: Capacity
    plan: Plan
    hpa: Ints  # what the Kubernetes HPA would run, at its usual 70 % of saturation: the counterfactual
    settings: ScalingSettings
    stuck: Stuck
    divided: Divided | None = None  # None where every service lists one hardware class

    def __len__(self) -> int:
        return len(self.desired)

    def reason(self, service: int) -> str:
        """The bound that decided, as status shows it."""
        return Bound(self.bound[service]).label
