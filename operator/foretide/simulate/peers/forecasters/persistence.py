"""Persistence: the next steps will be as the last one was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory

NEVER: Final = 1 << 62  # steps: there is nothing to fit


@dataclass(frozen=True, slots=True)
class Persistence:
    """The last known value, for every step to come."""

    refit_steps: int = NEVER

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: tuple[()] | None = None) -> tuple[()]:
        return ()

    def forecast(self, history: DemandHistory, fit: tuple[()], *, horizon_steps: int) -> Gaussian:
        last = history.value[:, -1] if history.steps else np.zeros(len(history))
        center = np.where(history.lengths > 0, last, np.nan)
        repeated = np.repeat(center[:, None], horizon_steps, axis=1)
        return Gaussian(center=repeated, deviation=np.zeros_like(repeated))
