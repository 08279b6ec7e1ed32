"""Azure-style predictive autoscale over threshold rules.

Source: Azure Monitor documentation, "Use predictive autoscale to scale out before load demands in virtual machine
scale sets", "Flapping in autoscale" and "Best practices for autoscale". When the predicted average crosses the
scale-out boundary within the look-ahead, the scale-out rule adds what it is set to add; scaling in is left to the
threshold rules. Its model is closed; seasonal means stand for it. It knows no metric but CPU: here the share of the
saturation of a replica.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, between, check_range, labels
from foretide.simulate.peers.forecasters.demand import ANSWERED, demand, demand_queries
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster, Foresight
from foretide.simulate.peers.forecasters.seasonal import SeasonalMean
from foretide.simulate.peers.profile import Profile

STEP_SECONDS: Final = 300.0
DAY_STEPS: Final = 288
LEAST_STEPS: Final = 7 * DAY_STEPS
HISTORY_STEPS: Final = 15 * DAY_STEPS


class AzureRule(IntEnum):
    HELD = 0
    SCALE_OUT = 1
    PREDICTED = 2
    SCALE_IN = 3
    FLAPPING = 4  # scaling in would bring the average above the scale-out threshold
    COOLDOWN = 5
    UNKNOWN = 6


AZURE_RULES: Final = labels(AzureRule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AzureMemory:
    """Load per five minutes, what was foreseen of it, and when the last action was."""

    foresight: Foresight[Any]
    foreseen_rps: Floats  # largest within the look-ahead, NaN where unknown
    acted_seconds: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """The portal's rules: above 70 % over ten minutes one more, below 30 % one less, five minutes apart."""

    profile: Profile
    scale_out_threshold: float = 0.7
    scale_in_threshold: float = 0.3
    change_count: int = 1
    change_percent: float = 0.0  # of the replicas, where that is more than `change_count`
    duration_seconds: float = 600.0
    cooldown_seconds: float = 300.0
    look_ahead_seconds: float = 900.0
    forecaster: AnyForecaster = field(default_factory=lambda: SeasonalMean(day_steps=DAY_STEPS))
    predictive: bool = True
    tick_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_range("scale_out_threshold", self.scale_out_threshold, 0.01, 10.0)
        check_range("scale_in_threshold", self.scale_in_threshold, 0.0, self.scale_out_threshold)
        check_range("change_count", self.change_count, 1, 1000)
        check_range("change_percent", self.change_percent, 0.0, 1000.0)
        check_range("duration_seconds", self.duration_seconds, 60.0, 43_200.0)
        check_range("cooldown_seconds", self.cooldown_seconds, 60.0, 604_800.0)
        check_range("look_ahead_seconds", self.look_ahead_seconds, 60.0, 3600.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, STEP_SECONDS)

    @property
    def queries(self) -> tuple[Query, ...]:
        windows = (self.duration_seconds, STEP_SECONDS)
        queries = [demand_queries(window, ANSWERED) for window in windows]
        return tuple(dict.fromkeys(query for pair in queries for query in pair))

    def start(self, past: Past) -> AzureMemory:
        return AzureMemory(
            foresight=Foresight.of(past, step_seconds=STEP_SECONDS, most_steps=HISTORY_STEPS),
            foreseen_rps=np.full(past.services, np.nan),
            acted_seconds=np.full(past.services, -np.inf),
        )

    def decide(self, seen: Observation, memory: AzureMemory) -> PeerAnswer[AzureMemory]:
        memory = self._foresee(seen, memory)
        current = seen.fleet.replicas
        load = demand(seen, self.duration_seconds, ANSWERED)
        ready = np.maximum(seen.pods.count(seen.pods.ready, services=len(seen)), 1)
        saturation = self.profile.saturation_rps
        average = load.value / (ready * saturation)
        foreseen = np.nan_to_num(memory.foreseen_rps) / saturation  # of all replicas together

        change = np.maximum(self.change_count, np.ceil(current * self.change_percent / 100.0)).astype(np.int64)
        # Any rule may scale out; what is predicted is spread over the replicas that there are or will be.
        above = load.known & (average > self.scale_out_threshold)
        predicted = foreseen / np.maximum(current, 1) > self.scale_out_threshold
        below = load.known & (average < self.scale_in_threshold) & ~above & ~predicted & (current > seen.bounds.minimum)
        fewer = np.maximum(current - change, 1)
        afterwards = np.maximum(average * ready, foreseen) / fewer
        flapping = below & (afterwards > self.scale_out_threshold)
        cooling = seen.now_seconds - memory.acted_seconds < self.cooldown_seconds
        grows, shrinks = (above | predicted) & ~cooling, below & ~flapping & ~cooling
        wanted = np.where(grows, current + change, np.where(shrinks, fewer, current))
        desired = between(wanted, seen.bounds)
        rule = np.select(
            [~load.known & ~predicted, (above | predicted | below) & cooling, above, predicted, flapping, below],
            [
                AzureRule.UNKNOWN,
                AzureRule.COOLDOWN,
                AzureRule.SCALE_OUT,
                AzureRule.PREDICTED,
                AzureRule.FLAPPING,
                AzureRule.SCALE_IN,
            ],
            default=AzureRule.HELD,
        )
        acted = np.where(desired != current, seen.now_seconds, memory.acted_seconds)
        new = replace(memory, acted_seconds=acted)
        return answer(desired=desired, rule=rule, rules=AZURE_RULES, memory=new, seen=seen)

    def _foresee(self, seen: Observation, memory: AzureMemory) -> AzureMemory:
        """A new forecast where five minutes ended; none with less than seven days of history."""
        reading = demand(seen, STEP_SECONDS, ANSWERED)
        is_over = memory.foresight.history.ended(seen.now_seconds) > 0
        foresight = memory.foresight.told(reading, now_seconds=seen.now_seconds)
        if not self.predictive or (not is_over and memory.foresight.fit is not None):
            return replace(memory, foresight=foresight)
        steps = int(np.ceil(self.look_ahead_seconds / STEP_SECONDS))
        forecast, foresight = foresight.foresee(self.forecaster, horizon_steps=steps)
        enough = foresight.history.lengths >= LEAST_STEPS
        largest = forecast.quantile(0.5).max(axis=1)
        return replace(memory, foresight=foresight, foreseen_rps=np.where(enough, largest, np.nan))
