"""AWS-style predictive scaling over target tracking.

Source: Amazon EC2 Auto Scaling User Guide, "How predictive scaling works" and "Target tracking scaling policies".
Predictive: an hourly forecast for 48 hours, made anew every six from up to 14 days of history and at least one; at the
start of each hour, or a buffer earlier, capacity goes up to the forecast of that hour and is never taken away by it.
Reactive: alarms on the average per replica. Its model is closed; seasonal means stand for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints, count
from foretide.scaling.policy import Observation, Past, Query
from foretide.scaling.readings import Readings
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, between, check_range, labels, whole_replicas
from foretide.simulate.peers.forecasters.demand import ASKED, demand, demand_queries
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster, Foresight
from foretide.simulate.peers.forecasters.history import Fold
from foretide.simulate.peers.forecasters.seasonal import SeasonalMean
from foretide.simulate.peers.profile import Profile

HOUR_SECONDS: Final = 3600.0
PERIOD_SECONDS: Final = 60.0  # of the alarms' metric
HISTORY_HOURS: Final = 14 * 24
LEAST_HOURS: Final = 24
HORIZON_HOURS: Final = 48
REFRESH_HOURS: Final = 6
LOW_SHARE: Final = 0.9  # of the target, for the alarm that scales in


class AwsRule(IntEnum):
    HELD = 0
    ALARM_HIGH = 1
    ALARM_LOW = 2
    FORECAST = 3
    COOLDOWN = 4  # fewer would do, but new replicas warm up or the last scale-in is too recent
    INSUFFICIENT_DATA = 5


AWS_RULES: Final = labels(AwsRule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AwsMemory:
    """Load per hour, the forecast that is in force, and both alarms."""

    foresight: Foresight[Any]
    forecast: Floats  # [services, 48], NaN where there is none
    forecast_from_seconds: float  # beginning of its first hour; -inf before the first forecast
    high: Ints  # periods in a row above the target
    low: Ints  # and below 90 % of it
    scaled_in_seconds: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """The target is a share of the saturation of a replica, as requests per target and minute would be set."""

    profile: Profile
    target_utilisation: float = 0.7
    forecaster: AnyForecaster = field(default_factory=lambda: SeasonalMean(day_steps=24))
    predictive: bool = True
    buffer_seconds: float = 300.0  # SchedulingBufferTime
    warmup_seconds: float = 300.0
    scale_in_cooldown_seconds: float = 300.0
    high_periods: int = 3
    low_periods: int = 15

    def __post_init__(self) -> None:
        check_range("target_utilisation", self.target_utilisation, 0.01, 10.0)
        check_range("buffer_seconds", self.buffer_seconds, 0.0, HOUR_SECONDS)
        check_range("warmup_seconds", self.warmup_seconds, 0.0, 86_400.0)
        check_range("scale_in_cooldown_seconds", self.scale_in_cooldown_seconds, 0.0, 86_400.0)
        check_range("high_periods", self.high_periods, 1, 1000)
        check_range("low_periods", self.low_periods, 1, 1000)

    @property
    def tick_seconds(self) -> float:
        return PERIOD_SECONDS

    @property
    def queries(self) -> tuple[Query, ...]:
        return demand_queries(PERIOD_SECONDS, ASKED)

    @property
    def target_rps(self) -> Floats:
        return self.target_utilisation * self.profile.saturation_rps

    def start(self, past: Past) -> AwsMemory:
        return AwsMemory(
            foresight=Foresight.of(past, step_seconds=HOUR_SECONDS, most_steps=HISTORY_HOURS, aligned=True),
            forecast=np.full((past.services, HORIZON_HOURS), np.nan),
            forecast_from_seconds=-np.inf,
            high=np.zeros(past.services, dtype=np.int64),
            low=np.zeros(past.services, dtype=np.int64),
            scaled_in_seconds=np.full(past.services, -np.inf),
        )

    def decide(self, seen: Observation, memory: AwsMemory) -> PeerAnswer[AwsMemory]:
        load = demand(seen, PERIOD_SECONDS, ASKED)
        foresight = memory.foresight.told(load, now_seconds=seen.now_seconds, fold=Fold.MEAN)
        memory = self._forecast(replace(memory, foresight=foresight))
        tracked, rule, memory = self._tracked(seen, load, memory)
        foreseen = self._capacity(memory, seen.now_seconds) if self.predictive else np.zeros_like(tracked)
        # Several policies: the largest capacity. The forecast of the hour is a floor, never a reason to scale in.
        desired = between(np.maximum(tracked, foreseen), seen.bounds)
        memory = replace(
            memory,
            scaled_in_seconds=np.where(desired < seen.fleet.replicas, seen.now_seconds, memory.scaled_in_seconds),
        )
        return answer(
            desired=desired,
            rule=np.where(foreseen > tracked, AwsRule.FORECAST, rule),
            rules=AWS_RULES,
            memory=memory,
            seen=seen,
        )

    def _forecast(self, memory: AwsMemory) -> AwsMemory:
        """A new forecast every six hours, beginning with the hour that runs."""
        begin = memory.foresight.history.end_seconds
        if begin < memory.forecast_from_seconds + REFRESH_HOURS * HOUR_SECONDS:
            return memory
        forecast, foresight = memory.foresight.foresee(self.forecaster, horizon_steps=HORIZON_HOURS)
        enough = (foresight.history.lengths >= LEAST_HOURS)[:, None]
        return replace(
            memory,
            foresight=foresight,
            forecast=np.where(enough, forecast.quantile(0.5), np.nan),
            forecast_from_seconds=begin,
        )

    def _capacity(self, memory: AwsMemory, now_seconds: float) -> Ints:
        """Replicas that the forecast asks for in the hour that runs and in the one that begins within the buffer."""
        hours = {
            int((moment - memory.forecast_from_seconds) // HOUR_SECONDS)
            for moment in (now_seconds, now_seconds + self.buffer_seconds)
        }
        needed = np.zeros(len(memory.forecast), dtype=np.int64)
        for hour in hours:
            if 0 <= hour < HORIZON_HOURS:
                needed = np.maximum(needed, whole_replicas(memory.forecast[:, hour] / self.target_rps - 1e-9))
        return needed

    def _tracked(self, seen: Observation, load: Readings, memory: AwsMemory) -> tuple[Ints, Ints, AwsMemory]:
        """Target tracking: out after three periods above the target, in after 15 below 90 % of it."""
        pods, services, current = seen.pods, len(seen), seen.fleet.replicas
        serving = pods.ready & ~pods.leaving
        ready = pods.count(serving, services=services)
        average = load.value / np.maximum(ready, 1)
        known = load.known & (ready > 0)
        high = np.where(known, np.where(average > self.target_rps, memory.high + 1, 0), memory.high)
        low = np.where(known, np.where(average < LOW_SHARE * self.target_rps, memory.low + 1, 0), memory.low)

        # Replicas that warm up count as capacity, so that nothing is launched twice; what is needed is rounded up,
        # which rounds what is removed down.
        needed = whole_replicas(load.value / self.target_rps - 1e-9)
        out = known & (high >= self.high_periods) & (needed > current)
        young = count(pods.service, serving & (pods.ready_age_seconds < self.warmup_seconds), length=services)
        warming = (young > 0) | (ready < current)
        cooling = seen.now_seconds - memory.scaled_in_seconds < self.scale_in_cooldown_seconds
        fewer = known & (low >= self.low_periods) & (needed < current)
        scale_in = fewer & ~warming & ~cooling
        desired = np.where(out | scale_in, needed, current)
        rule = np.select(
            [~known, out, scale_in, fewer],
            [AwsRule.INSUFFICIENT_DATA, AwsRule.ALARM_HIGH, AwsRule.ALARM_LOW, AwsRule.COOLDOWN],
            default=AwsRule.HELD,
        )
        return desired, rule, replace(memory, high=high, low=low)
