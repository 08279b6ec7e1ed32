import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.window import Window, advance
from tests.scaling.build import NOW, SETTINGS, bools, floats, ints
from tests.scaling.strategies import often

TICK = SETTINGS.tick_seconds
HOLD = SETTINGS.scale_down_hold_seconds


def after(
    window: Window,
    need: int,
    *,
    now: float,
    replicas: int = 0,
    known: bool = True,
    anew: bool = False,
    hold: float = HOLD,
) -> Window:
    return advance(
        window,
        ints(need),
        known=bools(known),
        anew=bools(anew),
        replicas=ints(replicas),
        now_seconds=now,
        hold_seconds=floats(hold),
        settings=SETTINGS,
    )


def started(peak: int = 5, now: float = NOW) -> Window:
    return after(Window.fresh(1), peak, now=now)


def test_a_service_seen_for_the_first_time_needs_what_it_has() -> None:
    assert after(Window.fresh(1), 2, now=NOW, replicas=7).highest[0] == 7
    assert after(Window.fresh(1), 9, now=NOW, replicas=7).highest[0] == 9


@pytest.mark.parametrize("hold", [60.0, 300.0, 1000.0])
def test_a_need_is_remembered_for_the_hold_and_at_most_a_sixth_longer(hold: float) -> None:
    for offset in np.linspace(0.0, hold / 7, 5):
        window, now = after(Window.fresh(1), 5, now=NOW + offset, hold=hold), NOW + offset
        while window.highest[0] == 5:
            now += TICK
            window = after(window, 1, now=now, hold=hold)
        kept = now - NOW - offset
        assert hold <= kept <= hold * 8 / 7 + TICK


def test_unknown_need_leaves_the_window_as_it_is() -> None:
    window = started()
    same = after(window, 0, now=NOW + TICK, known=False)
    assert same.last_seen_seconds[0] == NOW
    assert (same.peaks == window.peaks).all()


@pytest.mark.parametrize("gap", [38.0, 600.0, 1e7])
def test_after_a_gap_the_hold_starts_anew_with_the_present_replicas(gap: float) -> None:
    assert after(started(9), 1, now=NOW + gap, replicas=4).highest[0] == 4


@pytest.mark.parametrize("missed", [0, 1])
def test_one_missed_tick_is_no_gap(missed: int) -> None:
    assert after(started(9), 1, now=NOW + TICK * (missed + 1) + 0.4, replicas=4).highest[0] == 9


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -16.0])
def test_a_clock_that_jumps_starts_the_hold_anew(jump: float) -> None:
    assert after(started(2), 1, now=NOW + jump, replicas=6).highest[0] == 6


def test_a_clock_set_back_by_less_than_a_tick_changes_nothing() -> None:
    window = after(started(9), 1, now=NOW - 5.0, replicas=4)
    assert window.highest[0] == 9
    assert window.last_seen_seconds[0] == NOW


def test_another_length_of_the_hold_starts_it_anew() -> None:
    assert after(started(2), 1, now=NOW + TICK, replicas=6, hold=HOLD * 2).highest[0] == 6


def test_it_starts_anew_on_demand() -> None:
    assert after(started(2), 1, now=NOW + TICK, replicas=6, anew=True).highest[0] == 6


@pytest.mark.parametrize("slot", [-(2**62), 0, 2**62])
def test_a_slot_from_nowhere_breaks_nothing(slot: int) -> None:
    window = after(replace(started(3), slot=ints(slot)), 1, now=NOW + TICK)
    assert window.highest[0] in (1, 3)


@often
@given(st.lists(st.tuples(st.integers(0, 50), st.floats(1.0, 37.0)), min_size=1, max_size=60))
def test_it_never_forgets_within_the_hold_nor_remembers_what_never_was(ticks: list[tuple[int, float]]) -> None:
    window, now, history = Window.fresh(1), NOW, []
    for need, pause in ticks:
        now += pause
        history.append((now, need))
        window = after(window, need, now=now)
        recent = [need for when, need in history if now - when <= HOLD]
        assert max(recent) <= window.highest[0] <= max(need for _, need in history)


@pytest.mark.parametrize("now", [math.nan, math.inf])
def test_a_clock_without_time_is_refused(now: float) -> None:
    with pytest.raises(ValueError, match="now_seconds must be finite"):
        started(now=now)
