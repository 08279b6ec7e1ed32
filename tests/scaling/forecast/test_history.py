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


def observed(random: np.random.Generator, *, services: int, ticks: int, now: float = MIDNIGHT) -> History:
    """Some ticks, of which a third tell nothing of a service, now and then after an hour or a day without any."""
    history = History.empty(services)
    for _ in range(ticks):
        now += float(random.choice([TICK, TICK, TICK, 3_600.0, DAY]))
        known = random.random(services) < 0.67
        demand = Readings(value=np.where(known, random.uniform(0.0, 1e4, services), 0.0), known=known)
        history = history.append(demand, now_seconds=now)
    return history


def all_minutes(history: History, *, days: int = DAYS + 2) -> Floats:
    """Up to the newest, far enough back to see what must have been dropped."""
    return history.between(history.minute - days * DAY_MINUTES, history.minute).astype(np.float64)


@seldom
@given(seeds, st.integers(1, 60), st.integers(-3, 18 * DAY_MINUTES), st.integers(0, 2 * DAY_MINUTES))
def test_what_comes_late_fills_the_gaps_and_nothing_else(seed: int, ticks: int, back: int, steps: int) -> None:
    random = np.random.default_rng(seed)
    history = observed(random, services=3, ticks=ticks)
    demand = np.where(random.random((3, steps)) < 0.3, np.nan, random.uniform(0.0, 1e4, (3, steps)))
    end = (history.minute + 1 - back) * MINUTE
    copy = History(slot=history.slot, recent=history.recent.copy(), day=history.day, minutes=tuple(
        block.copy() for block in history.minutes
    ))  # fmt: skip
    filled = history.backfilled(past(demand, end=end))

    assert same(history, copy), "values do not change"
    ahead = max(-back, 0) if steps else 0
    assert filled.minute == history.minute + ahead
    whole = DAYS + 2
    before, after = all_minutes(history, days=whole), all_minutes(filled, days=whole)
    moved = np.full_like(before, np.nan)
    moved[:, : before.shape[1] - ahead] = before[:, ahead:]
    known = np.isfinite(moved)
    newest = np.arange(filled.minute - whole * DAY_MINUTES, filled.minute + 1)
    kept = newest // DAY_MINUTES > filled.day - DAYS
    told = np.full_like(before, np.nan)
    place = np.arange(steps) + int(end // MINUTE) - steps - newest[0]
    inside = (place >= 0) & (place < len(newest))
    told[:, place[inside]] = demand[:, inside]
    expected = np.where(known, moved, told)[:, kept]
    np.testing.assert_array_equal(after[:, kept][known[:, kept]], moved[:, kept][known[:, kept]])
    np.testing.assert_allclose(after[:, kept], expected, rtol=3e-3, atol=1e-6)
    assert np.isnan(after[:, ~kept]).all()
    assert len(filled.minutes) <= DAYS


@seldom
@given(seeds, st.integers(0, 12), st.integers(1, 5))
def test_quarter_minutes_are_filled_too(seed: int, ticks: int, back: int) -> None:
    random = np.random.default_rng(seed)
    history = observed(random, services=2, ticks=ticks + 1)
    demand = random.uniform(0.0, 1e4, (2, 30))
    filled = history.backfilled(past(demand, end=(history.minute + 1 - back) * MINUTE))
    known = np.isfinite(history.recent)
    np.testing.assert_array_equal(filled.recent[known], history.recent[known])
    minutes = (history.slot - np.arange(SLOTS - 1, -1, -1)) // 4 - history.minute
    told = minutes <= -back
    place = minutes[told] + back - 1 + 30
    expected = np.where(known, history.recent, np.nan)
    expected[:, told] = np.where(known[:, told], history.recent[:, told], demand[:, place])
    np.testing.assert_allclose(filled.recent, expected, rtol=1e-6)


@seldom
@given(seeds, st.integers(0, 40), st.permutations(range(4)), st.booleans())
def test_the_order_of_what_comes_late_does_not_matter(seed: int, ticks: int, order: list[int], ahead: bool) -> None:
    random = np.random.default_rng(seed)
    history = observed(random, services=2, ticks=ticks)
    newest = history.minute + 1 + 700 * ahead if ticks else int(MIDNIGHT // MINUTE)
    chunks = []
    for number in range(4):
        steps = int(random.integers(1, 400))
        demand = np.where(random.random((2, steps)) < 0.3, np.nan, random.uniform(0.0, 1e4, (2, steps)))
        chunks.append(past(demand, end=(newest - 2_000 * number) * MINUTE))
    one, other = history, history
    for number in range(4):
        one, other = one.backfilled(chunks[number]), other.backfilled(chunks[order[number]])
    assert (one.slot, one.day) == (other.slot, other.day)
    np.testing.assert_array_equal(one.recent, other.recent)
    np.testing.assert_array_equal(all_minutes(one), all_minutes(other))


@seldom
@given(seeds, st.integers(0, 40))
def test_to_fill_twice_changes_nothing(seed: int, ticks: int) -> None:
    random = np.random.default_rng(seed)
    history = observed(random, services=2, ticks=ticks)
    late = past(random.uniform(0.0, 1e4, (2, 500)), end=(history.minute + 1 if ticks else 1e6) * MINUTE)
    once = history.backfilled(late)
    assert same(once.backfilled(late), once)
    other = past(random.uniform(0.0, 1e4, (2, 500)), end=late.end_seconds)
    assert same(once.backfilled(other), once), "what is known is known"


def test_only_the_days_that_change_are_copied() -> None:
    """16 MB a day of 5,000 services, and not the 200 MB of a fortnight."""
    history = History.of(past(np.full((1, 5 * DAY_MINUTES), 3.0)))
    gap = history.append(Readings.of([3.0]), now_seconds=MIDNIGHT + 600.0)
    filled = gap.backfilled(past(np.full((1, 5), 4.0), end=MIDNIGHT + 300.0))
    assert filled.minutes[-1] is not gap.minutes[-1]
    assert all(one is other for one, other in zip(filled.minutes[:-1], gap.minutes[:-1], strict=True))


def test_ticks_go_on_after_a_past_came_late() -> None:
    history = after(5.0, 5.0, 5.0, 5.0, 5.0, 5.0)
    filled = history.backfilled(past(np.full((1, 60), 2.0)))
    later = after(8.0, 8.0, 8.0, 8.0, history=filled, now=MIDNIGHT + 6 * TICK)
    assert minute(later, 3) == pytest.approx(2.0, rel=3e-3)
    assert minute(later, 2) == pytest.approx(5.0, rel=3e-3)
    assert minute(later, 1) == pytest.approx(6.5, rel=3e-3)


def test_a_past_of_others_is_refused() -> None:
    with pytest.raises(ValueError, match="a past must be of 2 services, not of 3"):
        History.empty(2).backfilled(past(np.ones((3, 5))))


@pytest.mark.parametrize("step", [0.0, -60.0, 15.0, 90.0])
def test_steps_that_are_no_minutes_are_refused(step: float) -> None:
    for fill in (History.of, History.empty(1).backfilled):
        with pytest.raises(ValueError, match="step_seconds must be a multiple of 60"):
            fill(past(np.ones((1, 5)), step=step))
