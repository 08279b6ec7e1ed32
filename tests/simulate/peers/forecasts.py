"""A forecaster that foresees what the test says, to test a peer's rules apart from any forecasting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory


@dataclass(frozen=True, slots=True)
class Foreseen:
    """These rates for each service, the last one for ever; with a deviation for quantiles above the median."""

    rates: Sequence[float]
    deviation: float = 0.0
    refit_steps: int = 1

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: int | None = None) -> int:
        """How often it was asked."""
        return (before or 0) + 1

    def forecast(self, history: DemandHistory, fit: int, *, horizon_steps: int) -> Gaussian:
        padded = [*self.rates, *[self.rates[-1]] * horizon_steps][:horizon_steps]
        center = np.tile(np.array(padded, dtype=np.float64), (len(history), 1))
        return Gaussian(center=center, deviation=np.full_like(center, self.deviation))
