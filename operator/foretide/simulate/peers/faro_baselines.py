"""What Faro was compared with: additive steps (INFaaS), one step in proportion to latency (HPA, Ray Serve), a fixed
fair share, and its own version of MArk, Cocktail and Barista.

Source: beomyeol/faro src/policy.py, src/autoscaler.py, config/autoscaler/{aiad,oneshot,mark}.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers import faro_reactive as reactive
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.batching import largest_batch
from foretide.simulate.peers.bounds import answer, between, check_range, labels, whole_replicas
from foretide.simulate.peers.faro import FARO_RULES, HISTORY_STEPS, LEAST_PER_STEP, STEP_SECONDS, FaroMemory, FaroRule
from foretide.simulate.peers.forecasters.ar_ridge import ArRidge
from foretide.simulate.peers.forecasters.demand import ASKED, demand, demand_queries
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster
from foretide.simulate.peers.profile import Profile


class StepRule(IntEnum):
    HELD = 0
    UPSCALE = 1
    DOWNSCALE = 2
    QUOTA = 3
    UNKNOWN = 4


STEP_RULES: Final = labels(StepRule)


class Step(StrEnum):
    ADDITIVE = "additive"  # AIAD: one replica more or less
    ONE_SHOT = "one_shot"  # ceil(replicas x latency / SLO), in both directions


@dataclass(frozen=True, slots=True, kw_only=True)
class FaroStepping:
    """Acts after 30 s above the SLO or 600 s not above it; with a quota services are served in their order."""

    step: Step = Step.ADDITIVE
    quota: int | None = None
    upscale_delay_seconds: float = reactive.UPSCALE_DELAY_SECONDS
    downscale_delay_seconds: float = reactive.DOWNSCALE_DELAY_SECONDS
    look_back_seconds: float = reactive.LOOK_BACK_SECONDS
    tick_seconds: float = reactive.INTERVAL_SECONDS

    def __post_init__(self) -> None:
        for name in ("upscale_delay_seconds", "downscale_delay_seconds", "look_back_seconds", "tick_seconds"):
            check_range(name, getattr(self, name), 1.0, 86_400.0)

    @property
    def queries(self) -> tuple[Query, ...]:
        return reactive.latency_queries(self.look_back_seconds)

    def start(self, past: Past) -> reactive.Checks:
        """It knows nothing of the past."""
        return reactive.Checks.none(past.services)

    def decide(self, seen: Observation, memory: reactive.Checks) -> PeerAnswer[reactive.Checks]:
        latency = reactive.average_latency(seen, self.look_back_seconds)
        checks = memory.passed(latency, seen)
        late = checks.count >= reactive.checks_in(self.upscale_delay_seconds, self.tick_seconds)
        idle = -checks.count >= reactive.checks_in(self.downscale_delay_seconds, self.tick_seconds)
        current = seen.fleet.replicas
        if self.step is Step.ADDITIVE:
            wanted = current + late - idle
        else:
            wanted = whole_replicas(current * latency.value / seen.promise.slo_latency_seconds)
        desired = np.where(late | idle, between(wanted, seen.bounds), current)
        given = reactive.granted(desired, seen, self.quota)
        rule = np.select(
            [~latency.known, given > current, given < current, desired > current],
            [StepRule.UNKNOWN, StepRule.UPSCALE, StepRule.DOWNSCALE, StepRule.QUOTA],
            default=StepRule.HELD,
        )
        return answer(desired=given, rule=rule, rules=STEP_RULES, memory=checks.cleared(late | idle), seen=seen)


class ShareRule(IntEnum):
    FAIR_SHARE = 0


SHARE_RULES: Final = labels(ShareRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class FairShare:
    """The quota, divided by the number of services and rounded down, for ever."""

    quota: int
    tick_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_range("quota", self.quota, 1, 10**9)

    @property
    def queries(self) -> tuple[Query, ...]:
        return ()

    def start(self, past: Past) -> tuple[()]:
        return ()

    def decide(self, seen: Observation, memory: tuple[()]) -> PeerAnswer[tuple[()]]:
        share = np.full(len(seen), max(1, self.quota // max(1, len(seen))), dtype=np.int64)
        return answer(
            desired=between(share, seen.bounds),
            rule=np.zeros_like(share),
            rules=SHARE_RULES,
            memory=(),
            seen=seen,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaroMark:
    """ "MArk/Cocktail/Barista": every five minutes ceil(largest forecast of seven minutes x time of a request / SLO),
    and one more where latency is too high for three checks.

    The time of a request is that of its share of the usable batch; with batches of one it is the formula as written.
    """

    profile: Profile
    quota: int | None = None
    forecaster: AnyForecaster = field(default_factory=ArRidge)
    quantile: float = 0.5
    demand_factor: float = 1.0  # not in the source: what the forecast is multiplied by
    plan_seconds: float = 300.0
    horizon_steps: int = 7
    context_steps: int = 15
    batching: bool = True
    tick_seconds: float = reactive.INTERVAL_SECONDS

    def __post_init__(self) -> None:
        check_range("quantile", self.quantile, 0.01, 0.99)
        check_range("demand_factor", self.demand_factor, 0.01, 100.0)
        check_range("plan_seconds", self.plan_seconds, STEP_SECONDS, 86_400.0)
        check_range("horizon_steps", self.horizon_steps, 1, 1440)
        check_range("context_steps", self.context_steps, 1, HISTORY_STEPS)
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
        current = seen.fleet.replicas
        if not reactive.plan_due(memory.started_seconds, memory.planned_seconds, seen.now_seconds, self.plan_seconds):
            desired, checks, late = reactive.additive_increase(seen, memory.checks, self.tick_seconds)
            given = reactive.granted(desired, seen, self.quota)
            rule = np.where(late, np.where(given > current, FaroRule.REACTIVE, FaroRule.QUOTA), FaroRule.HELD)
            return answer(desired=given, rule=rule, rules=FARO_RULES, memory=replace(memory, checks=checks), seen=seen)

        forecast, foresight = memory.foresight.foresee(self.forecaster, horizon_steps=self.horizon_steps)
        history = foresight.history
        known = history.lengths > 0
        rate = np.where(
            (history.lengths >= self.context_steps)[:, None],
            forecast.quantile(self.quantile),
            history.newest(self.horizon_steps),
        )
        highest = np.maximum(rate * self.demand_factor, LEAST_PER_STEP / STEP_SECONDS).max(axis=1)
        needed = whole_replicas(highest * self._request_seconds() / seen.promise.slo_latency_seconds)
        desired = np.where(known, between(needed, seen.bounds), current)
        return answer(
            desired=reactive.granted(desired, seen, self.quota),
            rule=np.where(known, FaroRule.PLANNED, FaroRule.UNKNOWN),
            rules=FARO_RULES,
            memory=memory.planned(foresight, seen),
            seen=seen,
        )

    def _request_seconds(self) -> Floats:
        batch = largest_batch(self.profile, batch_times=2.0) if self.batching else np.ones_like(self.profile.max_batch)
        items = batch.astype(np.float64)
        seconds: Floats = self.profile.batch_seconds(items) / (items * self.profile.instances)
        return seconds
