"""Faro (EuroSys 2025): a plan every five minutes by forecast and utility, one replica more where latency is too high.

Source: beomyeol/faro src/policy.py, src/solver.py, config/autoscaler. Replaced: its forecaster (N-HiTS with a Gaussian
head, trained per service) by an autoregression with normal errors. With a quota the services of one policy share it
and rows look at each other; without, each stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers import faro_reactive as reactive
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.batching import largest_batch
from foretide.simulate.peers.bounds import answer, between, check_range, labels
from foretide.simulate.peers.faro_solver import Objective, Plan, alone, shared
from foretide.simulate.peers.faro_utility import Jobs
from foretide.simulate.peers.forecasters.ar_ridge import ArRidge
from foretide.simulate.peers.forecasters.demand import ASKED, demand, demand_queries
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster, Foresight
from foretide.simulate.peers.profile import Profile

STEP_SECONDS: Final = 60.0
HISTORY_STEPS: Final = 11 * 1440  # its training set has eleven days
LEAST_PER_STEP: Final = 1.0  # requests a minute that are foreseen at least
# Levels that are tried one after the other while quota is left over (the `_app` variants).
RAISED_QUANTILES: Final = (0.6, 0.7, 0.8, 0.9)


class FaroRule(IntEnum):
    HELD = 0
    PLANNED = 1
    REACTIVE = 2
    QUOTA = 3  # latency asks for one more, but the quota is used up
    UNKNOWN = 4  # nothing is known of the demand


FARO_RULES: Final = labels(FaroRule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaroMemory:
    """Demand per minute, when the last plan was made, and checks above the SLO since then."""

    foresight: Foresight[Any]
    started_seconds: float
    planned_seconds: float  # -inf before the first plan
    checks: reactive.Checks

    @classmethod
    def of(cls, past: Past) -> FaroMemory:
        return cls(
            foresight=Foresight.of(past, step_seconds=STEP_SECONDS, most_steps=HISTORY_STEPS),
            started_seconds=past.end_seconds,
            planned_seconds=-np.inf,
            checks=reactive.Checks.none(past.services),
        )

    def planned(self, foresight: Foresight[Any], seen: Observation) -> FaroMemory:
        """After a plan; checks begin anew."""
        return replace(
            self,
            foresight=foresight,
            planned_seconds=seen.now_seconds,
            checks=reactive.Checks.none(len(seen)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Faro:
    """`quota=None`: as many replicas as each service alone is better off with.

    Its latency model puts a queue above 95 % utilisation at the latency of 95 %, divided by the share served. In a
    large fleet that is within the SLO far into overload: 40 replicas of 180 ms count as good for 1.8 times what they
    can serve in 720 ms. Its experiments have ten replicas a service at most. `overload_counts` is not in the source:
    it multiplies utility by the share served.
    """

    profile: Profile
    quota: int | None = None
    objective: Objective = Objective.SUM
    forecaster: AnyForecaster = field(default_factory=ArRidge)
    quantile: float = 0.5
    raise_quantile: bool = False  # the `_app` variants: up to 0.9 while quota is left over
    demand_factor: float = 1.0  # not in the source: what the forecast is multiplied by
    plan_seconds: float = 300.0
    horizon_steps: int = 7
    context_steps: int = 15  # minutes of history before anything is foreseen
    start_delay_seconds: float = 65.0  # after which a new replica counts
    percentile: float = 99.0
    overload_counts: bool = False
    groups: int | None = None
    batching: bool = True  # a replica is as many servers as its usable batch has items; false: one, as in the source
    tick_seconds: float = reactive.INTERVAL_SECONDS

    def __post_init__(self) -> None:
        if self.quota is None and self.objective is not Objective.SUM:
            raise ValueError(f"objective {self.objective} compares services and needs a quota")
        check_range("quantile", self.quantile, 0.01, 0.99)
        check_range("demand_factor", self.demand_factor, 0.01, 100.0)
        check_range("plan_seconds", self.plan_seconds, STEP_SECONDS, 86_400.0)
        check_range("horizon_steps", self.horizon_steps, 1, 1440)
        check_range("context_steps", self.context_steps, 1, HISTORY_STEPS)
        check_range("start_delay_seconds", self.start_delay_seconds, 0.0, 86_400.0)
        check_range("percentile", self.percentile, 50.0, 99.99)
        check_range("tick_seconds", self.tick_seconds, 1.0, STEP_SECONDS)

    @property
    def queries(self) -> tuple[Query, ...]:
        wanted = demand_queries(STEP_SECONDS, ASKED)
        return tuple(dict.fromkeys(wanted + reactive.latency_queries(reactive.LOOK_BACK_SECONDS)))

    def start(self, past: Past) -> FaroMemory:
        return FaroMemory.of(past)

    def decide(self, seen: Observation, memory: FaroMemory) -> PeerAnswer[FaroMemory]:
        asked = demand(seen, STEP_SECONDS, ASKED)
        memory = replace(memory, foresight=memory.foresight.told(asked, now_seconds=seen.now_seconds))
        if reactive.plan_due(memory.started_seconds, memory.planned_seconds, seen.now_seconds, self.plan_seconds):
            return self._planned(seen, memory)
        return self._reacted(seen, memory)

    def _reacted(self, seen: Observation, memory: FaroMemory) -> PeerAnswer[FaroMemory]:
        """One more where three checks found the average latency above the SLO; never one less."""
        desired, checks, late = reactive.additive_increase(seen, memory.checks, self.tick_seconds)
        given = reactive.granted(desired, seen, self.quota)
        rule = np.where(late, np.where(given > seen.fleet.replicas, FaroRule.REACTIVE, FaroRule.QUOTA), FaroRule.HELD)
        return answer(desired=given, rule=rule, rules=FARO_RULES, memory=replace(memory, checks=checks), seen=seen)

    def _planned(self, seen: Observation, memory: FaroMemory) -> PeerAnswer[FaroMemory]:
        forecast, foresight = memory.foresight.foresee(self.forecaster, horizon_steps=self.horizon_steps)
        history = foresight.history
        known = history.lengths > 0

        def solved(quantile: float) -> Ints:
            rate = np.where(
                (history.lengths >= self.context_steps)[:, None],
                forecast.quantile(quantile),
                history.newest(self.horizon_steps),
            )
            return self._solved(seen, rate * self.demand_factor, known)

        desired = solved(self.quantile)
        if self.raise_quantile and self.quota is None:
            desired = solved(max(self.quantile, RAISED_QUANTILES[-1]))
        elif self.raise_quantile and self.quota is not None:
            for level in RAISED_QUANTILES:
                if level <= self.quantile:
                    continue
                bolder = solved(level) if desired.sum() < self.quota else desired
                if bolder.sum() >= self.quota:
                    break
                desired = bolder
        return answer(
            desired=desired,
            rule=np.where(known, FaroRule.PLANNED, FaroRule.UNKNOWN),
            rules=FARO_RULES,
            memory=memory.planned(foresight, seen),
            seen=seen,
        )

    def _solved(self, seen: Observation, rate: Floats, known: Bools) -> Ints:
        """Replicas for these rates; services of unknown demand keep theirs and the rest shares what they leave."""
        jobs = self.jobs(seen, np.maximum(rate, LEAST_PER_STEP / STEP_SECONDS)).chosen(known)
        desired = seen.fleet.replicas.copy()
        minimum = np.maximum(seen.bounds.minimum[known], 1)
        if self.quota is None:
            desired[known] = alone(
                jobs,
                maximum=seen.bounds.maximum[known],
                percentile=self.percentile,
                overload_counts=self.overload_counts,
            )
        elif known.any():
            plan = Plan(
                objective=self.objective,
                quota=self.quota - int(desired[~known].sum()),
                delay_steps=int(self.start_delay_seconds // STEP_SECONDS),
                percentile=self.percentile,
                overload_counts=self.overload_counts,
                groups=self.groups,
            )
            desired[known] = shared(jobs, plan, minimum=minimum)
        return np.where(known, between(desired, seen.bounds), desired)

    def jobs(self, seen: Observation, rate: Floats) -> Jobs:
        """The services as Faro's latency model takes them."""
        batch = largest_batch(self.profile, batch_times=2.0) if self.batching else np.ones_like(self.profile.max_batch)
        ready = seen.pods.count(seen.pods.ready, services=len(seen))
        return Jobs(
            rate_rps=rate,
            running=np.maximum(ready, 1).astype(np.float64),
            service_seconds=self.profile.batch_seconds(batch.astype(np.float64)),
            lanes=(batch * self.profile.instances).astype(np.float64),
            slo_seconds=seen.promise.slo_latency_seconds,
        )
