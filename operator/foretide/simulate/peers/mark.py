"""MArk (ATC 2019): every minute, enough instances for the largest of the next six minutes that are foreseen.

Source: marcoszh/MArk-Project modules/proactive_controller2.py, scheduler.py, constants.py. Replaced: its LSTM, trained
for its trace, by an autoregression. Left out: serverless functions, which absorb in MArk what instances cannot, and
its choice between types of instances. It fills the forecast with whichever type serves a request cheapest, running
ones without the cost of a launch; with a single type each round adds one instance until the largest residual of the
first six minutes is gone, whatever the prices are. That is ceil(largest / capacity).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.batching import largest_batch
from foretide.simulate.peers.bounds import answer, between, check_range, labels, whole_replicas
from foretide.simulate.peers.forecasters.ar_ridge import ArRidge
from foretide.simulate.peers.forecasters.demand import ASKED, demand, demand_queries
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster, Foresight
from foretide.simulate.peers.forecasters.history import Fold
from foretide.simulate.peers.profile import Profile

STEP_SECONDS: Final = 60.0
HISTORY_STEPS: Final = 14 * 1440


class MarkRule(IntEnum):
    WARM_UP = 0  # too little is known of the load
    ENOUGH = 1
    LAUNCH = 2
    DESTROY = 3
    KEPT = 4  # fewer would do, but not according to each of the last plans


MARK_RULES: Final = labels(MarkRule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkMemory:
    """Peak rate of each minute, and the last plans; -1 where there was none, newest last."""

    foresight: Foresight[Any]
    plans: Ints  # [services, kept_plans]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A replica is counted on for `target_utilisation` of the largest rate at which two batches fit into the SLO."""

    profile: Profile
    target_utilisation: float = 1.0
    forecaster: AnyForecaster = field(default_factory=ArRidge)
    headroom: float = 1.2  # what the load is multiplied by
    head_steps: int = 6  # minutes of the forecast that count
    kept_plans: int = 6  # an instance is destroyed when none of so many plans asked for it
    warm_up_steps: int = 5
    # The peak within a minute. MArk counts in windows of 5 s; this is the shortest rate that a scrape of 5 s allows.
    sample_window_seconds: float = 15.0
    tick_seconds: float = 15.0

    def __post_init__(self) -> None:
        check_range("target_utilisation", self.target_utilisation, 0.01, 10.0)
        check_range("headroom", self.headroom, 0.01, 100.0)
        check_range("head_steps", self.head_steps, 1, 50)
        check_range("kept_plans", self.kept_plans, 1, 1000)
        check_range("warm_up_steps", self.warm_up_steps, 1, HISTORY_STEPS)
        check_range("sample_window_seconds", self.sample_window_seconds, 1.0, STEP_SECONDS)
        check_range("tick_seconds", self.tick_seconds, 1.0, STEP_SECONDS)

    @property
    def queries(self) -> tuple[Query, ...]:
        return demand_queries(self.sample_window_seconds, ASKED)

    @property
    def capacity_rps(self) -> Floats:
        """What one replica is counted on for."""
        batch = largest_batch(self.profile, batch_times=2.0).astype(np.float64)
        rate = self.profile.instances * batch / self.profile.batch_seconds(batch)
        return self.target_utilisation * rate

    def start(self, past: Past) -> MarkMemory:
        return MarkMemory(
            foresight=Foresight.of(past, step_seconds=STEP_SECONDS, most_steps=HISTORY_STEPS),
            plans=np.full((past.services, self.kept_plans), -1, dtype=np.int64),
        )

    def decide(self, seen: Observation, memory: MarkMemory) -> PeerAnswer[MarkMemory]:
        """A plan where a minute ended; in between, what is there stays."""
        rate = demand(seen, self.sample_window_seconds, ASKED)
        is_over = memory.foresight.history.ended(seen.now_seconds) > 0
        foresight = memory.foresight.told(rate, now_seconds=seen.now_seconds, fold=Fold.MAXIMUM)
        current = seen.fleet.replicas
        warm = foresight.history.lengths >= self.warm_up_steps
        desired, plans = current, memory.plans
        if is_over and warm.any():
            planned, foresight = self._plan(foresight)
            desired, plans = self._kept(planned, warm, current, plans)
            desired = np.where(warm, between(desired, seen.bounds), current)
        rule = np.select(
            [~warm, desired > current, desired < current, plans[:, -1] < current],
            [MarkRule.WARM_UP, MarkRule.LAUNCH, MarkRule.DESTROY, MarkRule.KEPT],
            default=MarkRule.ENOUGH,
        )
        new = replace(memory, foresight=foresight, plans=plans)
        return answer(desired=desired, rule=rule, rules=MARK_RULES, memory=new, seen=seen)

    def _plan(self, foresight: Foresight[Any]) -> tuple[Ints, Foresight[Any]]:
        """Instances that cover the largest of the first minutes foreseen."""
        forecast, foresight = foresight.foresee(self.forecaster, horizon_steps=self.head_steps)
        highest = np.nan_to_num(forecast.quantile(0.5).max(axis=1)) * self.headroom
        return whole_replicas(highest / self.capacity_rps - 1e-9), foresight

    def _kept(self, planned: Ints, warm: Bools, current: Ints, plans: Ints) -> tuple[Ints, Ints]:
        """Launches at once; destroys only what none of the last plans asked for, once there are so many."""
        plans = np.concatenate([plans[:, 1:], np.where(warm, planned, -1)[:, None]], axis=1)
        unneeded = np.where((plans >= 0).all(axis=1), plans.max(axis=1), current)
        return np.where(planned > current, planned, np.minimum(current, unneeded)), plans
