"""Autoregression by ridge regression on the logarithm of demand: recent steps, the same time yesterday and last week.

Stands for the neural forecasters of the papers (MArk's LSTM, Faro's N-HiTS), which need a training run per trace. At
horizons of minutes LSTMs were found to repeat their input (Christofidi et al., SoCC 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats
from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory
from foretide.simulate.peers.forecasters.smoothing import Ewma

LAGS: Final = 12
MEANS: Final = (5, 15, 60, 180)  # steps
HARMONICS: Final = 3  # of the day
PERIODIC: Final = 2 + 2 * HARMONICS  # yesterday, last week, sines and cosines
FEATURES: Final = LAGS + len(MEANS) + PERIODIC
SHORTEST_STEPS: Final = 2 * max(MEANS)  # with less history there is nothing to fit
SHORT: Final = Ewma()  # forecasts until then


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """One regression per service and step ahead; features that a service lacks have coefficient 0."""

    usable: Bools
    intercept: Floats  # [services, horizon]
    coefficient: Floats  # [services, horizon, FEATURES]
    deviation: Floats  # [services, horizon]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArRidge:
    """Direct forecasts of each step ahead, with normal errors of log(1 + requests in a step)."""

    day_steps: int = 1440
    train_steps: int = 10_080
    ridge: float = 1.0
    refit_steps: int = 1440

    def __post_init__(self) -> None:
        for name, least in (("day_steps", 2), ("train_steps", FEATURES), ("refit_steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not self.ridge > 0.0:
            raise ValueError(f"ridge must be above 0, not {self.ridge}")

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: Fitted | None = None) -> Fitted:
        """Least squares with a penalty, each service for itself: long ago and rare, so that a loop does no harm."""
        services = len(history)
        lengths = history.lengths
        fitted = Fitted(
            usable=lengths >= SHORTEST_STEPS,
            intercept=np.zeros((services, horizon_steps)),
            coefficient=np.zeros((services, horizon_steps, FEATURES)),
            deviation=np.zeros((services, horizon_steps)),
        )
        for row in np.flatnonzero(fitted.usable):
            series = np.log1p(history.value[row, history.steps - lengths[row] :] * history.step_seconds)
            self._fit_one(series, history.end_step - int(lengths[row]), fitted, int(row))
        return fitted

    def _fit_one(self, series: Floats, first_step: int, fitted: Fitted, row: int) -> None:
        """Writes the row's regressions; `first_step` is the number of the step at which the series begins."""
        horizon = fitted.intercept.shape[1]
        length = len(series)
        day, week = self.day_steps, 7 * self.day_steps
        # A lag is used once it is known for as long again as a day, so that there is something to learn from it.
        has_day, has_week = length >= 2 * day + MEANS[-1], length >= week + day
        first = max(MEANS[-1], day if has_day else 0, week if has_week else 0)
        first = max(first, length - horizon - self.train_steps)
        origins = np.arange(first, length - horizon)
        recent = _recent(series, origins)
        for step in range(horizon):
            target = origins + step + 1
            periodic = _periodic(target + first_step, day)
            yesterday = series[target - day] if has_day else np.zeros(len(origins))
            last_week = series[target - week] if has_week else np.zeros(len(origins))
            features = np.column_stack([recent, yesterday, last_week, periodic])
            mean, spread = features.mean(axis=0), features.std(axis=0)
            scaled = (features - mean) / np.where(spread > 1e-9, spread, 1.0)
            goal = series[target]
            gram = scaled.T @ scaled + self.ridge * np.eye(FEATURES)
            weight = np.linalg.solve(gram, scaled.T @ (goal - goal.mean()))
            weight = np.where(spread > 1e-9, weight / np.where(spread > 1e-9, spread, 1.0), 0.0)
            fitted.coefficient[row, step] = weight
            fitted.intercept[row, step] = goal.mean() - (mean * weight).sum()
            error = goal - fitted.intercept[row, step] - features @ weight
            fitted.deviation[row, step] = np.sqrt((error**2).mean())

    def forecast(self, history: DemandHistory, fit: Fitted, *, horizon_steps: int) -> Gaussian:
        unit = 1.0 / history.step_seconds
        short = np.log1p(SHORT.forecast(history, (), horizon_steps=horizon_steps).center / unit)
        if not fit.usable.any():
            return Gaussian(center=short, deviation=np.zeros_like(short), log_unit=unit)
        day = self.day_steps
        target = history.steps + np.arange(horizon_steps)
        origin = np.array([history.steps - 1])
        window = np.log1p(history.value[:, -(MEANS[-1] + 1) :] / unit)
        last = np.array([window.shape[1] - 1])
        features = np.empty((len(history), horizon_steps, FEATURES))
        features[:, :, : LAGS + len(MEANS)] = _recent(window, last)
        for place, lag in ((LAGS + len(MEANS), day), (LAGS + len(MEANS) + 1, 7 * day)):
            column = target - lag
            inside = (column >= 0) & (column < history.steps)
            before = history.value[:, np.where(inside, column, origin[0])]
            features[:, :, place] = np.where(inside, np.log1p(before / unit), 0.0)
        features[:, :, -2 * HARMONICS :] = _periodic(history.end_step + np.arange(horizon_steps), day)
        center = fit.intercept + (fit.coefficient * features).sum(axis=2)
        usable = fit.usable[:, None]
        return Gaussian(
            center=np.where(usable, np.maximum(center, 0.0), short),
            deviation=np.where(usable, fit.deviation, 0.0),
            log_unit=unit,
        )


def _recent(series: Floats, origins: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Floats:
    """The newest values and the means of longer windows, of each origin; the last axis of `series` is time."""
    lags = [series[..., origins - lag] for lag in range(LAGS)]
    whole = np.concatenate([np.zeros((*series.shape[:-1], 1)), np.cumsum(series, axis=-1)], axis=-1)
    means = [(whole[..., origins + 1] - whole[..., origins + 1 - window]) / window for window in MEANS]
    return np.stack([*lags, *means], axis=-1)


def _periodic(step: np.ndarray[tuple[int, ...], np.dtype[np.int64]], day: int) -> Floats:
    """Sines and cosines of the time of day, one row per step."""
    angle = 2.0 * np.pi * np.outer(step % day, np.arange(1, HARMONICS + 1)) / day
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
