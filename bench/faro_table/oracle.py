"""A forecaster that knows the load, to tell the effect of a forecaster from that of a planner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.faro_table.inputs import MINUTE_SECONDS
from bench.faro_table.observe import EPOCH_SECONDS
from foretide.scaling.arrays import Floats
from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory
from foretide.simulate.peers.forecasters.persistence import NEVER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Oracle:
    """The counts of the minutes to come, with the deviation of a Poisson number; the last minute for ever."""

    counts: Floats  # [jobs, minutes]
    refit_steps: int = NEVER

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: tuple[()] | None = None) -> tuple[()]:
        return ()

    def forecast(self, history: DemandHistory, fit: tuple[()], *, horizon_steps: int) -> Gaussian:
        begun = round((history.end_seconds - EPOCH_SECONDS) / MINUTE_SECONDS)
        minutes = np.minimum(begun + np.arange(horizon_steps), self.counts.shape[1] - 1)
        counts = self.counts[:, minutes]
        return Gaussian(center=counts / MINUTE_SECONDS, deviation=np.sqrt(counts) / MINUTE_SECONDS)
