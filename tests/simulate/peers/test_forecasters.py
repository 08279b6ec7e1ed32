"""Forecasters: what each promises, on series where the right answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Quantity
from foretide.scaling.readings import Readings
from foretide.simulate.peers.forecasters.ar_ridge import ArRidge
from foretide.simulate.peers.forecasters.arima import Arima
from foretide.simulate.peers.forecasters.demand import ANSWERED, ANSWERED_OR_FAILED, demand, demand_queries
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster, Foresight, Gaussian
from foretide.simulate.peers.forecasters.history import DemandHistory, Fold
from foretide.simulate.peers.forecasters.holt_winters import HoltWinters
from foretide.simulate.peers.forecasters.persistence import Persistence
from foretide.simulate.peers.forecasters.seasonal import SeasonalMean
from foretide.simulate.peers.forecasters.smoothing import Ewma, Holt
from tests.simulate.peers.forecasts import Foreseen
from tests.simulate.peers.observations import NOW, Service, Total, observe, past

DAY = 48  # steps, so that weeks are short
ALL: list[AnyForecaster] = [
    Persistence(),
    Ewma(),
    Holt(),
    HoltWinters(season_steps=DAY, alpha=0.3, beta=0.1, gamma=0.2),
    SeasonalMean(day_steps=DAY),
    ArRidge(day_steps=DAY),
    Arima(),
]


def history(*rows: Any, step_seconds: float = 60.0, most_steps: int = 20_160) -> DemandHistory:
    begun = past(*[list(row) for row in rows], step_seconds=step_seconds)
    return DemandHistory.of(begun, step_seconds=step_seconds, most_steps=most_steps)


def later(series: Floats, *, first: int, end: int) -> DemandHistory:
    """The series up to `end`, where it had come to `first` at NOW."""
    begun = past(series[:end].tolist(), end_seconds=NOW + 60.0 * (end - first))
    return DemandHistory.of(begun, step_seconds=60.0, most_steps=20_160)


def point(forecaster: AnyForecaster, seen: DemandHistory, steps: int = 3) -> Floats:
    fit = forecaster.fit(seen, horizon_steps=steps)
    return forecaster.forecast(seen, fit, horizon_steps=steps).quantile(0.5)


def wave(steps: int, *, noise: float = 0.0, seed: int = 0, day: int = DAY) -> Floats:
    time = np.arange(steps)
    clean = 20.0 + 10.0 * np.sin(2.0 * np.pi * time / day)
    return np.maximum(clean + noise * np.random.default_rng(seed).standard_normal(steps), 0.0)


# --- what all of them promise


@pytest.mark.parametrize("forecaster", ALL, ids=lambda one: type(one).__name__)
def test_a_service_without_any_history_gets_no_forecast(forecaster: AnyForecaster) -> None:
    assert np.isnan(point(forecaster, history([None] * 20))).all()
    assert np.isnan(point(forecaster, DemandHistory.of(past(services=2), step_seconds=60.0, most_steps=9))).all()


@pytest.mark.parametrize("forecaster", ALL, ids=lambda one: type(one).__name__)
def test_forecasts_have_the_same_bits_whichever_services_are_forecast_with_them(forecaster: AnyForecaster) -> None:
    random = np.random.default_rng(3)
    rows = [random.gamma(2.0, 10.0, 9 * DAY).tolist() for _ in range(4)]
    rows[1][:370] = [None] * 370
    rows[2][:427] = [None] * 427
    rows[3] = [0.0] * 400 + rows[3][400:]
    together = point(forecaster, history(*rows))
    for row in range(4):
        assert point(forecaster, history(rows[row])).tolist()[0] == pytest.approx(
            together[row].tolist(), rel=0.0, abs=0.0, nan_ok=True
        )


@pytest.mark.parametrize("forecaster", ALL, ids=lambda one: type(one).__name__)
def test_a_constant_demand_is_foreseen_to_stay(forecaster: AnyForecaster) -> None:
    assert point(forecaster, history([7.0] * (9 * DAY))) == pytest.approx(7.0, rel=1e-6)


@pytest.mark.parametrize("forecaster", ALL, ids=lambda one: type(one).__name__)
def test_forecasts_are_never_below_zero(forecaster: AnyForecaster) -> None:
    falling = np.maximum(np.linspace(60.0, -20.0, 9 * DAY), 0.0)
    assert (point(forecaster, history(falling), steps=30) >= 0.0).all()


# --- each for itself


def test_persistence_repeats_the_last_value() -> None:
    assert point(Persistence(), history([3.0, 9.0, 4.0])).tolist() == [[4.0, 4.0, 4.0]]


def test_ewma_weighs_by_age() -> None:
    found = point(Ewma(alpha=0.5), history([0.0] * 60 + [8.0, 16.0]))
    assert found[0, 0] == pytest.approx(0.5 * 16.0 + 0.25 * 8.0)


def test_holt_follows_a_trend_that_dies_out() -> None:
    found = point(Holt(alpha=1.0, beta=1.0, damping=0.5), history([1.0, 2.0, 4.0]))
    # Trends: 1, then 2; each step ahead adds half of the one before: 4 + 1, + 0.5, + 0.25.
    assert found[0] == pytest.approx([5.0, 5.5, 5.75])


def test_holt_winters_needs_two_seasons() -> None:
    forecaster = HoltWinters(season_steps=DAY, alpha=0.5, beta=0.1, gamma=0.5)
    assert np.isnan(point(forecaster, history(wave(2 * DAY - 1)))).all()
    assert np.isfinite(point(forecaster, history(wave(2 * DAY)))).all()


def test_holt_winters_repeats_the_season_on_top_of_the_trend() -> None:
    forecaster = HoltWinters(season_steps=4, alpha=0.9, beta=0.9, gamma=0.9)
    series = [10.0, 20.0, 30.0, 20.0] * 4
    assert point(forecaster, history(series), steps=6)[0] == pytest.approx([10, 20, 30, 20, 10, 20], abs=0.1)


def test_holt_winters_one_value_at_a_time_is_holt_winters_at_once() -> None:
    forecaster = HoltWinters(season_steps=5, alpha=0.4, beta=0.2, gamma=0.3)
    series = np.random.default_rng(1).random((2, 20)) * 10.0
    state = forecaster.begin(series[:, :10])
    for column in range(10, 20):
        state = forecaster.add(state, series[:, column])
    at_once, usable = forecaster.learn(history(*series))
    assert usable.all()
    assert forecaster.ahead(state, 7).tolist() == forecaster.ahead(at_once, 7).tolist()


def test_holt_winters_learns_as_published() -> None:
    # One step by hand: level 10, trend 1, season 2; the value 16.
    forecaster = HoltWinters(season_steps=2, alpha=0.5, beta=0.5, gamma=0.5)
    state = forecaster.begin(np.array([[10.0, 10.0, 10.0, 10.0]]))
    begun = type(state)(level=np.array([10.0]), trend=np.array([1.0]), season=np.array([[2.0, -2.0]]))
    after = forecaster.add(begun, np.array([16.0]))
    assert after.level[0] == pytest.approx(0.5 * (16.0 - 2.0) + 0.5 * 11.0)
    assert after.trend[0] == pytest.approx(0.5 * (12.5 - 10.0) + 0.5 * 1.0)
    assert after.season[0].tolist() == pytest.approx([-2.0, 0.5 * (16.0 - 11.0) + 0.5 * 2.0])


def test_seasonal_mean_is_the_same_step_of_the_days_before() -> None:
    series = [10.0, 20.0, 30.0, 12.0, 22.0, 32.0]
    assert point(SeasonalMean(day_steps=3), history(series), steps=4)[0] == pytest.approx([11.0, 21.0, 31.0, 11.0])


def test_seasonal_mean_takes_the_same_step_of_the_week_once_a_week_is_known() -> None:
    week = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0, 60.0, 70.0], 2)
    assert point(SeasonalMean(day_steps=2), history(week), steps=14)[0] == pytest.approx(week)
    short = point(SeasonalMean(day_steps=2), history(week[:-1]), steps=1)
    assert short[0, 0] == pytest.approx((1 + 2 + 3 + 4 + 5 + 60) / 6.0), "not yet a week: the days"


def test_seasonal_mean_leaves_unknown_steps_out() -> None:
    series = [10.0, 20.0, None, 40.0]
    assert point(SeasonalMean(day_steps=2), history(series), steps=2)[0] == pytest.approx([10.0, 30.0])


def test_ar_ridge_is_far_better_than_persistence_on_a_daily_wave_with_noise() -> None:
    series = wave(12 * 1440, noise=1.5, day=1440)
    errors: dict[str, list[float]] = {"ridge": [], "persistence": []}
    ridge = ArRidge()
    fit = ridge.fit(history(series[: 11 * 1440]), horizon_steps=7)
    for end in range(11 * 1440, 11 * 1440 + 700, 23):
        seen = DemandHistory.of(
            past(series[:end].tolist(), end_seconds=NOW + 60.0 * (end - 11 * 1440)),
            step_seconds=60.0,
            most_steps=20_160,
        )
        for name, found in (
            ("ridge", ridge.forecast(seen, fit, horizon_steps=7).quantile(0.5)),
            ("persistence", point(Persistence(), seen, 7)),
        ):
            errors[name].append(float(np.abs(found[0] - series[end : end + 7]).mean()))
    assert np.mean(errors["ridge"]) < 0.8 * np.mean(errors["persistence"])


def test_ar_ridge_quantiles_cover_what_comes() -> None:
    series = wave(8 * 1440, noise=2.0, day=1440)
    ridge = ArRidge()
    fit = ridge.fit(history(series[: 7 * 1440]), horizon_steps=3)
    covered = []
    for end in range(7 * 1440, 7 * 1440 + 1400, 14):
        seen = later(series, first=7 * 1440, end=end)
        covered.append(series[end : end + 3] <= ridge.forecast(seen, fit, horizon_steps=3).quantile(0.9)[0])
    assert 0.84 < np.mean(covered) < 0.96


def test_ar_ridge_is_an_ewma_while_there_is_too_little_history() -> None:
    seen = history(wave(100))
    assert point(ArRidge(), seen) == pytest.approx(point(Ewma(), seen))


def test_ar_ridge_knows_the_time_of_day_after_the_history_has_rolled() -> None:
    series = wave(20 * DAY)
    ridge = ArRidge(day_steps=DAY)
    seen = history(series, most_steps=12 * DAY)
    fit = ridge.fit(seen, horizon_steps=1)
    for step in range(30):
        found = ridge.forecast(seen, fit, horizon_steps=1).quantile(0.5)[0, 0]
        assert found == pytest.approx(wave(20 * DAY + step + 1)[-1], rel=0.03)
        reading = Readings.of([float(wave(20 * DAY + step + 1)[-1])])
        seen = seen.told(reading, now_seconds=seen.end_seconds + 60.0)


def test_arima_needs_five_steps_and_repeats_the_last_value_until_then() -> None:
    assert point(Arima(), history([1.0, 5.0, 2.0, 8.0])).tolist() == [[8.0] * 3]


def test_arima_leaves_out_the_idle_time_before_the_first_request() -> None:
    order = Arima().fit(history([0.0] * 30 + [5.0, 6.0, 7.0, 8.0]), horizon_steps=1)
    assert not order.chosen.any()


def test_arima_repeats_a_constant() -> None:
    assert point(Arima(), history([0.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0])).tolist() == [[4.0] * 3]


def test_arima_finds_an_autoregression_without_differences() -> None:
    random = np.random.default_rng(2)
    series = [50.0]
    for shock in random.standard_normal(800):
        series.append(50.0 + 0.7 * (series[-1] - 50.0) + shock)
    order = Arima().fit(history(series), horizon_steps=1)
    assert (order.differences[0], order.logarithm[0]) == (0, False)
    assert order.lags[0] >= 1
    assert point(Arima(), history(series))[0, 0] == pytest.approx(50.0 + 0.7 * (series[-1] - 50.0), abs=0.3)


def test_arima_differences_a_wandering_level() -> None:
    walk = 200.0 + np.cumsum(np.random.default_rng(4).standard_normal(600))
    assert Arima().fit(history(walk), horizon_steps=1).differences[0] == 1


def test_arima_takes_logarithms_where_the_model_collapses() -> None:
    spikes = np.random.default_rng(5).choice([5.0, 5.5, 300.0], 400, p=[0.6, 0.38, 0.02])
    order = Arima().fit(history(spikes), horizon_steps=1)
    assert order.logarithm[0]


def test_arima_chooses_the_order_once_and_for_new_services_when_they_are_old_enough() -> None:
    random = np.random.default_rng(6)
    old, young = random.random(60) + 5.0, [None] * 57 + [5.0, 6.0, 7.0]
    first = Arima().fit(history(old, young), horizon_steps=1)
    assert first.chosen.tolist() == [True, False]
    later = history([*old, *(random.random(9) * 100.0)], [*young, *random.random(9)])
    second = Arima().fit(later, horizon_steps=1, before=first)
    assert second.chosen.tolist() == [True, True]
    assert (second.lags[0], second.differences[0]) == (first.lags[0], first.differences[0])


# --- the history


def test_history_takes_a_past_of_the_same_step_as_it_is() -> None:
    assert history([1.0, None, 3.0]).value.tolist() == [[1.0, 1.0, 3.0]]
    assert history([1.0, None, 3.0]).known.tolist() == [[True, False, True]]


def test_history_makes_longer_steps_of_what_is_known_of_them() -> None:
    begun = past([1.0, 3.0, 5.0, None, None, None, 2.0, 2.0], step_seconds=15.0)
    found = DemandHistory.of(begun, step_seconds=30.0, most_steps=99)
    assert found.value.tolist() == [[2.0, 5.0, 5.0, 2.0]]
    assert found.known.tolist() == [[True, True, False, True]]


def test_history_makes_shorter_steps_by_repeating() -> None:
    found = DemandHistory.of(past([4.0, 8.0], step_seconds=120.0), step_seconds=60.0, most_steps=3)
    assert found.value.tolist() == [[4.0, 8.0, 8.0]]


def test_aligned_steps_begin_at_multiples_of_their_length() -> None:
    begun = past([1.0] * 90, end_seconds=NOW)  # NOW is not a whole hour
    found = DemandHistory.of(begun, step_seconds=3600.0, most_steps=99, aligned=True)
    assert found.end_seconds % 3600.0 == 0.0
    assert found.end_seconds <= NOW < found.end_seconds + 3600.0


@pytest.mark.parametrize(("fold", "value"), [(Fold.LAST, 4.0), (Fold.MEAN, 5.0), (Fold.MAXIMUM, 9.0)])
def test_history_folds_the_readings_of_a_step(fold: Fold, value: float) -> None:
    seen = history([1.0])
    for seconds, reading in ((20.0, 2.0), (40.0, 9.0), (60.0, 4.0)):
        seen = seen.told(Readings.of([reading]), now_seconds=NOW + seconds, fold=fold)
    assert seen.value.tolist() == [[1.0, value]]
    assert seen.end_seconds == NOW + 60.0


def test_history_leaves_unknown_readings_out_of_a_step() -> None:
    seen = history([1.0])
    for seconds, reading in ((20.0, 8.0), (40.0, None), (60.0, None)):
        seen = seen.told(Readings.of([reading]), now_seconds=NOW + seconds, fold=Fold.MEAN)
    assert seen.value.tolist() == [[1.0, 8.0]]


def test_steps_that_passed_without_a_tick_are_unknown() -> None:
    seen = history([1.0]).told(Readings.of([5.0]), now_seconds=NOW + 185.0)
    assert seen.value.tolist() == [[1.0, 1.0, 1.0, 5.0]]
    assert seen.known.tolist() == [[True, False, False, True]]
    assert seen.end_seconds == NOW + 180.0


def test_history_forgets_the_oldest() -> None:
    seen = history([1.0, 2.0], most_steps=2).told(Readings.of([3.0]), now_seconds=NOW + 60.0)
    assert seen.value.tolist() == [[2.0, 3.0]]


def test_a_history_is_as_long_as_its_steps_since_the_first_known_one() -> None:
    seen = history([None, 2.0, None], [None, None, None], most_steps=4)
    found = [seen.lengths.tolist()]
    told: list[list[float | None]] = [[None, None], [None, 1.0], [3.0, 4.0]]
    for step, readings in enumerate(told):
        seen = seen.told(Readings.of(readings), now_seconds=NOW + 60.0 * (step + 1))
        found.append(seen.lengths.tolist())
    assert found == [[2, 0], [3, 0], [4, 1], [4, 2]]


def test_newest_repeats_the_last_value_where_fewer_are_known() -> None:
    assert history([None, 4.0, 6.0]).newest(4).tolist() == [[6.0, 6.0, 4.0, 6.0]]


# --- keeping a fit


def test_a_fit_is_made_anew_after_so_many_steps() -> None:
    forecaster = Foreseen([1.0], refit_steps=3)
    foresight: Foresight[int] = Foresight.of(past([1.0]), step_seconds=60.0, most_steps=9)
    fits = []
    for step in range(1, 8):
        foresight = foresight.told(Readings.of([1.0]), now_seconds=NOW + 60.0 * step)
        _, foresight = foresight.foresee(forecaster, horizon_steps=1)
        fits.append(foresight.fit)
    assert fits == [1, 1, 1, 2, 2, 2, 3]


def test_gaussian_quantiles_in_units_of_demand_and_of_its_logarithm() -> None:
    center, deviation = np.array([[2.0]]), np.array([[1.0]])
    assert Gaussian(center=center, deviation=deviation).quantile(0.8413447) == pytest.approx(3.0, rel=1e-5)
    logged = Gaussian(center=center, deviation=deviation, log_unit=0.5)
    assert logged.quantile(0.5) == pytest.approx(0.5 * np.expm1(2.0))


# --- demand


def test_demand_adds_failures_only_when_asked_and_is_unknown_without_successes() -> None:
    services = (
        Service(answers={Quantity.SUCCESS: Total(10.0), Quantity.FAILURE: Total(4.0)}),
        Service(answers={Quantity.SUCCESS: Total(10.0)}),
        Service(answers={Quantity.FAILURE: Total(4.0)}),
    )
    seen = observe(*services, queries=demand_queries(60.0, ANSWERED_OR_FAILED))
    both = demand(seen, 60.0, ANSWERED_OR_FAILED)
    assert both.value.tolist() == [14.0, 10.0, 0.0]
    assert both.known.tolist() == [True, True, False]
    assert demand(seen, 60.0, ANSWERED).value.tolist() == [10.0, 10.0, 0.0]
