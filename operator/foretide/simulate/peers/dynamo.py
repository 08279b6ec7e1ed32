"""NVIDIA Dynamo's planner: replicas for the load predicted for the next interval, optionally corrected by queues.

Source: ai-dynamo/dynamo components/src/dynamo/planner core/throughput_scaling.py, core/load_scaling.py,
core/perf_model, config/defaults.py. One stage with one SLO takes the place of prefill and its TTFT; the regression on
forward passes is the measured batch-time law. Its GPU budget is the maximum of the service. The planner takes a
reading that is missing for no load; here it is unknown, and the last one stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints, count
from foretide.scaling.policy import Observation, Past, Quantity, Query
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.batching import largest_batch
from foretide.simulate.peers.bounds import answer, between, check_range, labels, whole_replicas
from foretide.simulate.peers.forecasters.arima import Arima
from foretide.simulate.peers.forecasters.demand import ANSWERED, demand, demand_queries
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster, Foresight
from foretide.simulate.peers.profile import Profile

LOAD_TICK_SECONDS: Final = 5.0
HISTORY_STEPS: Final = 14 * 480  # of 180 s; its predictors keep all there is
PENDING: Final = Query(Quantity.PENDING)


class DynamoRule(IntEnum):
    HELD = 0
    THROUGHPUT = 1
    LOWER_BOUND = 2  # for the queues fewer would do, not for the predicted load
    LATENCY = 3  # +1: the next request is late in every replica
    CONSOLIDATION = 4  # -1: those that stay would hold the queues
    SCALING_IN_PROGRESS = 5
    NO_DATA = 6


DYNAMO_RULES: Final = labels(DynamoRule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DynamoMemory:
    """Load per interval, and the replicas that the last prediction asked for."""

    foresight: Foresight[Any]
    lower_bound: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamo:
    """`forecaster` is its `load_predictor`: `Arima` (its default), or `Persistence` for `constant`."""

    profile: Profile
    forecaster: AnyForecaster = field(default_factory=Arima)
    throughput_interval_seconds: float = 180.0
    load_scaling: bool = False
    scaling_down_sensitivity: float = 0.8
    min_endpoint: int = 1
    demand_factor: float = 1.0  # not in the source: what the prediction is multiplied by

    def __post_init__(self) -> None:
        check_range("throughput_interval_seconds", self.throughput_interval_seconds, LOAD_TICK_SECONDS, 86_400.0)
        check_range("scaling_down_sensitivity", self.scaling_down_sensitivity, 0.0, 1.0)
        check_range("min_endpoint", self.min_endpoint, 1, 10**6)
        check_range("demand_factor", self.demand_factor, 0.01, 100.0)

    @property
    def tick_seconds(self) -> float:
        return LOAD_TICK_SECONDS if self.load_scaling else self.throughput_interval_seconds

    @property
    def queries(self) -> tuple[Query, ...]:
        traffic = demand_queries(self.throughput_interval_seconds, ANSWERED)
        return (*traffic, PENDING) if self.load_scaling else traffic

    @property
    def engine_rps(self) -> Floats:
        """The best rate of one replica whose predicted latency, that of its own batch, is within the SLO."""
        batch = largest_batch(self.profile, batch_times=1.0).astype(np.float64)
        return self.profile.instances * batch / self.profile.batch_seconds(batch)

    def start(self, past: Past) -> DynamoMemory:
        return DynamoMemory(
            foresight=Foresight.of(past, step_seconds=self.throughput_interval_seconds, most_steps=HISTORY_STEPS),
            lower_bound=np.ones(past.services, dtype=np.int64),
        )

    def decide(self, seen: Observation, memory: DynamoMemory) -> PeerAnswer[DynamoMemory]:
        traffic = demand(seen, self.throughput_interval_seconds, ANSWERED)
        is_due = memory.foresight.history.ended(seen.now_seconds) > 0
        memory = replace(memory, foresight=memory.foresight.told(traffic, now_seconds=seen.now_seconds))
        current = seen.fleet.replicas
        desired, rule = current, np.full(len(seen), int(DynamoRule.HELD))
        if is_due:
            bound, known, memory = self._predicted(seen, memory)
            desired = np.where(known, np.maximum(bound, self.min_endpoint), current)
            rule = np.where(known, DynamoRule.THROUGHPUT, DynamoRule.NO_DATA)
        if self.load_scaling:
            wanted, rule = self._by_queues(seen)
            # While a scaling is in progress nothing is decided, the lower bound of the prediction included.
            decided = (rule != DynamoRule.SCALING_IN_PROGRESS) & (rule != DynamoRule.NO_DATA)
            bound = np.maximum(memory.lower_bound, self.min_endpoint)
            rule = np.where(decided & (wanted < bound), DynamoRule.LOWER_BOUND, rule)
            desired = np.where(decided, np.maximum(wanted, bound), current)
        return answer(
            desired=np.where(desired != current, between(desired, seen.bounds), current),
            rule=rule,
            rules=DYNAMO_RULES,
            memory=memory,
            seen=seen,
        )

    def _predicted(self, seen: Observation, memory: DynamoMemory) -> tuple[Ints, Bools, DynamoMemory]:
        """ceil(demand / engine rate), and where anything is known of the demand."""
        forecast, foresight = memory.foresight.foresee(self.forecaster, horizon_steps=1)
        rate = forecast.quantile(0.5)[:, 0] * self.demand_factor
        known = np.isfinite(rate)
        single = self.profile.single_seconds
        # Where not even a single request is within the SLO: so many times the latency, so many replicas at least.
        late = np.where(single > seen.promise.slo_latency_seconds, single / seen.promise.slo_latency_seconds, 1.0)
        needed = np.maximum(whole_replicas(rate / self.engine_rps - 1e-9), whole_replicas(late - 1e-9))
        lower = np.where(known, needed, memory.lower_bound)
        return needed, known, DynamoMemory(foresight=foresight, lower_bound=lower)

    def _by_queues(self, seen: Observation) -> tuple[Ints, Ints]:
        """+1 where the next request would be late in every replica; -1 where the others would hold its queue."""
        pods, services = seen.pods, len(seen)
        current = seen.fleet.replicas
        serving = pods.ready & ~pods.leaving
        ready = pods.count(serving, services=services)
        answers = seen.answers[PENDING]
        told = serving & answers.known
        queue = answers.value / np.maximum(self.profile.instances[pods.service], 1)
        slo = seen.promise.slo_latency_seconds

        late = self._next_seconds(queue, pods.service) > slo[pods.service]
        on_time = count(pods.service, told & ~late, length=services)
        single = self.profile.single_seconds
        budget = (slo - single) * self.scaling_down_sensitivity
        # Queues are whole requests, and the survivors share them.
        others = np.floor(queue * (ready / np.maximum(ready - 1, 1))[pods.service])
        waiting = self._next_seconds(others, pods.service) - single[pods.service]
        full = count(pods.service, told & (waiting >= budget[pods.service]), length=services)

        complete = (ready > 0) & (pods.count(told, services=services) == ready)
        up = complete & (on_time == 0)
        down = complete & ~up & (ready > 1) & (full == 0)
        rule = np.select(
            [ready != current, ~complete, up, down],
            [DynamoRule.SCALING_IN_PROGRESS, DynamoRule.NO_DATA, DynamoRule.LATENCY, DynamoRule.CONSOLIDATION],
            default=DynamoRule.HELD,
        )
        return np.where(up, current + 1, np.where(down, current - 1, current)), rule

    def _next_seconds(self, queue: Floats, service: Ints) -> Floats:
        """Latency of the next request behind so many: whole batches first, then one with the rest."""
        most = self.profile.max_batch[service].astype(np.float64)
        total = queue + 1.0
        batches = np.ceil(total / most)
        rest = total - (batches - 1.0) * most
        per_item, fixed = self.profile.per_item_seconds[service], self.profile.fixed_seconds[service]
        seconds: Floats = (batches - 1.0) * (per_item * most + fixed) + per_item * rest + fixed
        return seconds
