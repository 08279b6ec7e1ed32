"""How fast the HPA may move: stabilisation windows and rate policies of autoscaling/v2 `behavior`.

Source: kubernetes pkg/controller/podautoscaler/horizontal.go and pkg/apis/autoscaling/v2/defaults.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Ints
from foretide.simulate.peers.bounds import check_range
from foretide.simulate.peers.history import History

# --horizontal-pod-autoscaler-downscale-stabilization
DOWNSCALE_STABILIZATION_SECONDS: Final = 300.0
# Without `behavior` the controller at most doubles, but may always go to four.
SCALE_UP_LIMIT_FACTOR: Final = 2.0
SCALE_UP_LIMIT_MINIMUM: Final = 4.0


class PolicyType(StrEnum):
    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    MAX = "Max"  # the policy that allows the largest change
    MIN = "Min"
    DISABLED = "Disabled"  # never moves in this direction


class HpaRule(IntEnum):
    """What decided, named as the conditions of the HPA are."""

    DESIRED_WITHIN_RANGE = 0
    SCALE_UP_STABILIZED = 1
    SCALE_DOWN_STABILIZED = 2
    SCALE_UP_LIMIT = 3
    SCALE_DOWN_LIMIT = 4
    TOO_MANY_REPLICAS = 5
    TOO_FEW_REPLICAS = 6
    SCALING_DISABLED = 7
    FAILED_GET_METRICS = 8


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """So many pods, or per cent of the pods, within a period."""

    type: PolicyType
    value: int
    period_seconds: float

    def __post_init__(self) -> None:
        check_range("value", self.value, 1, 2**31 - 1)
        check_range("period_seconds", self.period_seconds, 1, 1800)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRules:
    """One direction."""

    stabilization_window_seconds: float
    policies: tuple[RatePolicy, ...]
    select_policy: SelectPolicy = SelectPolicy.MAX
    tolerance: float | None = None  # that of the controller unless given

    def __post_init__(self) -> None:
        check_range("stabilization_window_seconds", self.stabilization_window_seconds, 0, 3600)
        if not self.policies:
            raise ValueError("policies must hold at least one policy, not none")
        if self.tolerance is not None:
            check_range("tolerance", self.tolerance, 0, np.inf)

    @property
    def longest_period_seconds(self) -> float:
        return max(policy.period_seconds for policy in self.policies)


SCALE_UP: Final = ScalingRules(
    stabilization_window_seconds=0.0,
    policies=(RatePolicy(PolicyType.PODS, 4, 15.0), RatePolicy(PolicyType.PERCENT, 100, 15.0)),
)
SCALE_DOWN: Final = ScalingRules(
    stabilization_window_seconds=DOWNSCALE_STABILIZATION_SECONDS,
    policies=(RatePolicy(PolicyType.PERCENT, 100, 15.0),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """Both directions, with the defaults that the API server fills in."""

    scale_up: ScalingRules = SCALE_UP
    scale_down: ScalingRules = SCALE_DOWN

    @property
    def longest_window_seconds(self) -> float:
        return max(self.scale_up.stabilization_window_seconds, self.scale_down.stabilization_window_seconds)

    @property
    def longest_period_seconds(self) -> float:
        return max(self.scale_up.longest_period_seconds, self.scale_down.longest_period_seconds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normalized:
    """A recommendation after windows, rates and bounds."""

    desired: Ints
    rule: Ints


def normalize(
    recommended: Ints,
    *,
    current: Ints,
    minimum: Ints,
    maximum: Ints,
    recommendations: History,
    scale_events: History,
    behavior: Behavior | None,
    now_seconds: float,
) -> Normalized:
    """The recommendation, stabilised over the recent ones, then limited in speed and by the bounds."""
    if behavior is None:
        window = recommendations.since(now_seconds - DOWNSCALE_STABILIZATION_SECONDS)
        stabilized = recommendations.highest(window, at_least=recommended)
        up_limit = np.maximum(SCALE_UP_LIMIT_FACTOR * current, SCALE_UP_LIMIT_MINIMUM).astype(np.int64)
        down_limit = np.full_like(current, np.iinfo(np.int64).min)
        moves_up = moves_down = np.ones(current.shape, dtype=np.bool_)
    else:
        stabilized = _stabilize(recommended, current, recommendations, behavior, now_seconds)
        up_limit = np.maximum(_limit(current, scale_events, behavior.scale_up, now_seconds, up=True), current)
        down_limit = np.minimum(_limit(current, scale_events, behavior.scale_down, now_seconds, up=False), current)
        moves_up, moves_down = stabilized > current, stabilized < current
    highest, lowest = np.minimum(maximum, up_limit), np.maximum(minimum, down_limit)
    too_high, too_low = moves_up & (stabilized > highest), moves_down & (stabilized < lowest)
    rules = {
        HpaRule.SCALE_UP_LIMIT: too_high & (up_limit < maximum),
        HpaRule.TOO_MANY_REPLICAS: too_high,
        HpaRule.SCALE_DOWN_LIMIT: too_low & (down_limit > minimum),
        HpaRule.TOO_FEW_REPLICAS: too_low,
        HpaRule.SCALE_UP_STABILIZED: (stabilized != recommended) & (recommended >= current),
        HpaRule.SCALE_DOWN_STABILIZED: stabilized != recommended,
    }
    return Normalized(
        desired=np.where(too_low, lowest, np.where(too_high, highest, stabilized)),
        rule=np.select(list(rules.values()), [int(rule) for rule in rules], default=HpaRule.DESIRED_WITHIN_RANGE),
    )


def _stabilize(
    recommended: Ints, current: Ints, recommendations: History, behavior: Behavior, now_seconds: float
) -> Ints:
    """Current replicas, moved no further than into what was recommended over each direction's window."""
    up = recommendations.after(now_seconds - behavior.scale_up.stabilization_window_seconds)
    down = recommendations.after(now_seconds - behavior.scale_down.stabilization_window_seconds)
    raised = np.maximum(current, recommendations.lowest(up, at_most=recommended))
    return np.minimum(raised, recommendations.highest(down, at_least=recommended))


def _limit(current: Ints, scale_events: History, rules: ScalingRules, now_seconds: float, *, up: bool) -> Ints:
    """How far the policies allow to go, from the replicas at the start of each policy's period.

    The start is the present number less what was added, and more what was taken away, within the period.
    """
    if rules.select_policy is SelectPolicy.DISABLED:
        return current
    widest: Callable[[Ints, Ints], Ints] = np.maximum if up else np.minimum
    narrowest: Callable[[Ints, Ints], Ints] = np.minimum if up else np.maximum
    select = narrowest if rules.select_policy is SelectPolicy.MIN else widest
    limit: Ints | None = None
    for policy in rules.policies:
        start = current - scale_events.total(scale_events.after(now_seconds - policy.period_seconds))
        allowed = _allowed(start, policy, up=up)
        limit = allowed if limit is None else select(limit, allowed)
    return current if limit is None else limit


def _allowed(start: Ints, policy: RatePolicy, *, up: bool) -> Ints:
    if policy.type is PolicyType.PODS:
        return start + policy.value if up else start - policy.value
    if up:
        # Rounded up: 10 % of 3 must still be one more, else it could never grow.
        share: Ints = np.ceil(start * (1.0 + policy.value / 100.0)).astype(np.int64)
    else:
        share = np.trunc(start * (1.0 - policy.value / 100.0)).astype(np.int64)
    return share
