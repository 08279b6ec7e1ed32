"""llm-d WVA's model-based variant: replicas from the largest rate at which a queueing model keeps the latency.

Source: llm-d/llm-d-workload-variant-autoscaler pkg/analyzer (queueanalyzer.go, mm1modelstatedependent.go) and
pkg/core/allocation.go. A request here is one pass (no tokens): alpha + beta * n seconds with n in service.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, check_range, due, labels, whole_replicas
from foretide.simulate.peers.hpa import TOLERANCE, HpaMemory
from foretide.simulate.peers.hpa_behavior import Behavior, HpaRule
from foretide.simulate.peers.hpa_metrics import HpaMetric, Signal
from foretide.simulate.peers.profile import Profile
from foretide.simulate.peers.wva import CHART_BEHAVIOR, Actuation, actuate

# Rates are searched from a thousandth of the slowest to a thousandth below the fastest service rate.
EPSILON: Final = 1e-3
# Halves the range of rates to below the resolution of the source's single precision.
SEARCH_STEPS: Final = 40


class InfernoRule(IntEnum):
    """What decides besides the rules of the HPA; numbered after them."""

    LATENCY = len(HpaRule)
    INFEASIBLE = len(HpaRule) + 1
    NO_LOAD = len(HpaRule) + 2
    NO_METRICS = len(HpaRule) + 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queue:
    """Birth-death chains, one row per service: state n is served at `rates[n - 1]`, and K = `largest` is full.

    Columns beyond K are padding that no result sees: sums are running sums, read at K, so that a row has the same
    bits beside whatever others.
    """

    rates: Floats  # requests a second, shape [services, states]
    in_service: Floats  # requests in service at n = 1, 2, ...
    largest: Ints

    @classmethod
    def of(cls, profile: Profile, *, queue_to_batch_ratio: int) -> Queue:
        """mu(n) = n / (alpha + beta n / instances) up to all instances with full batches, then constant."""
        slots = profile.max_batch * profile.instances
        largest = slots * (1 + queue_to_batch_ratio)
        states = np.arange(1, int(largest.max(initial=1)) + 1)[None, :]
        in_service = np.minimum(states, slots[:, None]).astype(np.float64)
        per_instance = in_service / profile.instances[:, None]
        seconds = profile.fixed_seconds[:, None] + profile.per_item_seconds[:, None] * per_instance
        return cls(rates=in_service / seconds, in_service=in_service, largest=largest)

    @property
    def slowest_rps(self) -> Floats:
        slowest: Floats = self.rates[:, 0]
        return slowest

    @property
    def fastest_rps(self) -> Floats:
        """The service rate of full batches."""
        return _at(self.rates, self.largest)

    def solve(self, arrivals_rps: Floats) -> tuple[Floats, Floats]:
        """(throughput, mean response time) at this rate of Poisson arrivals, by Little's law."""
        # In logarithms and less the largest: p(n) spans hundreds of orders of magnitude.
        logs = np.cumsum(np.log(arrivals_rps[:, None]) - np.log(self.rates), axis=1)
        beyond = np.arange(1, logs.shape[1] + 1)[None, :] > self.largest[:, None]
        top = np.maximum(np.where(beyond, -np.inf, logs).max(axis=1), 0.0)
        weights = np.where(beyond, 0.0, np.exp(np.where(beyond, 0.0, logs) - top[:, None]))
        empty = np.exp(-top)
        whole = empty + _at(np.cumsum(weights, axis=1), self.largest)
        states = np.arange(1, weights.shape[1] + 1)[None, :]
        in_system = _at(np.cumsum(weights * states, axis=1), self.largest) / whole
        throughput = arrivals_rps * (1.0 - _at(weights, self.largest) / whole)
        return throughput, in_system / throughput

    def largest_arrivals(self, target_seconds: Floats, *, most_of_fastest: float) -> tuple[Floats, Bools]:
        """(the largest rate of arrivals whose mean response time is within the target, feasible)."""
        low = self.slowest_rps * EPSILON
        high = self.fastest_rps * (1.0 - EPSILON)
        feasible: Bools = self.solve(low)[1] <= target_seconds
        easy = self.solve(high)[1] <= target_seconds
        below, above = low, high
        for _ in range(SEARCH_STEPS):
            middle = 0.5 * (below + above)
            fits = self.solve(middle)[1] <= target_seconds
            below, above = np.where(fits, middle, below), np.where(fits, above, middle)
        return np.minimum(np.where(easy, high, below), high * most_of_fastest), feasible


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InfernoMemory:
    most_rps: Floats  # of one replica
    feasible: Bools
    ran_at_seconds: Floats  # -inf: never
    target: Ints  # 0: none yet
    rule: Ints
    hpa: HpaMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferno:
    """As many replicas as keep the mean latency of a queueing model within the target.

    The target is the SLO's latency times `target_share`, as a mean: the model knows no quantiles."""

    profile: Profile
    target_share: float = 1.0
    queue_to_batch_ratio: int = 10
    stability_safety_fraction: float = 0.1  # below the fastest service rate; the source keeps it for throughput targets
    with_failures: bool = False  # the source counts requests that succeeded
    window_seconds: float = 60.0
    interval_seconds: float = 60.0
    actuation: Actuation = Actuation.HPA
    behavior: Behavior = CHART_BEHAVIOR
    tolerance: float = TOLERANCE
    tick_seconds: float = 15.0

    def __post_init__(self) -> None:
        check_range("target_share", self.target_share, 0.01, 1.0)
        check_range("queue_to_batch_ratio", self.queue_to_batch_ratio, 0, 1000)
        check_range("stability_safety_fraction", self.stability_safety_fraction, 0.0, 0.99)
        check_range("window_seconds", self.window_seconds, 1.0, 3600.0)
        check_range("interval_seconds", self.interval_seconds, 1.0, 3600.0)
        check_range("tolerance", self.tolerance, 0.0, 1.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, 3600.0)

    @property
    def _metric(self) -> HpaMetric:
        return HpaMetric(
            signal=Signal.RATE_AND_FAILURES if self.with_failures else Signal.RATE, window_seconds=self.window_seconds
        )

    @property
    def queries(self) -> tuple[Query, ...]:
        return self._metric.queries

    def start(self, past: Past) -> InfernoMemory:
        """The largest rate of one replica: it follows from the profile alone."""
        queue = Queue.of(self.profile, queue_to_batch_ratio=self.queue_to_batch_ratio)
        arrivals, feasible = queue.largest_arrivals(
            self.profile.slo_latency_seconds * self.target_share, most_of_fastest=1.0 - self.stability_safety_fraction
        )
        return InfernoMemory(
            most_rps=queue.solve(arrivals)[0],
            feasible=feasible,
            ran_at_seconds=np.full(past.services, -np.inf),
            target=np.zeros(past.services, dtype=np.int64),
            rule=np.full(past.services, int(InfernoRule.NO_METRICS)),
            hpa=HpaMemory.fresh(past.services),
        )

    def decide(self, seen: Observation, memory: InfernoMemory) -> PeerAnswer[InfernoMemory]:
        """ceil(rate / largest rate of a replica) where the interval is over, then the HPA."""
        runs = due(
            memory.ran_at_seconds,
            every_seconds=self.interval_seconds,
            tick_seconds=self.tick_seconds,
            now_seconds=seen.now_seconds,
        )
        rate = self._metric.total(seen)
        least = np.maximum(seen.bounds.minimum, 1)
        cases = {
            InfernoRule.NO_METRICS: (~rate.known, memory.target),
            InfernoRule.NO_LOAD: (rate.value <= 0.0, least),
            InfernoRule.INFEASIBLE: (~memory.feasible, memory.target),
        }
        conditions = [condition for condition, _ in cases.values()]
        wanted = np.select(
            conditions,
            [replicas for _, replicas in cases.values()],
            default=np.maximum(whole_replicas(rate.value / memory.most_rps), least),
        )
        why = np.select(conditions, [int(rule) for rule in cases], default=InfernoRule.LATENCY)
        target, rule = np.where(runs, wanted, memory.target), np.where(runs, why, memory.rule)
        rescaled = actuate(
            target, seen, memory.hpa, actuation=self.actuation, behavior=self.behavior, tolerance=self.tolerance
        )
        return answer(
            desired=rescaled.desired,
            rule=np.where(rescaled.rule == HpaRule.DESIRED_WITHIN_RANGE, rule, rescaled.rule),
            rules=(*labels(HpaRule), *labels(InfernoRule)),
            memory=InfernoMemory(
                most_rps=memory.most_rps,
                feasible=memory.feasible,
                ran_at_seconds=np.where(runs, seen.now_seconds, memory.ran_at_seconds),
                target=target,
                rule=rule,
                hpa=rescaled.memory,
            ),
            seen=seen,
        )


def _at(columns: Floats, state: Ints) -> Floats:
    """The column of state n = 1, 2, ... of each row."""
    picked: Floats = np.take_along_axis(columns, state[:, None] - 1, axis=1)[:, 0]
    return picked
