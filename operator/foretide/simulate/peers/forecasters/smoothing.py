"""Exponential smoothing without seasons: EWMA (level only) and Holt's damped trend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory
from foretide.simulate.peers.forecasters.persistence import NEVER

FORGOTTEN: Final = 1e-9  # weight below which a step is left out


@dataclass(frozen=True, slots=True)
class Ewma:
    """The exponentially weighted mean of the past, for every step to come (Brown 1959)."""

    alpha: float = 0.3
    refit_steps: int = NEVER

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha <= 1.0:
            raise ValueError(f"alpha must be in (0, 1], not {self.alpha}")

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: tuple[()] | None = None) -> tuple[()]:
        return ()

    def forecast(self, history: DemandHistory, fit: tuple[()], *, horizon_steps: int) -> Gaussian:
        steps = 1 if self.alpha == 1.0 else math.ceil(math.log(FORGOTTEN) / math.log1p(-self.alpha))
        recent = history.value[:, -steps:]
        age = np.arange(recent.shape[1] - 1, -1, -1)
        weight = np.where(age < history.lengths[:, None], (1.0 - self.alpha) ** age, 0.0)
        whole = weight.sum(axis=1)
        level = (weight * recent).sum(axis=1) / np.where(whole > 0.0, whole, 1.0)
        center = np.repeat(np.where(whole > 0.0, level, np.nan)[:, None], horizon_steps, axis=1)
        return Gaussian(center=center, deviation=np.zeros_like(center))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holt:
    """Level plus a trend that dies out (Gardner & McKenzie 1985)."""

    alpha: float = 0.5
    beta: float = 0.1
    damping: float = 0.9
    window_steps: int = 180  # older steps have no weight left
    refit_steps: int = NEVER

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "damping"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in (0, 1], not {getattr(self, name)}")

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: tuple[()] | None = None) -> tuple[()]:
        return ()

    def forecast(self, history: DemandHistory, fit: tuple[()], *, horizon_steps: int) -> Gaussian:
        recent = history.value[:, -self.window_steps :]
        start = recent.shape[1] - history.lengths  # column of the first known step of each service
        level, trend = np.zeros(len(history)), np.zeros(len(history))
        for column in range(recent.shape[1]):
            foreseen = level + self.damping * trend
            new = foreseen + self.alpha * (recent[:, column] - foreseen)
            begun = column > np.maximum(start, 0)
            slope = self.beta * (new - level) + (1.0 - self.beta) * self.damping * trend
            trend = np.where(begun, slope, 0.0)
            level = np.where(begun, new, recent[:, column])
        damped = np.cumsum(self.damping ** np.arange(1, horizon_steps + 1))
        center = np.where(history.lengths[:, None] > 0, level[:, None] + trend[:, None] * damped, np.nan)
        return Gaussian(center=center, deviation=np.zeros_like(center))
