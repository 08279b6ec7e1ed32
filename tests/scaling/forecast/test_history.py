"""Quarter minutes, minutes and days: what goes in comes out, and what is not known stays so."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling import rows
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.history import DAY_MINUTES, DAYS, SLOTS, History, highest, lowest, mean
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from tests.scaling.build import floats, ints, same
from tests.scaling.forecast.loads import DAY, MIDNIGHT, MINUTE, TICK
from tests.scaling.strategies import seeds, seldom

demands = st.lists(st.none() | st.floats(0.0, 1e9), min_size=1, max_size=12)


def after(*demand: float | None, history: History | None = None, now: float = MIDNIGHT) -> History:
    """One service, a tick each; the first at `now`."""
    history = history or History.empty(1)
    for place, each in enumerate(demand):
        history = history.append(Readings.of([each]), now_seconds=now + TICK * place)
    return history


def minute(history: History, back: int) -> float:
    return float(history.between(history.minute - back, history.minute - back)[0, 0])


@seldom
@given(demands)
def test_what_is_known_is_kept_and_the_rest_is_not_a_number(demand: list[float | None]) -> None:
    history = after(*demand)
    expected = [np.nan if each is None else each for each in demand]
    assert np.allclose(history.recent[0, -len(demand) :], expected, rtol=1e-6, equal_nan=True)
    assert np.isnan(history.recent[0, : -len(demand)]).all()


@seldom
@given(demands)
def test_a_minute_is_the_mean_of_what_is_known_of_it(demand: list[float | None]) -> None:
    history = after(*demand)
    quarters = [demand[start : start + 4] for start in range(0, len(demand), 4)]
    for back, quarter in enumerate(reversed(quarters)):
        known = [each for each in quarter if each is not None]
        expected = sum(known) / len(known) if known else np.nan
        assert minute(history, back) == pytest.approx(expected, rel=3e-3, abs=1e-6, nan_ok=True)


def test_of_a_quarter_minute_the_newest_that_is_known_is_kept() -> None:
    history = after(1.0, 2.0)
    later = history.append(Readings.of([5.0]), now_seconds=MIDNIGHT + TICK + 5.0)
    assert later.recent[0, -1] == 5.0
    assert later.append(Readings.of([None]), now_seconds=MIDNIGHT + TICK + 9.0).recent[0, -1] == 5.0
    assert history.recent[0, -1] == 2.0, "values do not change"


@pytest.mark.parametrize("value", [math.nan, -5.0, 1e300, math.inf])
def test_nothing_is_stored_that_is_no_demand(value: float) -> None:
    history = History.empty(1).append(Readings(value=floats(value), known=np.array([True])), now_seconds=MIDNIGHT)
    stored = np.append(history.recent[0], minute(history, 0))
    assert not np.isinf(stored).any()
    assert not (stored < 0.0).any()


@pytest.mark.parametrize("seconds", [1.0, 100.0, 600.0])
def test_a_clock_that_goes_back_a_little_changes_nothing(seconds: float) -> None:
    history = after(*[7.0] * 60)
    again = history.append(Readings.of([99.0]), now_seconds=MIDNIGHT + 59 * TICK - seconds - TICK)
    assert same(again, history)


@pytest.mark.parametrize("jump", [0.5 * DAY, DAY, 3 * DAY, 40 * DAY])
def test_a_clock_that_was_ahead_is_followed_back_and_older_days_stay(jump: float) -> None:
    history = after(*[7.0] * 8)
    wrong = after(1e6, history=history, now=MIDNIGHT + jump)
    right = after(8.0, 8.0, history=wrong, now=MIDNIGHT + 8 * TICK)
    assert right.minute == history.minute + 1
    assert minute(right, 0) == pytest.approx(8.0, rel=3e-3)
    assert np.nanmax(right.recent) <= 8.0, "what was not yet is not known"
    if jump < DAYS * DAY:
        assert minute(right, 1) == pytest.approx(7.0, rel=3e-3)


@pytest.mark.parametrize("now", [math.nan, math.inf])
def test_a_clock_without_time_is_refused(now: float) -> None:
    with pytest.raises(ValueError, match="now_seconds must be finite"):
        after(1.0, now=now)


@pytest.mark.parametrize(("days", "kept"), [(1, True), (7, True), (DAYS - 1, True), (DAYS, False), (1000, False)])
def test_a_fortnight_is_remembered_and_no_more(days: int, kept: bool) -> None:
    history = after(5.0, history=after(3.0), now=MIDNIGHT + days * DAY)
    assert minute(history, days * DAY_MINUTES) == pytest.approx(3.0 if kept else np.nan, rel=3e-3, nan_ok=True)
    assert len(history.minutes) <= DAYS


def past(demand: Floats, *, end: float = MIDNIGHT, step: float = MINUTE) -> Past:
    known = np.isfinite(demand)
    return Past(demand=Readings(value=np.where(known, demand, 0.0), known=known), step_seconds=step, end_seconds=end)


@seldom
@given(seeds, st.integers(1, 3000), st.integers(0, 1439))
def test_a_past_is_what_ticks_would_have_left(seed: int, steps: int, offset: int) -> None:
    random = np.random.default_rng(seed)
    demand = np.where(random.random((2, steps)) < 0.2, np.nan, random.uniform(0.0, 1e4, (2, steps)))
    history = History.of(past(demand, end=MIDNIGHT + offset * MINUTE))
    assert history.minute == (MIDNIGHT + offset * MINUTE) // MINUTE - 1
    found = history.between(history.minute - steps + 1, history.minute)
    assert np.allclose(found, demand, rtol=3e-3, atol=1e-6, equal_nan=True)
    recent = np.repeat(demand, 4, axis=1)[:, -SLOTS:]
    assert np.allclose(history.recent[:, SLOTS - recent.shape[1] :], recent, rtol=1e-6, equal_nan=True)


def test_a_past_of_coarser_steps_fills_their_minutes() -> None:
    history = History.of(past(np.array([[4.0, 8.0]]), step=300.0))
    assert np.allclose(history.last(9), [[4.0] * 5 + [8.0] * 4], rtol=3e-3)


@pytest.mark.parametrize("services", [0, 2])
@pytest.mark.parametrize("steps", [0, 1, 30 * DAY_MINUTES])
def test_any_length_of_past_will_do(services: int, steps: int) -> None:
    history = History.of(past(np.full((services, steps), 3.0)))
    assert len(history) == services
    assert len(history.minutes) <= DAYS


@seldom
@given(seeds, st.integers(0, 3), st.integers(0, 90_000), st.integers(1, 600))
def test_histories_of_different_moments_are_put_together_at_the_newest(
    seed: int, first: int, apart: int, steps: int
) -> None:
    demand = np.random.default_rng(seed).uniform(0.0, 100.0, (3, steps))
    older = History.of(past(demand[:first]))
    newer = History.of(past(demand[first:], end=MIDNIGHT + apart * TICK))
    for parts in ([older, newer], [newer, older]):
        whole = History.concatenate(parts)
        assert len(whole) == 3
        assert whole.slot == newer.slot
        for part, taken in zip(parts, (np.arange(len(parts[0])), np.arange(len(parts[0]), 3)), strict=True):
            oldest = max(part.minute - steps, whole.minute - (DAYS - 1) * DAY_MINUTES)
            mine = rows.take(whole, taken).between(oldest, max(part.minute, oldest))
            assert np.allclose(mine, part.between(oldest, max(part.minute, oldest)), equal_nan=True)


def test_a_history_is_taken_apart_by_rows() -> None:
    history = History.of(past(np.arange(30.0).reshape(3, 10)))
    assert same(History.concatenate([rows.take(history, ints(0)), rows.take(history, ints(1, 2))]), history)


@seldom
@given(st.lists(st.lists(st.just(math.nan) | st.floats(0.0, 1e6), min_size=3, max_size=3), min_size=1, max_size=5))
def test_what_is_not_known_counts_for_nothing(table: list[list[float]]) -> None:
    values = np.array(table)
    for row, found in zip(table, np.stack([lowest(values), mean(values), highest(values)], axis=1), strict=True):
        known = [value for value in row if not math.isnan(value)]
        if known:
            assert found == pytest.approx([min(known), sum(known) / len(known), max(known)])
        else:
            assert np.isnan(found).all()
