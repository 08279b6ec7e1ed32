"""Our policy: the steps of this package in their order, behind the seam that every policy has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from foretide.scaling import decide, demand, forecast
from foretide.scaling.capacity import fit, learn, rate_per_replica
from foretide.scaling.decision import Decisions
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Pods
from foretide.scaling.policy import Observation, Over, Past, Quantity, Query
from foretide.scaling.settings import ScalingSettings


@dataclass(frozen=True, slots=True)
class Brain:
    """Decides for the operator and for the simulator alike; a `Policy[Memory]`."""

    settings: ScalingSettings
    # At least four scrapes, so that one lost scrape is survived.
    rate_window_seconds: float

    def __post_init__(self) -> None:
        if not 1.0 <= self.rate_window_seconds < math.inf:
            raise ValueError(f"rate_window_seconds must be finite and at least 1, not {self.rate_window_seconds:g}")

    @property
    def tick_seconds(self) -> float:
        return self.settings.tick_seconds

    @property
    def questions(self) -> Mapping[str, Query]:
        """The query behind each column of `Pods`."""
        window = self.rate_window_seconds
        return {
            "success_rps": Query(Quantity.SUCCESS, Over.RATE, window),
            # Every reason counts: a request that timed out in the queue (REJECTED) was asked for all the same. Triton
            # exports it with the model, at 0: absent is unknown.
            "failure_rps": Query(Quantity.FAILURE, Over.RATE, window),
            "inference_rps": Query(Quantity.INFERENCE, Over.RATE, window),
            "pending": Query(Quantity.PENDING),
            "pending_growth_rps": Query(Quantity.PENDING, Over.DERIV, window),
            "sample_age_seconds": Query(Quantity.SUCCESS, Over.AGE),
        }

    @property
    def queries(self) -> tuple[Query, ...]:
        return tuple(self.questions.values())

    def start(self, past: Past) -> Memory:
        """Nothing is remembered, whatever the past: only a forecaster could use it."""
        return Memory.fresh(past.services)

    def decide(self, seen: Observation, memory: Memory) -> Decisions:
        """Learns what was executed since the last tick, and decides with it."""
        promise = seen.promise
        memory = replace(memory, evidence=learn(memory.evidence, seen.batches))
        capacity = rate_per_replica(
            fit(memory.evidence),
            slo_latency_seconds=promise.slo_latency_seconds,
            objective=promise.objective,
            max_batch=promise.max_batch,
            instances=promise.instances,
        )
        load = demand.observe(
            self._table(seen),
            services=len(seen),
            max_batch=promise.max_batch,
            items_per_request=memory.items_per_request,
            settings=self.settings,
        )
        return decide.decide(
            seen.bounds,
            seen.fleet,
            load,
            capacity,
            forecast.none(len(seen)),  # the seam: the forecaster's quantiles at the lead time go here
            memory,
            now_seconds=seen.now_seconds,
            settings=self.settings,
        )

    def _table(self, seen: Observation) -> Pods:
        return Pods(
            service=seen.pods.service,
            ready=seen.pods.ready,
            ready_age_seconds=seen.pods.ready_age_seconds,
            **{column: seen.answers[query] for column, query in self.questions.items()},
        )
