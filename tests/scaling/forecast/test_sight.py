"""What is foreseen of loads of every shape, from the first minute on and whatever the clock does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.foresight import POINTS, Foresight, Target, Trust
from foretide.scaling.forecast.model import shipped
from foretide.scaling.forecast.sight import Outlook, Sight, look, windows
from foretide.scaling.memory import Memory
from foretide.scaling.normal import normal_score
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from tests.scaling.build import floats, ints, same
from tests.scaling.forecast.loads import DAY, HOUR, LEAD, MIDNIGHT, SHAPES, TICK, Watcher, past, stepped
from tests.scaling.strategies import any_float, rarely, seldom

NAMES: Final = list(SHAPES)
KNOWN: Final = [name for name in NAMES if name not in ("unknown", "gaps", "resets")]
LEVELS: Final = shipped().levels
# Days of history, and how far above itself a constant load may be foreseen up to which level.
CONSTANT: Final = [(0.0, 0.5, 0.1), (0.0, 0.9, 0.2), (2.1, 0.99, 0.2)]


@cache
def seen(days: float) -> list[Foresight]:
    """All shapes, tick by tick, over six minutes after so many days."""
    watcher = Watcher(*SHAPES.values(), days=days)
    return [watcher.look() for _ in range(24)]


def sound(foresight: Foresight) -> None:
    assert np.isfinite(foresight.demand_rps).all()
    assert (foresight.demand_rps >= 0.0).all()
    assert (np.diff(foresight.demand_rps, axis=-1) >= 0.0).all(), "quantiles ascend"
    assert np.isin(foresight.trust, list(Trust)).all()
    for score in (-3.0, 0.0, 1.0, 2.3, 5.0):
        for target in Target:
            at = foresight.at(target, np.full(len(foresight.trust), score))
            assert np.isfinite(at.value).all()
            assert (at.value >= 0.0).all()
            assert (at.known == foresight.trusted).all()


@pytest.mark.parametrize("days", [0.0, 2.1])
def test_of_any_load_quantiles_are_numbers_that_ascend(days: float) -> None:
    for foresight in seen(days):
        sound(foresight)


@rarely
@given(st.lists(st.sampled_from([TICK, TICK, 1.0, 0.0, -5.0, HOUR, -HOUR, DAY, -DAY, 3 * DAY, 40 * DAY]), max_size=6))
def test_a_clock_may_jump_by_hours_or_days(jumps: list[float]) -> None:
    watcher = Watcher(*SHAPES.values(), days=1.1)
    for jump in jumps:
        sound(watcher.look(seconds=jump))
    sound(watcher.look())


@pytest.mark.parametrize("wrong", [HOUR, DAY, 3 * DAY])
def test_a_clock_that_was_wrong_for_a_tick_is_followed_again(wrong: float) -> None:
    watcher = Watcher(SHAPES["constant"], days=1.1)
    watcher.look(seconds=wrong)
    watcher.now -= wrong
    watcher.loads = (lambda times: np.full(times.shape, 200.0),)
    foresight = watcher.watch(24)
    assert foresight.trust[0] == Trust.GOOD
    assert foresight.demand_rps[0, Target.AHEAD, 0] == pytest.approx(200.0, rel=0.2)


@pytest.mark.parametrize("days", [0.0, 2.1])
@pytest.mark.parametrize("name", ["unknown", "gaps"])
def test_a_load_that_is_not_known_is_not_trusted_and_says_nothing(name: str, days: float) -> None:
    foresight = seen(days)[-1]
    place = NAMES.index(name)
    assert foresight.trust[place] in (Trust.NO_HISTORY, Trust.GAPS)
    assert not foresight.at(Target.AHEAD, np.full(len(NAMES), 2.0)).known[place]


@pytest.mark.parametrize("name", KNOWN)
def test_a_service_five_minutes_old_is_foreseen(name: str) -> None:
    foresight, place = seen(0.0)[-1], NAMES.index(name)
    assert foresight.trust[place] == Trust.GOOD
    assert (foresight.demand_rps[place] <= 1e12).all()


@pytest.mark.parametrize("name", ["constant", "daily", "stepped", "idle"])
@pytest.mark.parametrize("days", [0.0, 2.1])
def test_the_high_quantiles_are_not_below_a_load_that_stays(name: str, days: float) -> None:
    foresight, now = seen(days)[-1], SHAPES[name](np.array([MIDNIGHT]))[0]
    assert (foresight.demand_rps[NAMES.index(name), :, LEVELS >= 0.9] >= 0.99 * now).all()


@pytest.mark.parametrize(("days", "level", "above"), CONSTANT)
def test_a_constant_load_is_foreseen_as_itself(days: float, level: float, above: float) -> None:
    found = seen(days)[-1].demand_rps[NAMES.index("constant"), :, level >= LEVELS]
    assert (found >= 0.95 * 50.0).all()
    assert (found <= (1.0 + above) * 50.0).all()


def test_a_step_of_every_day_is_foreseen_before_it_comes_and_at_no_other_hour() -> None:
    def highest(hour: float) -> float:
        """Above the load of 20, in the six minutes before that hour of the third day."""
        watcher = Watcher(stepped, now=MIDNIGHT + hour * HOUR - 400.0, days=2.0 + hour / 24.0 - 0.005, lead=120.0)
        score = floats(1.28)
        return max(float(watcher.look().at(Target.AHEAD, score).value[0]) for _ in range(20))

    assert highest(9.0) >= 100.0
    assert highest(4.0) <= 30.0


def test_a_daily_wave_is_foreseen_to_rise() -> None:
    rising, falling = (
        Watcher(SHAPES["daily"], now=MIDNIGHT + hour * HOUR, days=2.0 + hour / 24.0, lead=900.0).watch(24)
        for hour in (6.0, 18.0)
    )
    at = int(np.searchsorted(LEVELS, 0.9))
    assert rising.demand_rps[0, Target.AHEAD, at] > falling.demand_rps[0, Target.AHEAD, at]
    assert rising.demand_rps[0, Target.AHEAD, at] >= SHAPES["daily"](floats(MIDNIGHT + 6.0 * HOUR + 900.0))[0]


def test_the_same_look_twice_is_the_same_and_changes_nothing() -> None:
    first, second = (Watcher(*SHAPES.values(), days=1.1) for _ in range(2))
    before = first.sight
    assert same(first.look(), second.look())
    assert same(before, Watcher(*SHAPES.values(), days=1.1).sight)
    assert same(first.sight, second.sight)
    first.now -= TICK
    first.sight = before
    assert same(first.look(), second.look(seconds=0.0)), "a tick repeated"


@rarely
@given(st.permutations(range(len(NAMES))), st.integers(1, len(NAMES)))
def test_no_service_looks_at_another(order: list[int], count: int) -> None:
    whole, some = Watcher(*SHAPES.values(), days=1.1), ints(*order[:count])
    part = Watcher(*(SHAPES[NAMES[row]] for row in some), days=1.1)
    of_whole, of_part = whole.look(), part.look()
    assert same(of_whole.demand_rps[some], of_part.demand_rps)
    assert same(of_whole.trust[some], of_part.trust)


@cache
def grown() -> Watcher:
    watcher = Watcher(*SHAPES.values(), days=0.1)
    watcher.watch(24)
    return watcher


@rarely
@given(st.integers(0, len(NAMES)), st.booleans())
def test_rows_cut_out_and_put_together_foresee_the_same(cut: int, new: bool) -> None:
    watcher = grown()
    memory = replace(Memory.fresh(len(NAMES)), sight=watcher.sight)
    every = np.arange(len(NAMES))
    again = Memory.concatenate([memory.take(every[:cut]), memory.take(every[cut:])])
    if new:  # a service that comes changes nothing for those that are there
        again = again.take(np.append(every, -1)).take(every)
    assert same(again.sight.calibration, watcher.sight.calibration)
    assert same(again.sight.history.recent, watcher.sight.history.recent)
    looked = [
        look(
            sight,
            shipped(),
            Readings.of([5.0] * len(NAMES)),
            Outlook(
                lead_seconds=np.full(len(NAMES), LEAD),
                floor_rps=np.ones(len(NAMES)),
                step_seconds=TICK,
                season_seconds=np.full(len(NAMES), np.nan),
            ),
            now_seconds=watcher.now + TICK,
        )[1]
        for sight in (watcher.sight, again.sight)
    ]
    assert same(*looked)


def test_without_services_nothing_is_foreseen() -> None:
    sight, foresight = look(
        Sight.fresh(0),
        shipped(),
        Readings.unknown(0),
        Outlook(lead_seconds=floats(), step_seconds=TICK, floor_rps=floats(), season_seconds=floats()),
        now_seconds=MIDNIGHT,
    )
    assert len(sight) == len(foresight.trust) == 0


@seldom
@given(st.lists(any_float.filter(lambda value: not np.isnan(value)), min_size=1, max_size=5), st.floats(1.0, 300.0))
def test_windows_begin_after_now_and_last(lead: list[float], step: float) -> None:
    start, width = windows(floats(*lead), step_seconds=step)
    assert np.isfinite(start).all()
    assert np.isfinite(width).all()
    assert (start > 0.0).all()
    assert (width > 0.0).all()


def lognormal(median: float, spread: float) -> Foresight:
    table = np.tile(median * np.exp(spread * normal_score(LEVELS)), (1, len(Target), 1))
    return Foresight(levels=LEVELS, demand_rps=table, trust=ints(Trust.GOOD))


@seldom
@given(st.floats(0.1, 1e6), st.floats(0.0, 1.0), st.floats(-2.0, 4.0), st.floats(-2.0, 4.0))
def test_a_higher_score_is_a_higher_demand(median: float, spread: float, one: float, other: float) -> None:
    foresight = lognormal(median, spread)
    low, high = (foresight.at(Target.AHEAD, floats(score)).value[0] for score in sorted((one, other)))
    assert low <= high


@pytest.mark.parametrize("place", range(len(LEVELS)))
def test_at_a_level_of_the_model_it_is_that_quantile(place: int) -> None:
    foresight = lognormal(10.0, 0.5)
    score = normal_score(LEVELS[[place]])
    assert foresight.at(Target.AHEAD, score).value[0] == pytest.approx(foresight.demand_rps[0, 0, place])


@seldom
@given(st.floats(0.1, 1e6), st.floats(0.0, 0.4))
def test_the_mean_of_a_cost_is_taken_over_the_quantiles(median: float, spread: float) -> None:
    foresight = lognormal(median, spread)

    def mean(cost: float) -> Floats:
        return foresight.expected(Target.AHEAD, lambda demand: np.full(demand.shape, cost))

    assert mean(3.0)[0] == pytest.approx(3.0)
    found = foresight.expected(Target.AHEAD, lambda demand: demand)[0]
    assert found == pytest.approx(median * np.exp(spread**2 / 2.0), rel=0.1)


def test_the_points_are_the_demand_at_their_probabilities() -> None:
    """A lognormal demand, to below the median, where there is no level; nothing where nothing is trusted."""
    foresight = lognormal(10.0, 0.2)
    exact = 10.0 * np.exp(0.2 * normal_score(POINTS))
    assert foresight.points(Target.AHEAD)[0] == pytest.approx(exact, rel=0.1)
    assert (replace(foresight, trust=ints(Trust.GAPS)).points(Target.AHEAD) == 0.0).all()


@pytest.mark.parametrize(("wild", "least"), [(np.nan, 0.0), (np.inf, 1.0), (-np.inf, 0.0), (1e308, 1.0), (-1.0, 0.0)])
def test_points_are_finite_whatever_is_foreseen(wild: float, least: float) -> None:
    foresight = lognormal(10.0, 0.2)
    points = replace(foresight, demand_rps=np.full_like(foresight.demand_rps, wild)).points(Target.AHEAD)
    assert np.isfinite(points).all()
    assert (points >= least).all()


@pytest.mark.parametrize(("days_ago", "anew"), [(0, True), (5, True), (9, False)])
def test_days_are_looked_at_anew_where_a_late_past_tells_of_them(days_ago: int, anew: bool) -> None:
    watcher = Watcher(SHAPES["constant"], SHAPES["daily"])
    watcher.watch(2)
    known = np.array([[True] * 30, [False] * 30])
    late = Past(
        demand=Readings(value=np.where(known, 70.0, 0.0), known=known),
        step_seconds=60.0,
        end_seconds=MIDNIGHT - days_ago * DAY,
    )
    filled = watcher.sight.backfilled(late)
    expected = watcher.sight.slow.slot.copy()
    expected[:1] = -1 if anew else expected[:1]
    np.testing.assert_array_equal(filled.slow.slot, expected)
    assert same(filled.history, watcher.sight.history.backfilled(late))
    assert same(filled.calibration, watcher.sight.calibration)


def test_a_past_that_came_late_is_as_good_as_one_that_came_first() -> None:
    """What whole days tell, after the next look."""
    load = SHAPES["daily"]
    early, late = Watcher(load, days=2.0), Watcher(load)
    early.watch(4)
    late.watch(4)
    late.sight = late.sight.backfilled(past([load], until=MIDNIGHT, days=2.0))
    found = [watcher.look().demand_rps for watcher in (early, late)]
    for name in ("mean_day", "max_day", "max_week", "idle_day"):
        one, other = getattr(early.sight.slow, name), getattr(late.sight.slow, name)
        np.testing.assert_allclose(other, one, rtol=0.02)
    np.testing.assert_allclose(found[1], found[0], rtol=0.25)
