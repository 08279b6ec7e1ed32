"""Predictive Horizontal Pod Autoscaler: forecasts the replicas that the HPA would ask for.

Source: jthomperoo/predictive-horizontal-pod-autoscaler internal/controllers/controller.go, internal/scalebehavior,
algorithms/*.py and docs/user-guide/models.md. A model that cannot answer is left out. It keeps the replicas that it
calculated itself; here they also begin with the past, as if it had run then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, check_range, labels, whole_replicas
from foretide.simulate.peers.forecasters.history import DemandHistory
from foretide.simulate.peers.forecasters.holt_winters import HoltWinters, Smoothed
from foretide.simulate.peers.history import History
from foretide.simulate.peers.hpa_metrics import HpaMetric, PodPhases, Signal, Tolerances, propose
from foretide.simulate.peers.profile import Profile

STABILIZATION_SECONDS: Final = 300.0
SCALE_UP_LIMIT_FACTOR: Final = 2
SCALE_UP_LIMIT_MINIMUM: Final = 4
PREDICTION_DIGITS: Final = 9  # a forecast of 4.000000001 is four replicas


class Model(StrEnum):
    LINEAR = "Linear"
    HOLT_WINTERS = "HoltWinters"


class Decision(StrEnum):
    """What is made of the HPA's number and those of the models."""

    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    MEAN = "mean"
    MEDIAN = "median"


class PhpaRule(IntEnum):
    CALCULATED = 0  # the HPA's own number
    PREDICTED = 1
    SCALE_DOWN_STABILIZED = 2
    SCALE_UP_LIMIT = 3
    BOUND = 4
    FAILED_GET_METRICS = 5


PHPA_RULES: Final = labels(PhpaRule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhpaMemory:
    """Calculated replicas of the last two seasons, the state of the smoothing, and the targets of the last while."""

    calculated: Floats  # [services, records], newest last
    count: Ints  # how many of them each service has
    smoothed: Smoothed
    seasoned: Bools  # services whose smoothing has begun
    targets: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Phpa:
    """Defaults are those of the API; coefficients, history and look-ahead have none and are its examples'."""

    profile: Profile
    metric: HpaMetric = field(default_factory=HpaMetric)
    models: tuple[Model, ...] = (Model.HOLT_WINTERS,)
    decision: Decision = Decision.MAXIMUM
    alpha: float = 0.9
    beta: float = 0.9
    gamma: float = 0.9
    season_steps: int = 5760  # sync periods: a day
    stored_seasons: int = 4
    history_size: int = 6
    look_ahead_seconds: float = 10.0
    tolerance: float = 0.1
    tick_seconds: float = 15.0

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models must hold at least one model, not none")
        for name in ("alpha", "beta", "gamma", "tolerance"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        check_range("season_steps", self.season_steps, 2, 10**6)
        check_range("stored_seasons", self.stored_seasons, 2, 1000)
        check_range("history_size", self.history_size, 1, 10**6)
        check_range("look_ahead_seconds", self.look_ahead_seconds, 0.0, 86_400.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, 3600.0)

    @property
    def queries(self) -> tuple[Query, ...]:
        return self.metric.queries

    @property
    def smoothing(self) -> HoltWinters:
        return HoltWinters(
            season_steps=self.season_steps,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            stored_seasons=self.stored_seasons,
        )

    def start(self, past: Past) -> PhpaMemory:
        """The past demand as the replicas that it asked for; nothing where the metric is not a rate of requests."""
        is_rate = self.metric.signal in (Signal.RATE, Signal.RATE_AND_FAILURES)
        steps = self.stored_seasons * self.season_steps if is_rate else 0
        demand = DemandHistory.of(past, step_seconds=self.tick_seconds, most_steps=steps)
        asked = whole_replicas(demand.value / self.metric.targets(self.profile)[:, None]).astype(np.float64)
        smoothed, seasoned = self.smoothing.learn(replace(demand, value=asked))
        kept = 2 * self.season_steps
        return PhpaMemory(
            calculated=asked[:, -kept:] if steps else asked,
            count=np.minimum(demand.lengths, kept),
            smoothed=smoothed,
            seasoned=seasoned,
            targets=History.empty(past.services),
        )

    def decide(self, seen: Observation, memory: PhpaMemory) -> PeerAnswer[PhpaMemory]:
        current = seen.fleet.replicas
        tolerances = Tolerances(up=self.tolerance, down=self.tolerance)
        proposal = propose(self.metric, seen, self.profile, tolerances=tolerances, phases=PodPhases())
        calculated = np.where(proposal.failed, current, proposal.replicas)
        memory = self._remember(calculated, memory)
        numbers = [calculated.astype(np.float64), *self._predicted(memory)]
        target = decide_between(np.stack(numbers, axis=1), self.decision)

        window = memory.targets.after(seen.now_seconds - STABILIZATION_SECONDS)
        stable = np.where(
            target > current, target, np.minimum(current, memory.targets.highest(window, at_least=target))
        )
        limit = np.maximum(SCALE_UP_LIMIT_FACTOR * current, SCALE_UP_LIMIT_MINIMUM)
        limited = np.where(stable > current, np.minimum(stable, limit), stable)
        desired = np.clip(limited, seen.bounds.minimum, seen.bounds.maximum)
        rule = np.select(
            [proposal.failed, desired != limited, limited != stable, stable != target, target != calculated],
            [
                PhpaRule.FAILED_GET_METRICS,
                PhpaRule.BOUND,
                PhpaRule.SCALE_UP_LIMIT,
                PhpaRule.SCALE_DOWN_STABILIZED,
                PhpaRule.PREDICTED,
            ],
            default=PhpaRule.CALCULATED,
        )
        targets = memory.targets.record(
            target, where=~proposal.failed, now_seconds=seen.now_seconds, keep_seconds=STABILIZATION_SECONDS
        )
        return answer(
            desired=np.where(proposal.failed, current, desired),
            rule=rule,
            rules=PHPA_RULES,
            memory=replace(memory, targets=targets),
            seen=seen,
        )

    def _remember(self, calculated: Ints, memory: PhpaMemory) -> PhpaMemory:
        """One more number per service. Where the metric failed it is the present one, which keeps times in step."""
        kept = max(2 * self.season_steps if Model.HOLT_WINTERS in self.models else 0, self.history_size)
        values = np.concatenate([memory.calculated, calculated[:, None]], axis=1)[:, -kept:]
        count = np.minimum(memory.count + 1, kept)
        if Model.HOLT_WINTERS not in self.models:
            return replace(memory, calculated=values, count=count)
        smoothed = self.smoothing.add(memory.smoothed, calculated.astype(np.float64))
        begun = ~memory.seasoned & (count >= 2 * self.season_steps)
        if begun.any():
            first = self.smoothing.begin(values[begun])
            smoothed.level[begun], smoothed.trend[begun], smoothed.season[begun] = (
                first.level,
                first.trend,
                first.season,
            )
        return replace(memory, calculated=values, count=count, smoothed=smoothed, seasoned=memory.seasoned | begun)

    def _predicted(self, memory: PhpaMemory) -> list[Floats]:
        """What each model foresees, in whole replicas; NaN where it cannot."""
        predicted = []
        for model in self.models:
            if model is Model.HOLT_WINTERS:
                ahead = self.smoothing.ahead(memory.smoothed, 1)[:, 0]
                predicted.append(np.where(memory.seasoned, _whole(ahead), np.nan))
            else:
                predicted.append(_whole(self._linear(memory)))
        return predicted

    def _linear(self, memory: PhpaMemory) -> Floats:
        """The line through the last numbers by least squares, at the time that is looked ahead to."""
        size = min(self.history_size, memory.calculated.shape[1])
        values = memory.calculated[:, -size:]
        time = self.tick_seconds * np.arange(1 - size, 1)
        weight = (np.arange(size - 1, -1, -1) < memory.count[:, None]).astype(np.float64)
        number = weight.sum(axis=1)
        mean_time = (weight * time).sum(axis=1) / number
        mean = (weight * values).sum(axis=1) / number
        away = time - mean_time[:, None]
        spread = (weight * away**2).sum(axis=1)
        slope = (weight * away * (values - mean[:, None])).sum(axis=1) / np.where(spread > 0.0, spread, 1.0)
        line: Floats = mean + slope * (self.look_ahead_seconds - mean_time)
        return line


def decide_between(numbers: Floats, decision: Decision) -> Ints:
    """One number of replicas out of several, shape [services, numbers]; the first is the HPA's and always there."""
    there = ~np.isnan(numbers)
    count = there.sum(axis=1)
    chosen: Floats
    match decision:
        case Decision.MAXIMUM:
            chosen = np.where(there, numbers, -np.inf).max(axis=1)
        case Decision.MINIMUM:
            chosen = np.where(there, numbers, np.inf).min(axis=1)
        case Decision.MEAN:
            total = np.where(there, numbers, 0.0).sum(axis=1)
            # Half a replica is rounded up, and less than none is none.
            chosen = np.floor(np.maximum(total, 0.0) / count + 0.5)
        case Decision.MEDIAN:
            ordered = np.sort(np.where(there, numbers, np.inf), axis=1)
            rows = np.arange(len(numbers))
            chosen = np.trunc((ordered[rows, count // 2] + ordered[rows, (count - 1) // 2]) / 2.0)
    return chosen.astype(np.int64)


def _whole(value: Floats) -> Floats:
    rounded: Floats = np.ceil(np.round(value, PREDICTION_DIGITS))
    return rounded
