"""Ratios to the present level: of no size, no unit, and not a number only where nothing is known."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.features import NAMES, Scene, Slow, level
from foretide.scaling.forecast.history import History
from foretide.scaling.readings import Readings
from tests.scaling.build import floats, same
from tests.scaling.forecast.loads import DAY, HOUR, MIDNIGHT, SHAPES, TICK, Load, past
from tests.scaling.strategies import seldom

COLUMN: Final = {name: place for place, name in enumerate(NAMES)}
# All but where the load is above the floor, which is a size.
RATIOS: Final = [place for name, place in COLUMN.items() if name not in ("level", "idle_1440m")]


def table(*loads: Load, days: float = 2.1, until: float = MIDNIGHT, floor: float = 1.0, lead: float = 60.0) -> Floats:
    history = History.of(past(loads, until=until, days=days))
    floors, services = np.full(len(loads), floor), len(loads)
    scene = Scene.of(history, Slow.fresh(services).renewed(history, floors), floors)
    return scene.table(start_seconds=np.full(services, lead), width_seconds=np.full(services, 15.0))


@cache
def of_all(days: float) -> Floats:
    return table(*SHAPES.values(), days=days)


@pytest.mark.parametrize("days", [0.003, 0.5, 2.1, 9.0])
def test_of_any_load_there_are_all_features_and_none_is_infinite(days: float) -> None:
    found = of_all(days)
    assert found.shape == (len(SHAPES), len(NAMES))
    assert not np.isinf(found).any()
    unknown = list(SHAPES).index("unknown")
    assert np.isnan(np.delete(found[unknown], [COLUMN["start"], COLUMN["width"]])).all()


def test_a_constant_load_is_its_own_level_at_every_lag() -> None:
    found = of_all(9.0)[list(SHAPES).index("constant")]
    ratios = [name for name in NAMES if name not in ("start", "width", "level")]
    # A half float is wrong by 0.1 % at most.
    assert np.allclose([found[COLUMN[name]] for name in ratios], 0.0, atol=3e-3)


@seldom
@given(st.floats(-6.0, 6.0), st.sampled_from(["noisy", "daily", "bursty", "stepped", "sparse"]))
def test_a_service_ten_times_as_large_looks_the_same(power: float, name: str) -> None:
    size, load = 10.0**power, SHAPES[name]
    small = table(load, days=1.1)
    large = table(lambda times: size * load(times), days=1.1, floor=size)
    assert np.allclose(small[:, RATIOS], large[:, RATIOS], atol=0.02, equal_nan=True)


def test_yesterday_at_that_time_is_seen() -> None:
    before_nine = table(SHAPES["stepped"], until=MIDNIGHT + 8.9 * HOUR, days=2.4, lead=600.0)[0]
    assert before_nine[COLUMN["lag_1440"]] == pytest.approx(np.log(201.0 / 21.0), abs=0.01)
    assert before_nine[COLUMN["growth_1440"]] == pytest.approx(np.log(201.0 / 21.0), abs=0.01)
    assert np.isnan(before_nine[COLUMN["lag_10080"]]), "a week ago nothing was known"


def test_a_clock_set_by_an_hour_finds_the_day_before_an_hour_off() -> None:
    def shifted(times: Floats) -> Floats:
        return SHAPES["stepped"](times + np.where(times > MIDNIGHT, HOUR, 0.0))

    found = table(shifted, until=MIDNIGHT + 7.9 * HOUR, days=2.4, lead=600.0)[0]
    assert max(found[COLUMN["lag_1380"]], found[COLUMN["lag_1500"]]) == pytest.approx(np.log(201.0 / 21.0), abs=0.01)


def test_the_level_is_of_now_or_of_the_last_that_is_known() -> None:
    history = History.empty(2).append(Readings.of([5.0, 9.0]), now_seconds=MIDNIGHT)
    for tick in range(1, 30):
        history = history.append(Readings.of([None, 9.0 + tick]), now_seconds=MIDNIGHT + tick * TICK)
    assert level(history) == pytest.approx([5.0, np.mean([35.0, 36.0, 37.0, 38.0])])
    for tick in range(30, 200):
        history = history.append(Readings.of([None, 1.0]), now_seconds=MIDNIGHT + tick * TICK)
    assert np.isnan(level(history)[0])


def test_whole_days_are_renewed_within_ten_minutes_and_others_stay() -> None:
    loads = [SHAPES["constant"]] * 3
    history, floor = History.of(past(loads, until=MIDNIGHT, days=1.1)), floats(1.0, 1.0, 1.0)
    slow = Slow.fresh(3).renewed(history, floor)
    assert slow.mean_day == pytest.approx(50.0, rel=3e-3)
    for tick in range(1, 49):  # eight more: minutes count when they are over
        history = history.append(Readings.of([500.0] * 3), now_seconds=MIDNIGHT + tick * TICK)
        slow = slow.renewed(history, floor)
    assert slow.max_day == pytest.approx(500.0, rel=3e-3)
    before = Slow.fresh(3)
    before.renewed(history, floor)
    assert same(before, Slow.fresh(3)), "values do not change"


@pytest.mark.parametrize("ahead", [0.0, 0.2, 0.9])
def test_a_window_a_week_or_a_day_long_past_is_seen_at_any_time_of_day(ahead: float) -> None:
    found = table(SHAPES["constant"], until=MIDNIGHT + ahead * DAY, days=9.0)
    assert np.isfinite(found).all()
