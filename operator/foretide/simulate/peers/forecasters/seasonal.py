"""Seasonal means: the same time of the last days, or of the last weeks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretide.scaling.arrays import Bools, Floats
from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory
from foretide.simulate.peers.forecasters.persistence import NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalMean:
    """The mean of the same step of the week once a week is known, before that of the same step of the day.

    Stands for the closed models of cloud providers, which promise daily and weekly patterns and no more.
    """

    day_steps: int
    refit_steps: int = NEVER

    def __post_init__(self) -> None:
        if self.day_steps < 1:
            raise ValueError(f"day_steps must be at least 1, not {self.day_steps}")

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: tuple[()] | None = None) -> tuple[()]:
        return ()

    def forecast(self, history: DemandHistory, fit: tuple[()], *, horizon_steps: int) -> Gaussian:
        daily, some_day = _same_step(history, self.day_steps, horizon_steps)
        weekly, some_week = _same_step(history, 7 * self.day_steps, horizon_steps)
        long = (history.lengths >= 7 * self.day_steps)[:, None] & some_week
        center = np.where(long, weekly, np.where(some_day, daily, np.nan))
        return Gaussian(center=center, deviation=np.zeros_like(center))


def _same_step(history: DemandHistory, season: int, horizon: int) -> tuple[Floats, Bools]:
    """The mean of the known steps that are whole seasons before each step to come, and whether there is one."""
    total, count = np.zeros((len(history), horizon)), np.zeros((len(history), horizon))
    ahead = np.arange(horizon)
    for back in range(1, history.steps // season + 2):
        column = history.steps + ahead % season - back * season
        inside = column >= 0
        known = history.known[:, np.maximum(column, 0)] & inside if history.steps else np.zeros_like(total, dtype=bool)
        total += np.where(known, history.value[:, np.maximum(column, 0)], 0.0) if history.steps else 0.0
        count += known
    return total / np.maximum(count, 1.0), count > 0
