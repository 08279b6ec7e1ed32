"""What users measure offline before a peer can be set up: a load test of one replica."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretide.scaling.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """The batch-time law of each service, tau(b) = per_item * b + fixed, as a load test shows it; one row per service.

    Foretide learns this while it runs. Peers whose documents ask for a measured capacity get it for nothing here.
    """

    per_item_seconds: Floats
    fixed_seconds: Floats
    max_batch: Ints
    instances: Ints  # of the model in each pod
    slo_latency_seconds: Floats
    objective: Floats

    @property
    def saturation_rps(self) -> Floats:
        """Requests a second of one replica whose batches are all full."""
        rate: Floats = self.instances * self.max_batch / self.batch_seconds(self.max_batch.astype(np.float64))
        return rate

    @property
    def single_seconds(self) -> Floats:
        """Time of a batch of one."""
        return self.batch_seconds(np.ones_like(self.fixed_seconds))

    def batch_seconds(self, batch: Floats) -> Floats:
        """Time of a batch of that many items."""
        seconds: Floats = self.per_item_seconds * batch + self.fixed_seconds
        return seconds
