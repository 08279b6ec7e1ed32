"""ARIMA for one step ahead: autoregression of differences, its order chosen once.

Stands for pmdarima's auto_arima, which Dynamo's planner uses: the number of differences by the same KPSS test, the
order of the autoregression by AIC; moving-average terms are left to longer autoregressions, and the likelihood to
least squares. As there, the order is chosen at the first forecast and only the coefficients are fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.simulate.peers.forecasters.forecaster import Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory

MOST_DIFFERENCES: Final = 2
MOST_LAGS: Final = 5
ENOUGH_STEPS: Final = 5  # below, the last value is the forecast
KPSS_5_PERCENT: Final = 0.463  # critical value of the test for a constant level (Kwiatkowski et al. 1992)
PENALTY: Final = 1e-9  # share of the trace: keeps a constant stretch solvable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Order:
    """The order of each service."""

    chosen: Bools  # false: too few steps so far
    logarithm: Bools
    differences: Ints
    lags: Ints


@dataclass(frozen=True, slots=True)
class Arima:
    """One step ahead; longer horizons repeat it, for the planner that it stands in asks for one step."""

    window_steps: int = 1440  # of the history, for the fits
    log1p: bool = False
    refit_steps: int = 1  # until each service has its order

    def __post_init__(self) -> None:
        if self.window_steps < 50:
            raise ValueError(f"window_steps must be at least 50, not {self.window_steps}")

    def fit(self, history: DemandHistory, *, horizon_steps: int, before: Order | None = None) -> Order:
        """The orders; those that were chosen before stay."""
        services = len(history)
        none = np.zeros(services, dtype=np.bool_)
        if before is None:
            zeros = np.zeros(services, dtype=np.int64)
            before = Order(chosen=none, logarithm=none, differences=zeros, lags=zeros)
        series, weight = self._series(history)
        fresh = ~before.chosen & (weight.sum(axis=1) >= ENOUGH_STEPS)
        if not fresh.any():
            return before
        differences, lags = _order(series[fresh], weight[fresh])
        logged_differences, logged_lags = _order(np.log1p(series[fresh]), weight[fresh])
        # A series whose model collapses to (0, d, 0) is spiky: the planner then takes logarithms.
        collapsed = (lags == 0) | self.log1p
        order = Order(
            chosen=before.chosen | fresh,
            logarithm=before.logarithm.copy(),
            differences=before.differences.copy(),
            lags=before.lags.copy(),
        )
        order.logarithm[fresh] = collapsed
        order.differences[fresh] = np.where(collapsed, logged_differences, differences)
        order.lags[fresh] = np.where(collapsed, logged_lags, lags)
        return order

    def forecast(self, history: DemandHistory, fit: Order, *, horizon_steps: int) -> Gaussian:
        services = len(history)
        last = history.value[:, -1] if history.steps else np.zeros(services)
        series, weight = self._series(history)
        constant = (np.where(weight > 0.0, series, last[:, None]) == last[:, None]).all(axis=1)
        series = np.where(fit.logarithm[:, None], np.log1p(series), series)
        foreseen = np.zeros(services)
        for differences in range(MOST_DIFFERENCES + 1):
            for lags in range(MOST_LAGS + 1):
                rows = fit.chosen & (fit.differences == differences) & (fit.lags == lags)
                if rows.any():
                    foreseen[rows] = _next(series[rows], weight[rows], differences, lags)
        with np.errstate(over="ignore"):  # a trend that explodes is infinite, and not sound
            raised = np.expm1(np.where(fit.logarithm, foreseen, 0.0))
        foreseen = np.maximum(np.where(fit.logarithm, raised, foreseen), 0.0)
        sound = fit.chosen & ~constant & np.isfinite(foreseen)
        center = np.where(sound, foreseen, np.where(history.lengths > 0, last, np.nan))
        repeated = np.repeat(center[:, None], horizon_steps, axis=1)
        return Gaussian(center=repeated, deviation=np.zeros_like(repeated))

    def _series(self, history: DemandHistory) -> tuple[Floats, Floats]:
        """The newest values, and weight 0 before the first request: the idle time before it is left out."""
        series = history.value[:, -self.window_steps :]
        weight: Floats = np.logical_or.accumulate(series > 0.0, axis=1).astype(np.float64)
        return series, weight


def _order(series: Floats, weight: Floats) -> tuple[Ints, Ints]:
    """Differences by the KPSS test and lags by AIC, of each service."""
    differences = np.full(len(series), MOST_DIFFERENCES)
    for count in range(MOST_DIFFERENCES - 1, -1, -1):
        change, known = _differenced(series, weight, count)
        differences = np.where(_kpss(change, known) <= KPSS_5_PERCENT, count, differences)
    lags = np.zeros(len(series), dtype=np.int64)
    for count in np.unique(differences):
        rows = differences == count
        change, known = _differenced(series[rows], weight[rows], int(count))
        # The same steps for every order, or the AIC of a longer one would be of fewer steps.
        known = known * (np.arange(known.shape[1]) - np.argmax(known > 0.0, axis=1)[:, None] >= MOST_LAGS)
        used = np.maximum(known.sum(axis=1), 1.0)
        criteria = []
        for order in range(MOST_LAGS + 1):
            design, weights = _design(change, order, constant=count < MOST_DIFFERENCES)
            error = change - (design * _solved(design, change, known)[:, None, :]).sum(axis=2)
            variance = (known * error**2).sum(axis=1) / used
            parameters = order + 1 + weights
            # An order with as many parameters as steps explains anything.
            enough = used > parameters + 1
            criteria.append(np.where(enough, used * np.log(np.maximum(variance, 1e-300)) + 2 * parameters, np.inf))
        lags[rows] = np.argmin(np.stack(criteria), axis=0)
    return differences, lags


def _next(series: Floats, weight: Floats, differences: int, lags: int) -> Floats:
    """The forecast of one step, all services of one order."""
    change, known = _differenced(series, weight, differences)
    known = known * (np.arange(known.shape[1]) - np.argmax(known > 0.0, axis=1)[:, None] >= lags)
    design, _ = _design(change, lags, constant=differences < MOST_DIFFERENCES)
    coefficient = _solved(design, change, known)
    newest = change[:, ::-1][:, :lags]
    if differences < MOST_DIFFERENCES:
        newest = np.concatenate([np.ones((len(series), 1)), newest], axis=1)
    foreseen: Floats = (newest * coefficient).sum(axis=1)
    for count in range(differences - 1, -1, -1):
        foreseen = foreseen + _differenced(series, weight, count)[0][:, -1]
    return foreseen


def _differenced(series: Floats, weight: Floats, times: int) -> tuple[Floats, Floats]:
    """Differences of the series and where all that goes into them is known; the length stays."""
    change, known = series, weight
    for _ in range(times):
        change = np.concatenate([np.zeros((len(change), 1)), np.diff(change, axis=1)], axis=1)
        known = np.concatenate([np.zeros((len(known), 1)), known[:, 1:] * known[:, :-1]], axis=1)
    return change * known, known


def _design(change: Floats, lags: int, *, constant: bool) -> tuple[Floats, int]:
    """Regressors of each step: a constant while there are fewer than two differences, then the steps before."""
    services, steps = change.shape
    before = [
        np.concatenate([np.zeros((services, min(lag, steps))), change[:, : steps - lag]], axis=1)
        for lag in range(1, lags + 1)
    ]
    columns = [np.ones((services, steps)), *before] if constant else before
    design = np.stack(columns, axis=2) if columns else np.zeros((services, steps, 0))
    return design, int(constant)


def _solved(design: Floats, goal: Floats, weight: Floats) -> Floats:
    """Weighted least squares of each service."""
    count = design.shape[2]
    if count == 0:
        return np.zeros((len(goal), 0))
    weighted = design * weight[:, :, None]
    gram = np.matmul(weighted.transpose(0, 2, 1), design)
    right = np.matmul(weighted.transpose(0, 2, 1), goal[:, :, None])
    trace = np.trace(gram, axis1=1, axis2=2)
    ridge = np.maximum(PENALTY * trace, 1e-12)[:, None, None] * np.eye(count)
    solved: Floats = np.linalg.solve(gram + ridge, right)[:, :, 0]
    return solved


def _kpss(series: Floats, weight: Floats) -> Floats:
    """Statistic of the KPSS test for a constant level; large where the level wanders."""
    count = np.maximum(weight.sum(axis=1), 1.0)
    mean = (weight * series).sum(axis=1) / count
    residual = weight * (series - mean[:, None])
    partial = np.cumsum(residual, axis=1) * weight
    variance = (residual**2).sum(axis=1) / count
    lags = np.floor(3.0 * np.sqrt(count) / 13.0)  # the short choice of R's tseries, as pmdarima has it
    longrun = variance
    for lag in range(1, int(lags.max(initial=0.0)) + 1):
        product = (residual[:, lag:] * residual[:, :-lag]).sum(axis=1) / count
        longrun = longrun + np.where(lag <= lags, 2.0 * (1.0 - lag / (lags + 1.0)) * product, 0.0)
    statistic: Floats = (partial**2).sum(axis=1) / count**2 / np.maximum(longrun, 1e-300)
    return np.where(variance > 1e-12 * np.maximum(mean**2, 1e-12), statistic, 0.0)
