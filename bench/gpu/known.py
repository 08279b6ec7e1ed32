"""What the operator would know of one replica: the law of its batches, how much slower it answers, its rate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.capacity import BatchCounts, Capacity, Evidence, Law, fit, kappa, learn, rate_per_replica
from foretide.scaling.capacity.evidence import BatchStatistics
from foretide.scaling.readings import Readings

OBJECTIVE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Known:
    """One row of each; `Known(...)` knows nothing yet."""

    max_batch: int
    instances: int
    slo_seconds: float
    evidence: Evidence = field(default_factory=lambda: Evidence.none(1))
    kappa: Floats = field(default_factory=lambda: kappa.fresh(1))

    @property
    def law(self) -> Law:
        """As far as it was seen."""
        return fit(self.evidence)

    @property
    def capacity(self) -> Capacity:
        """What it is counted on for."""
        return rate_per_replica(
            self.law,
            slo_latency_seconds=np.array([self.slo_seconds]),
            objective=np.array([OBJECTIVE]),
            max_batch=np.array([self.max_batch]),
            instances=np.array([self.instances]),
            kappa=self.kappa,
        )

    @property
    def rate_rps(self) -> float:
        """The same, in requests a second."""
        return float(self.capacity.rate_rps[0])

    def after(self, batches: BatchStatistics, *, answered: float, latency_seconds: float, seconds: float) -> Known:
        """With a tick of so many seconds: the batches in it, the requests answered and all of their latencies."""
        evidence = learn(self.evidence, BatchCounts.gather([(0, batches)]))
        mean_seconds = latency_seconds / answered if answered > 0.0 else None
        after = kappa.observe(
            self.kappa,
            mean_latency_seconds=Readings.of([mean_seconds]),
            rate_per_ready_replica=Readings.of([answered / seconds]),
            law=fit(evidence),
            max_batch=np.array([self.max_batch]),
            instances=np.array([self.instances]),
        )
        return replace(self, evidence=evidence, kappa=after)
