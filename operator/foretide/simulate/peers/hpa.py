"""Kubernetes HorizontalPodAutoscaler, autoscaling/v2.

Source: kubernetes pkg/controller/podautoscaler and the concept page "Horizontal Pod Autoscaling".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, check_range, labels, ordered
from foretide.simulate.peers.history import History
from foretide.simulate.peers.hpa_behavior import (
    DOWNSCALE_STABILIZATION_SECONDS,
    Behavior,
    HpaRule,
    normalize,
)
from foretide.simulate.peers.hpa_metrics import HpaMetric, PodPhases, Proposal, Tolerances, propose
from foretide.simulate.peers.profile import Profile

TOLERANCE: Final = 0.1  # --horizontal-pod-autoscaler-tolerance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HpaMemory:
    """What the controller holds in its maps."""

    started: Bools
    recommendations: History
    scale_events: History  # replicas added, taken away below zero

    @classmethod
    def fresh(cls, services: int) -> HpaMemory:
        return cls(
            started=np.zeros(services, dtype=np.bool_),
            recommendations=History.empty(services),
            scale_events=History.empty(services),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rescaled:
    """One pass of the controller."""

    desired: Ints
    rule: Ints
    memory: HpaMemory


def combine(proposals: Sequence[Proposal], *, current: Ints) -> Proposal:
    """Several metrics: the largest counts; one that failed blocks shrinking, all that failed block everything."""
    replicas = np.stack([np.where(proposal.failed, -1, proposal.replicas) for proposal in proposals]).max(axis=0)
    failed = np.stack([proposal.failed for proposal in proposals])
    return Proposal(
        replicas=np.maximum(replicas, 0), failed=failed.all(axis=0) | (failed.any(axis=0) & (replicas < current))
    )


def rescale(
    proposal: Proposal,
    *,
    current: Ints,
    minimum: Ints,
    maximum: Ints,
    memory: HpaMemory,
    behavior: Behavior | None,
    now_seconds: float,
    decides: Bools,
) -> Rescaled:
    """The proposal within what the HPA may do now; services where it decides nothing leave no scale event."""
    window = DOWNSCALE_STABILIZATION_SECONDS if behavior is None else behavior.longest_window_seconds
    # The first thing that is ever recommended is what is there; so a new controller shrinks nothing for a window.
    recommendations = memory.recommendations.record(
        current, where=~memory.started, now_seconds=now_seconds, keep_seconds=window
    )
    disabled = (current == 0) & (minimum != 0)
    normal = ~disabled & (current <= maximum) & (current >= minimum) & ~proposal.failed
    normalized = normalize(
        proposal.replicas,
        current=current,
        minimum=minimum,
        maximum=maximum,
        recommendations=recommendations,
        scale_events=memory.scale_events,
        behavior=behavior,
        now_seconds=now_seconds,
    )
    # Outside of the bounds it goes to the bound at once, whatever windows, rates and metrics say.
    rules = {
        HpaRule.SCALING_DISABLED: (disabled, current),
        HpaRule.TOO_MANY_REPLICAS: (current > maximum, maximum),
        HpaRule.TOO_FEW_REPLICAS: (current < minimum, minimum),
        HpaRule.FAILED_GET_METRICS: (proposal.failed, current),
    }
    conditions = [condition for condition, _ in rules.values()]
    desired = np.select(conditions, [replicas for _, replicas in rules.values()], default=normalized.desired)
    events = memory.scale_events
    if behavior is not None:
        events = events.record(
            desired - current,
            where=decides & (desired != current),
            now_seconds=now_seconds,
            keep_seconds=behavior.longest_period_seconds,
        )
    return Rescaled(
        desired=desired,
        rule=np.select(conditions, [int(rule) for rule in rules], default=normalized.rule),
        memory=HpaMemory(
            started=np.ones_like(memory.started),
            recommendations=recommendations.record(
                proposal.replicas, where=normal, now_seconds=now_seconds, keep_seconds=window
            ),
            scale_events=events,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hpa:
    """A HorizontalPodAutoscaler on the metrics that it names, each against its target.

    `behavior=None` is a manifest without `behavior`: the controller then at most doubles (or goes to 4), and shrinks
    to the largest recommendation of five minutes, which may also be above the present number.
    """

    profile: Profile
    metrics: tuple[HpaMetric, ...] = (HpaMetric(),)
    behavior: Behavior | None = field(default_factory=Behavior)
    tolerance: float = TOLERANCE
    phases: PodPhases = field(default_factory=PodPhases)
    tick_seconds: float = 15.0  # --horizontal-pod-autoscaler-sync-period

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError("metrics must hold at least one metric, not none")
        check_range("tolerance", self.tolerance, 0.0, 1.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, 3600.0)

    @property
    def queries(self) -> tuple[Query, ...]:
        return tuple(dict.fromkeys(query for metric in self.metrics for query in metric.queries))

    def start(self, past: Past) -> HpaMemory:
        """It knows nothing of the past."""
        return HpaMemory.fresh(past.services)

    def decide(self, seen: Observation, memory: HpaMemory) -> PeerAnswer[HpaMemory]:
        """One pass of the controller."""
        tolerances = tolerances_of(self.behavior, self.tolerance)
        proposals = [
            propose(metric, seen, self.profile, tolerances=tolerances, phases=self.phases) for metric in self.metrics
        ]
        rescaled = rescale(
            combine(proposals, current=seen.fleet.replicas),
            current=seen.fleet.replicas,
            minimum=seen.bounds.minimum,
            maximum=seen.bounds.maximum,
            memory=memory,
            behavior=self.behavior,
            now_seconds=seen.now_seconds,
            decides=~ordered(seen.bounds),
        )
        return answer(
            desired=rescaled.desired, rule=rescaled.rule, rules=labels(HpaRule), memory=rescaled.memory, seen=seen
        )


def tolerances_of(behavior: Behavior | None, tolerance: float) -> Tolerances:
    """Those of `behavior`, else the controller's."""
    up = behavior.scale_up.tolerance if behavior is not None else None
    down = behavior.scale_down.tolerance if behavior is not None else None
    return Tolerances(up=tolerance if up is None else up, down=tolerance if down is None else down)
