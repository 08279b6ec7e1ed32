"""llm-d Workload Variant Autoscaler, V1: keeps spare capacity on the replicas that are not saturated.

Source: llm-d/llm-d-workload-variant-autoscaler internal/saturation/analyzer.go, internal/engines/saturation/engine.go
and the HPA of its Helm chart, which turns `wva_desired_replicas` into replicas. A service here is one variant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints, total
from foretide.scaling.policy import Observation, Over, Past, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, between, check_range, due, labels, ordered
from foretide.simulate.peers.hpa import TOLERANCE, HpaMemory, Rescaled, rescale, tolerances_of
from foretide.simulate.peers.hpa_behavior import Behavior, HpaRule, PolicyType, RatePolicy, ScalingRules
from foretide.simulate.peers.hpa_metrics import propose_per_replica

FEWEST_REPLICAS_TO_SHRINK: Final = 2

_CHART_RULES: Final = ScalingRules(
    stabilization_window_seconds=240.0, policies=(RatePolicy(PolicyType.PODS, 10, 150.0),)
)
# The chart's "production default": both directions wait for four minutes of agreement.
CHART_BEHAVIOR: Final = Behavior(scale_up=_CHART_RULES, scale_down=_CHART_RULES)


class Actuation(StrEnum):
    """Who scales to the number that was found."""

    HPA = "hpa"  # as the chart installs it: External, AverageValue 1
    DIRECT = "direct"


class WvaRule(IntEnum):
    """What decides besides the rules of the HPA; numbered after them."""

    NO_ACTION = len(HpaRule)
    SCALE_UP = len(HpaRule) + 1
    SCALE_DOWN = len(HpaRule) + 2
    IN_TRANSITION = len(HpaRule) + 3
    NO_METRICS = len(HpaRule) + 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WvaMemory:
    ran_at_seconds: Floats  # -inf: never
    target: Ints  # `wva_desired_replicas`; 0: none yet
    rule: Ints  # why
    hpa: HpaMemory

    @classmethod
    def fresh(cls, services: int) -> WvaMemory:
        return cls(
            ran_at_seconds=np.full(services, -np.inf),
            target=np.zeros(services, dtype=np.int64),
            rule=np.full(services, int(WvaRule.NO_METRICS)),
            hpa=HpaMemory.fresh(services),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Saturation:
    """Spare capacity of the replicas that are not saturated; 0 where there is none."""

    reporting: Ints
    unsaturated: Ints
    spare_utilisation: Floats
    spare_queue: Floats


def actuate(
    target: Ints,
    seen: Observation,
    memory: HpaMemory,
    *,
    actuation: Actuation,
    behavior: Behavior,
    tolerance: float,
) -> Rescaled:
    """Replicas from a wanted number, by the HPA of the chart or at once; 0 wanted is no metric yet."""
    current, known = seen.fleet.replicas, target > 0
    if actuation is Actuation.DIRECT:
        desired = between(np.where(known, target, current), seen.bounds)
        rule = np.select(
            [~known, desired < target, desired > target],
            [HpaRule.FAILED_GET_METRICS, HpaRule.TOO_MANY_REPLICAS, HpaRule.TOO_FEW_REPLICAS],
            default=HpaRule.DESIRED_WITHIN_RANGE,
        )
        return Rescaled(desired=desired, rule=rule, memory=memory)
    return rescale(
        propose_per_replica(
            Readings(value=target.astype(np.float64), known=known),
            target=np.ones(len(seen)),
            status_replicas=seen.pods.count(~seen.pods.leaving, services=len(seen)),
            tolerances=tolerances_of(behavior, tolerance),
        ),
        current=current,
        minimum=seen.bounds.minimum,
        maximum=seen.bounds.maximum,
        memory=memory,
        behavior=behavior,
        now_seconds=seen.now_seconds,
        decides=~ordered(seen.bounds),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wva:
    """One replica more while too little capacity is spare, one fewer while the others can carry its load.

    Triton has no KV cache: its use becomes the share of the time that a replica's instances are busy.

    With the HPA's tolerance of 10 % one replica more than ten or more is within it: from there nothing moves.
    """

    utilisation_threshold: float = 0.80  # kvCacheThreshold
    queue_threshold: float = 5.0
    utilisation_spare_trigger: float = 0.10
    queue_spare_trigger: float = 3.0
    window_seconds: float = 60.0
    interval_seconds: float = 30.0
    actuation: Actuation = Actuation.HPA
    behavior: Behavior = CHART_BEHAVIOR
    tolerance: float = TOLERANCE
    tick_seconds: float = 15.0  # of the HPA

    def __post_init__(self) -> None:
        check_range("utilisation_threshold", self.utilisation_threshold, 0.0, 1.0)
        check_range("queue_threshold", self.queue_threshold, 0.0, np.inf)
        check_range("utilisation_spare_trigger", self.utilisation_spare_trigger, 0.0, self.utilisation_threshold)
        check_range("queue_spare_trigger", self.queue_spare_trigger, 0.0, np.inf)
        check_range("window_seconds", self.window_seconds, 1.0, 3600.0)
        check_range("interval_seconds", self.interval_seconds, 1.0, 3600.0)
        check_range("tolerance", self.tolerance, 0.0, 1.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, 3600.0)

    @property
    def _utilisation(self) -> Query:
        return Query(Quantity.BUSY_SECONDS, Over.RATE, self.window_seconds)

    @property
    def _queue(self) -> Query:
        return Query(Quantity.PENDING, Over.MAXIMUM, self.window_seconds)

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self._utilisation, self._queue)

    def start(self, past: Past) -> WvaMemory:
        """It knows nothing of the past."""
        return WvaMemory.fresh(past.services)

    def decide(self, seen: Observation, memory: WvaMemory) -> PeerAnswer[WvaMemory]:
        """The engine where its interval is over, then the HPA."""
        runs = due(
            memory.ran_at_seconds,
            every_seconds=self.interval_seconds,
            tick_seconds=self.tick_seconds,
            now_seconds=seen.now_seconds,
        )
        wanted, why = self._target(seen, memory)
        target, rule = np.where(runs, wanted, memory.target), np.where(runs, why, memory.rule)
        rescaled = actuate(
            target, seen, memory.hpa, actuation=self.actuation, behavior=self.behavior, tolerance=self.tolerance
        )
        return answer(
            desired=rescaled.desired,
            rule=np.where(rescaled.rule == HpaRule.DESIRED_WITHIN_RANGE, rule, rescaled.rule),
            rules=(*labels(HpaRule), *labels(WvaRule)),
            memory=WvaMemory(
                ran_at_seconds=np.where(runs, seen.now_seconds, memory.ran_at_seconds),
                target=target,
                rule=rule,
                hpa=rescaled.memory,
            ),
            seen=seen,
        )

    def _saturation(self, seen: Observation) -> Saturation:
        utilisation, queue = seen.answers[self._utilisation], seen.answers[self._queue]
        busy = utilisation.value / seen.promise.instances[seen.pods.service]
        known = utilisation.known & queue.known
        free = known & (busy < self.utilisation_threshold) & (queue.value < self.queue_threshold)
        unsaturated = seen.pods.count(free, services=len(seen))

        def spare(threshold: float, used: Floats) -> Floats:
            added = total(seen.pods.service, np.where(free, threshold - used, 0.0), length=len(seen))
            return added / np.maximum(unsaturated, 1)

        return Saturation(
            reporting=seen.pods.count(known, services=len(seen)),
            unsaturated=unsaturated,
            spare_utilisation=spare(self.utilisation_threshold, busy),
            spare_queue=spare(self.queue_threshold, queue.value),
        )

    def _target(self, seen: Observation, memory: WvaMemory) -> tuple[Ints, Ints]:
        """One more, one less or the same; and what is already wanted while the service is on its way there."""
        state = self._saturation(seen)
        current = seen.pods.count(~seen.pods.leaving, services=len(seen))
        pending = current - seen.pods.count(seen.pods.ready, services=len(seen))
        moving = (memory.target != 0) & (memory.target != current)
        in_transition = moving | (state.reporting != current)
        short = (state.spare_utilisation < self.utilisation_spare_trigger) | (
            state.spare_queue < self.queue_spare_trigger
        )
        up, down = short & (pending <= 0), ~short & self._is_safe_without_one(state)
        rules = {
            WvaRule.NO_METRICS: (state.reporting == 0, memory.target),
            WvaRule.IN_TRANSITION: (in_transition, np.where(moving, memory.target, current)),
            WvaRule.SCALE_UP: (up, state.reporting + 1),
            WvaRule.SCALE_DOWN: (down, state.reporting - 1),
        }
        conditions = [condition for condition, _ in rules.values()]
        return (
            np.select(conditions, [replicas for _, replicas in rules.values()], default=state.reporting),
            np.select(conditions, [int(rule) for rule in rules], default=WvaRule.NO_ACTION),
        )

    def _is_safe_without_one(self, state: Saturation) -> Bools:
        """The load of the unsaturated replicas on one fewer of them still leaves what the triggers ask for."""
        growth = state.unsaturated / np.maximum(state.unsaturated - 1, 1)
        utilisation = self.utilisation_threshold - (self.utilisation_threshold - state.spare_utilisation) * growth
        queue = self.queue_threshold - (self.queue_threshold - state.spare_queue) * growth
        enough: Bools = (utilisation >= self.utilisation_spare_trigger) & (queue >= self.queue_spare_trigger)
        return enough & (state.unsaturated >= FEWEST_REPLICAS_TO_SHRINK)
