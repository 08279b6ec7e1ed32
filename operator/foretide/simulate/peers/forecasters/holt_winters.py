"""Additive Holt-Winters with fixed coefficients, kept up to date one value at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretide.scaling.arrays import Bools, Floats
from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory
from foretide.simulate.peers.forecasters.persistence import NEVER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Smoothed:
    """Level, trend and the seasonal part of each step of a season; `season[:, 0]` belongs to the next step."""

    level: Floats
    trend: Floats
    season: Floats  # [services, season_steps]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoltWinters:
    """Triple exponential smoothing (Winters 1960): needs two seasons to begin with.

    It begins with the mean of the first season, the slope between the first two and the mean difference of each step
    from the mean of its season. (statsmodels' default estimates these by an optimiser; with coefficients as fixed
    here they fade within a season or two.)
    """

    season_steps: int
    alpha: float
    beta: float
    gamma: float
    stored_seasons: int = 4
    refit_steps: int = NEVER

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], not {getattr(self, name)}")
        if self.season_steps < 2:
            raise ValueError(f"season_steps must be at least 2, not {self.season_steps}")
        if self.stored_seasons < 2:
            raise ValueError(f"stored_seasons must be at least 2, not {self.stored_seasons}")

    def begin(self, two_seasons: Floats) -> Smoothed:
        """The state after the first two seasons, shape [services, 2 x season_steps]."""
        seasons = two_seasons.reshape(len(two_seasons), 2, self.season_steps)
        means = seasons.mean(axis=2)
        state = Smoothed(
            level=means[:, 0],
            trend=(means[:, 1] - means[:, 0]) / self.season_steps,
            season=(seasons - means[:, :, None]).mean(axis=1),
        )
        for column in range(2 * self.season_steps):
            state = self.add(state, two_seasons[:, column])
        return state

    def add(self, state: Smoothed, value: Floats) -> Smoothed:
        """The state with one more value."""
        season = state.season[:, 0]
        foreseen = state.level + state.trend
        level = self.alpha * (value - season) + (1.0 - self.alpha) * foreseen
        trend = self.beta * (level - state.level) + (1.0 - self.beta) * state.trend
        # As statsmodels has it: the seasonal part learns from the level that was foreseen.
        new = self.gamma * (value - foreseen) + (1.0 - self.gamma) * season
        return Smoothed(level=level, trend=trend, season=np.concatenate([state.season[:, 1:], new[:, None]], axis=1))

    def ahead(self, state: Smoothed, horizon_steps: int) -> Floats:
        """Values of the next steps, shape [services, horizon]."""
        steps = np.arange(horizon_steps)
        return state.level[:, None] + state.trend[:, None] * (steps + 1) + state.season[:, steps % self.season_steps]

    def learn(self, history: DemandHistory) -> tuple[Smoothed, Bools]:
        """The state after the newest whole seasons that are stored, and which services know at least two."""
        services, season = len(history), self.season_steps
        state = Smoothed(level=np.zeros(services), trend=np.zeros(services), season=np.zeros((services, season)))
        seasons = np.minimum(history.lengths // season, self.stored_seasons)
        # A loop over a handful of counts, not over services.
        for count in range(2, self.stored_seasons + 1):
            rows = seasons == count
            if rows.any():
                values = history.value[rows, -count * season :]
                learnt = self.begin(values[:, : 2 * season])
                for column in range(2 * season, count * season):
                    learnt = self.add(learnt, values[:, column])
                state.level[rows], state.trend[rows], state.season[rows] = learnt.level, learnt.trend, learnt.season
        return state, seasons >= 2

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: tuple[()] | None = None) -> tuple[()]:
        return ()

    def forecast(self, history: DemandHistory, fit: tuple[()], *, horizon_steps: int) -> Gaussian:
        """NaN for services that know fewer than two seasons."""
        state, usable = self.learn(history)
        center = np.where(usable[:, None], self.ahead(state, horizon_steps), np.nan)
        return Gaussian(center=center, deviation=np.zeros_like(center))
