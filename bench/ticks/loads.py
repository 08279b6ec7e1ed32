"""The services of a run: their names, the size of their fleets and what they are asked for, as functions of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats, Ints
from foretide.serving.naming import deployment_name

# A team's. Kubernetes' Deployment controller looks at all pods of a namespace at each change of a Deployment: with
# 20,000 in one, a hundred services that were scaled took it seven seconds of a processor.
SERVICES_A_NAMESPACE: Final = 50
HARDWARE_CLASS: Final = "cpu"
# What loads need in the mean, in whole replicas four: a third of all services has one or two.
MEAN_REPLICAS: Final = 3.5
MAX_BATCH: Final = 8
# The law of the live proofs (docs/measurements.md): a batch of b takes 40 ms and 10 ms for each of its b.
FIXED_SECONDS: Final = 0.040
PER_ITEM_SECONDS: Final = 0.010
SLO_LATENCY: Final = "250ms"
# Of a replica, near what the capacity table allows it within the SLO.
RPS_A_REPLICA: Final = 40.0
DAY_SECONDS: Final = 86_400.0
# Of the rate by the minute around its day, in the recorded past.
NOISE: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Loads:
    """One row per service: requests a second are base * (1 + swing * sin(2 pi (t / day + phase)))."""

    base_rps: Floats
    swing: Floats
    phase: Floats

    @classmethod
    def of(cls, services: int) -> Loads:
        """The first so many; always the same."""
        random = np.random.default_rng(services)
        replicas = np.clip(random.lognormal(0.0, 0.8, services), 0.2, 10.0)
        return cls(
            base_rps=replicas / replicas.mean() * MEAN_REPLICAS * RPS_A_REPLICA,
            swing=random.uniform(0.1, 0.6, services),
            phase=random.random(services),
        )

    def __len__(self) -> int:
        return len(self.base_rps)

    def rate_rps(self, at_seconds: npt.ArrayLike) -> Floats:
        """At each of these moments (Unix time): [services, moments]."""
        turns = np.asarray(at_seconds, dtype=np.float64)[None, :] / DAY_SECONDS + self.phase[:, None]
        rates: Floats = self.base_rps[:, None] * (1.0 + self.swing[:, None] * np.sin(2.0 * np.pi * turns))
        return rates

    def replicas(self, at_seconds: float) -> Ints:
        """What that load needs."""
        return np.maximum(np.ceil(self.rate_rps([at_seconds])[:, 0] / RPS_A_REPLICA), 1.0).astype(np.int64)


def namespace(service: int) -> str:
    """Of the InferenceService and all that is its."""
    return f"team-{service // SERVICES_A_NAMESPACE:03d}"


def name(service: int) -> str:
    """Of the InferenceService."""
    return f"s{service:04d}"


def workload(service: int) -> str:
    """Of its Deployment."""
    return deployment_name(name(service), HARDWARE_CLASS)
