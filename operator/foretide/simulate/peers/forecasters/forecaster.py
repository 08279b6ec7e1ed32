"""What a forecaster promises, and how a peer keeps one up to date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from foretide.simulate.peers.forecasters.history import DemandHistory, Fold

F = TypeVar("F")


class Forecast(Protocol):
    """Demand of the next steps, shape [services, horizon]; NaN where a service has too little history."""

    def quantile(self, level: float) -> Floats:
        """Demand that is not exceeded with that probability; 0.5 is the point forecast."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaussian:
    """A forecast with normal errors, in units of demand or of log(1 + demand / unit)."""

    center: Floats
    deviation: Floats  # 0 where the forecaster does not tell
    log_unit: float | None = None

    def quantile(self, level: float) -> Floats:
        value = self.center + NormalDist().inv_cdf(level) * self.deviation
        demand: Floats = value if self.log_unit is None else np.expm1(value) * self.log_unit
        return np.maximum(demand, 0.0)


class Forecaster(Protocol[F]):
    """Foresees demand from its history; a pure function of it, each service alone."""

    @property
    def refit_steps(self) -> int:
        """After how many steps the fit is made anew."""
        ...

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: F | None = None) -> F:
        """What is learnt of the whole history; may take long. `before` is the fit that it replaces."""
        ...

    def forecast(self, history: DemandHistory, fit: F, *, horizon_steps: int) -> Forecast:
        """Demand of each of the next steps; takes no longer than a tick may."""
        ...


AnyForecaster = Forecaster[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foresight(Generic[F]):
    """A history, what was learnt of it, and how many steps ago: the memory of every forecasting peer."""

    history: DemandHistory
    fit: F | None = None
    age_steps: int = 0

    @classmethod
    def of(cls, past: Past, *, step_seconds: float, most_steps: int, aligned: bool = False) -> Foresight[F]:
        history = DemandHistory.of(past, step_seconds=step_seconds, most_steps=most_steps, aligned=aligned)
        return cls(history=history)

    def told(self, reading: Readings, *, now_seconds: float, fold: Fold = Fold.LAST) -> Foresight[F]:
        """With one more reading."""
        ended = self.history.ended(now_seconds)
        history = self.history.told(reading, now_seconds=now_seconds, fold=fold)
        return replace(self, history=history, age_steps=self.age_steps + ended)

    def foresee(self, forecaster: Forecaster[F], *, horizon_steps: int) -> tuple[Forecast, Foresight[F]]:
        """The forecast, and the memory of the fit that it was made with."""
        if self.fit is None or self.age_steps >= forecaster.refit_steps:
            fit = forecaster.fit(self.history, horizon_steps=horizon_steps, before=self.fit)
            current = replace(self, fit=fit, age_steps=0)
        else:
            fit, current = self.fit, self
        return forecaster.forecast(self.history, fit, horizon_steps=horizon_steps), current
