"""Loads that repeat themselves after a time that no calendar knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.scaling.forecast import features, season
from foretide.scaling.forecast.foresight import Target, Trust
from foretide.scaling.forecast.history import DAY_MINUTES, History
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from tests.scaling.build import floats
from tests.scaling.forecast.loads import FLOOR, MIDNIGHT, TICK, Watcher
from tests.scaling.strategies import rarely, seeds, seldom


def history(*loads: Floats) -> History:
    """The newest minutes of each load; all of one length."""
    rates = np.stack(loads)
    known = np.isfinite(rates)
    demand = Readings(value=np.where(known, rates, 0.0), known=known)
    return History.of(Past(demand=demand, step_seconds=60.0, end_seconds=MIDNIGHT + 12 * 3_600.0))


def ramps(period: int, minutes: int, *, low: float = 20.0, high: float = 200.0) -> Floats:
    """A triangle in the middle half of each period."""
    place = np.arange(minutes) % period / period
    return low + (high - low) * np.clip(1.0 - np.abs(place - 0.5) * 4.0, 0.0, 1.0)


def found(load: Floats) -> float:
    return float(periods(load)[0])


def periods(*loads: Floats, began_before: bool = False) -> Floats:
    day, services = history(*loads).last(DAY_MINUTES), len(loads)
    return season.period_minutes(day, np.full(services, FLOOR), np.full(services, began_before))


@seldom
@given(st.integers(5, 120), st.integers(3, 10), seeds)
def test_three_repetitions_show_the_period_through_the_noise_of_counts(period: int, times: int, seed: int) -> None:
    minutes = min(period * times + 2, DAY_MINUTES)
    noisy = np.random.default_rng(seed).poisson(60.0 * ramps(period, minutes)) / 60.0
    assert found(noisy) == pytest.approx(period, abs=1)


@pytest.mark.parametrize("period", [10, 12, 60, 120, 400])
def test_two_repetitions_show_it_where_they_are_all_but_equal(period: int) -> None:
    load = ramps(period, 2 * period)
    assert found(load) == period
    assert np.isnan(found(load[: int(1.8 * period)])), "a repetition is not whole"


@seldom
@given(st.integers(0, 200), st.floats(0.0, 1.0), st.floats(0.0, 0.9 * FLOOR))
def test_a_service_that_waited_for_its_load_is_found_to_repeat_itself_a_minute_later(
    idle: int, part: float, tried: float
) -> None:
    """It had been applied so many minutes before, somebody tried it, and requests came in the middle of a minute."""
    load = ramps(10, 21)
    load[0] *= part
    assert found(np.concatenate([np.full(idle, tried), load])) == 10.0


@seldom
@given(st.integers(0, 419), seeds)
def test_the_idle_time_at_the_beginning_of_the_last_day_belongs_to_a_load_that_is_older(offset: int, seed: int) -> None:
    """An hour in seven, of which a day has three, or four less what is idle."""
    random, minutes = np.random.default_rng(seed), np.arange(3 * DAY_MINUTES) + offset
    load = np.where(minutes % 420 < 60, 100.0 * random.gamma(20.0, 1.0 / 20.0, len(minutes)), 0.0)
    slow = features.Slow.of(history(load), floats(FLOOR))
    assert slow.season_minutes[0] == pytest.approx(420.0, abs=2.0)


@pytest.mark.parametrize("period", [10, 60, 120])
def test_two_that_are_only_alike_show_none(period: int) -> None:
    """The second one comes as much later and is as much lower as three of its kind may."""
    load = ramps(period, 3 * period)
    other = np.roll(load, period // 5)
    mixed = np.concatenate([load[:period], other[period : 2 * period]])
    assert np.isnan(found(mixed))


def test_a_few_minutes_show_none() -> None:
    assert np.isnan(found(ramps(6, 12)))


@rarely
@given(seeds)
def test_a_walk_at_random_is_seldom_taken_for_two_repetitions(seed: int) -> None:
    random = np.random.default_rng(seed)
    walks = 20.0 * np.exp(np.cumsum(random.normal(0.0, 0.1, (200, 60)), axis=1))
    assert np.isfinite(periods(*walks)).mean() <= 0.02


@rarely
@given(seeds)
def test_what_does_not_repeat_itself_has_no_period(seed: int) -> None:
    random = np.random.default_rng(seed)
    minutes = np.arange(DAY_MINUTES)
    for load in (
        random.poisson(6_000.0, DAY_MINUTES) / 60.0,
        random.poisson(3.0, DAY_MINUTES) / 60.0,
        random.gamma(0.3, 100.0, DAY_MINUTES),
        np.linspace(1.0, 100.0, DAY_MINUTES),
        100.0 + 80.0 * np.sin(2.0 * np.pi * minutes / DAY_MINUTES),
        np.full(DAY_MINUTES, 7.0),
        np.zeros(DAY_MINUTES),
        np.full(DAY_MINUTES, np.nan),
    ):
        assert np.isnan(found(load))


@rarely
@given(seeds)
def test_a_tenth_of_gaps_hides_no_period(seed: int) -> None:
    load = ramps(20, 200)
    load[np.random.default_rng(seed).random(200) < 0.08] = np.nan
    assert found(load) == 20.0


@seldom
@given(seeds)
def test_each_service_is_looked_at_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    loads = [random.permutation(4)[0] * ramps(int(random.integers(4, 200)), 700) for _ in range(6)]
    together = periods(*loads)
    alone = [found(load) for load in loads]
    assert np.array_equal(together, alone, equal_nan=True)


def test_the_growth_is_that_of_the_same_window_a_period_ago() -> None:
    # The newest minute is 83 of ramps that begin at 0, 30 and 60, and grow from minute 7.5 to 15 of each.
    rates = ramps(30, 84)
    told = season.growth(
        history(rates),
        floats(30.0),
        start_seconds=floats(60.0),
        width_seconds=floats(15.0),
        floor=floats(FLOOR),
    )
    level, peak = rates[52:54].mean(), rates[53:57].max()
    assert told[0] == pytest.approx(np.log((peak + FLOOR) / (level + FLOOR)), abs=0.01)


def test_of_a_short_period_it_is_told_by_quarter_minutes() -> None:
    watcher = Watcher(ramp, now=MIDNIGHT)
    watcher.watch(int(1.3 * PERIOD / TICK))  # 180 s into the second period, a minute before it grows
    told = [
        season.growth(
            watcher.sight.history,
            floats(PERIOD / 60.0),
            start_seconds=floats(lead),
            width_seconds=floats(15.0),
            floor=floats(FLOOR),
        )[0]
        for lead in (15.0, 30.0, 60.0, 75.0, 120.0)
    ]
    assert told[0] == pytest.approx(0.0, abs=0.01)
    assert told[0] <= told[1] < told[2] < told[3] < told[4]
    assert told[4] == pytest.approx(np.log((400.0 + FLOOR) / (40.0 + FLOOR)), abs=0.01)


def test_the_growth_leads_from_the_level_of_now_to_the_last_periods_load_also_where_it_moves() -> None:
    watcher = Watcher(ramp, now=MIDNIGHT)
    watcher.watch(int((PERIOD + 290.0) / TICK))  # in the middle of the second ramp
    history = watcher.sight.history
    told = season.growth(
        history, floats(PERIOD / 60.0), start_seconds=floats(30.0), width_seconds=floats(15.0), floor=floats(FLOOR)
    )
    foreseen = np.exp(told[0]) * (features.level(history)[0] + FLOOR) - FLOOR
    assert foreseen == pytest.approx(400.0, rel=0.05)


@seldom
@given(seeds, st.floats(5.0, 900.0), st.floats(15.0, 300.0))
def test_of_any_period_it_says_a_number_or_nothing(seed: int, start: float, width: float) -> None:
    random = np.random.default_rng(seed)
    periods = random.choice([np.nan, 0.0, 3.0, 4.0, 7.5, 60.0, 480.0, 10_080.0, 1e9], 8)
    loads = [random.choice([0.0, np.nan, 1.0, 50.0, 1e9], 300) for _ in periods]
    told = season.growth(
        history(*loads),
        periods,
        start_seconds=np.full(8, start),
        width_seconds=np.full(8, width),
        floor=np.full(8, FLOOR),
    )
    assert not np.isinf(told).any()
    assert np.isnan(told[~(periods >= season.SHORTEST_MINUTES)]).all()


PERIOD = 600.0


def ramp(times: Floats) -> Floats:
    """From 40 to 400 a second within a minute, 4 to 7 minutes after each tenth minute."""
    place = times % PERIOD
    return 40.0 + 360.0 * np.clip(np.minimum(place - 240.0, 480.0 - place) / 60.0, 0.0, 1.0)


def ahead(watcher: Watcher, *, until: float) -> float:
    """The median of the demand after a cold start, at that second of the period."""
    while True:
        foresight = watcher.look()
        if (watcher.now - until) % PERIOD < TICK:
            assert foresight.trust[0] == Trust.GOOD
            return float(foresight.demand_rps[0, Target.AHEAD, 0])


def test_a_ramp_that_came_three_times_is_foreseen_before_it_comes() -> None:
    watcher = Watcher(ramp, now=MIDNIGHT + 180.0, lead=60.0)
    watcher.watch(int(3.4 * PERIOD / TICK))
    assert ahead(watcher, until=195.0) > 120.0, "45 s before it begins, for a minute ahead"
    assert ahead(watcher, until=60.0) < 80.0, "and not all the time"


def test_a_ramp_whose_period_is_told_is_foreseen_the_second_time() -> None:
    untold, told = (Watcher(ramp, now=MIDNIGHT, lead=60.0, season=season) for season in (np.nan, PERIOD))
    for watcher in (untold, told):
        watcher.watch(int(1.1 * PERIOD / TICK))
    assert ahead(told, until=195.0) > 120.0
    assert ahead(untold, until=195.0) < 120.0


def test_where_the_level_of_then_is_not_whole_nothing_is_told() -> None:
    rates = ramps(30, 84)
    rates[53] = np.nan
    told = [
        season.growth(
            history(rates),
            floats(30.0),
            start_seconds=floats(start),
            width_seconds=floats(15.0),
            floor=floats(FLOOR),
        )[0]
        for start in (60.0, 600.0)
    ]
    assert np.isnan(told).all()
