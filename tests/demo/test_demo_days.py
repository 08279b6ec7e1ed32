"""Two days beside each other: the season that is told, and what each day's numbers are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.demo import days, example, season
from e2e.demo.days import Day
from e2e.demo.foreseen import Foreseen
from e2e.demo.watch import Look
from e2e.load import Outcome, Profile, read_profile
from e2e.load.result import Check, Result, Row, collect
from foretide.api import parse as api
from foretide.api.problems import Problems

LENGTH = 240
STARTED = 1_000.0
CAPACITY = 10.0
QUIET, BUSY, RAMP = 4, 14, 120


def two_days(*, late_on_day_one: int = 0, until: float = 2.0 * LENGTH) -> Result:
    """4 requests a second, and 14 from second 120 of each day on; the first ones after the first ramp are late."""
    rows = []
    for second in range(2 * LENGTH):
        rate = BUSY if second % LENGTH >= RAMP else QUIET
        for one in range(rate):
            at = second + one / rate
            late = RAMP <= second < RAMP + late_on_day_one
            rows.append(Row(at, at, 1.0 if late else 0.02, Outcome.OK, 200, Check.RIGHT))
    return collect([row for row in rows if row.planned_at < until], started_at=STARTED)


def looks(ready: Callable[[int], int], *, told: bool = True) -> list[Look]:
    """One every two seconds."""
    foreseen = Foreseen(0.0, 8.0, CAPACITY, None, None) if told else None
    return [Look(STARTED + at, ready(at), 1, "", {}, foreseen) for at in range(0, 2 * LENGTH, 2)]


def compared(ready: Callable[[int], int], *, told: bool = True, late: int = 0) -> tuple[Day, ...]:
    load = two_days(late_on_day_one=late)
    return days.days(load, looks(ready, told=told), season_seconds=LENGTH, slo_seconds=0.1)


def after_and_before(at: int) -> int:
    """A second replica 20 s after the first ramp, gone at night, and there 30 s before the second one."""
    return 2 if RAMP + 20 <= at < LENGTH + 40 or at >= LENGTH + RAMP - 30 else 1


def test_the_demos_trace_is_two_days_of_which_the_second_is_like_the_first() -> None:
    profile = read_profile(example.TRACE)
    assert season.is_two_days(profile)
    first, second = np.array(profile.rates_rps).reshape(2, -1)
    assert np.corrcoef(first, second)[0, 1] > 0.95
    assert 0.8 < first.max() / second.max() < 1.25
    assert second.min() < second.max() / 8


@given(st.floats(480.0, 3600.0))
def test_the_season_is_half_the_time_and_what_a_policy_takes(seconds: float) -> None:
    profile = read_profile(example.TRACE)
    found = season.of(profile, seconds)
    assert found == seconds / 2
    assert season.missing(profile, seconds) is None
    policy = example.policy(season_seconds=found)
    assert not isinstance(api.scaling_policy(policy), Problems)
    told = api.scaling_policy(policy)
    assert not isinstance(told, Problems)
    assert told.spec.forecast.season_seconds == pytest.approx(found, abs=0.5)


def test_without_two_days_or_time_for_them_no_season_is_told_and_a_sentence_says_why() -> None:
    hour = Profile(rates_rps=(1.0,) * 60, step_seconds=60.0)
    assert season.of(hour, 480.0) is None
    assert "not two days long" in str(season.missing(hour, 480.0))
    both = read_profile(example.TRACE)
    assert season.of(both, 479.0) is None
    assert "--seconds 480 or more" in str(season.missing(both, 479.0))
    assert "season" not in example.policy(season_seconds=None)["spec"]["forecast"]


def test_each_day_has_its_own_numbers() -> None:
    first, second = compared(after_and_before, late=20)
    late = 20 * BUSY / (QUIET * RAMP + BUSY * (LENGTH - RAMP))
    assert first.share_within_slo == pytest.approx(1.0 - late, abs=1e-4)
    assert second.share_within_slo == 1.0
    # The mean of five seconds is above 10 from the second before the ramp's first full one on.
    assert first.seconds_short == pytest.approx(20, abs=2)
    assert second.seconds_short == 0
    assert first.replica_seconds == 140 + 2 * 100
    assert second.replica_seconds == 2 * 40 + 50 + 2 * 150
    assert first.morning is not None
    assert second.morning is not None
    assert (first.morning.replica, second.morning.replica) == (2, 2)
    assert first.morning.needed_at_seconds == pytest.approx(RAMP, abs=2)
    assert first.morning.ready_ahead_seconds == pytest.approx(-20, abs=2)
    assert second.morning.ready_ahead_seconds == pytest.approx(30, abs=2)


def test_a_replica_that_never_came_is_said_and_one_that_only_stayed_is_not_counted() -> None:
    alone, _ = compared(lambda _: 1)
    assert alone.seconds_short == pytest.approx(LENGTH - RAMP, abs=2)
    assert alone.morning is not None
    assert alone.morning.words == "replica 2 needed and never ready"
    for day in compared(lambda _: 2):
        assert day.morning is None, "14 a second are fewer than two replicas can serve"


def test_after_a_night_with_two_replicas_the_third_is_what_counts() -> None:
    asked = np.array([4.0] * 100 + [14.0] * 50 + [24.0] * 50)
    ready = np.array([2] * 130 + [3] * 70)
    found = days.morning(asked, ready, CAPACITY)
    assert found == days.Morning(replica=3, needed_at_seconds=150.0, ready_ahead_seconds=20.0)


def test_what_the_operator_did_not_tell_is_not_known_and_no_zero() -> None:
    for day in compared(after_and_before, told=False):
        assert day.seconds_short is None
        assert day.morning is None
        assert day.replica_seconds > 0


def test_a_load_that_ended_early_is_no_two_days() -> None:
    seen = looks(after_and_before)
    assert days.days(two_days(until=400.0), seen, season_seconds=LENGTH, slo_seconds=0.1) == ()
    assert days.days(two_days(), [], season_seconds=LENGTH, slo_seconds=0.1) == ()


def test_the_last_line_compares_and_is_honest() -> None:
    first, second = compared(after_and_before, late=20)
    told = days.comparison((first, second))
    assert told.startswith("day 2, foreseen: 100.00% in time, replica 2 ready ")
    assert "before it was needed, 0 s short of replicas; day 1, as the load came: " in told
    assert told.endswith(f"s after it was needed, {first.seconds_short} s short of replicas")
    assert days.comparison((second, first)).endswith("Day 2 was not better this time.")
    assert days.comparison((second, second)).endswith("Day 2 was not better this time.")
    assert second.morning is not None
    for ahead in (-30.0, None):
        later = replace(second, morning=replace(second.morning, ready_ahead_seconds=ahead))
        assert days.comparison((first, later)).endswith("Day 2 was not better this time."), "in time, and yet later"
    assert not days.comparison((replace(first, share_within_slo=1.0), second)).endswith("this time.")


@given(st.lists(st.floats(0.0, 100.0), min_size=40, max_size=60), st.floats(1.0, 50.0), st.data())
def test_ready_ahead_has_the_sign_of_what_happened(asked: list[float], capacity: float, data: st.DataObject) -> None:
    rates = np.array(asked)
    ready = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(rates), max_size=len(rates))))
    found = days.morning(rates, ready, capacity)
    if found is None:
        return
    enough, needed = ready >= found.replica, int(found.needed_at_seconds)
    assert rates[needed] > (found.replica - 1) * capacity
    if found.ready_ahead_seconds is None:
        assert not enough[needed:].any()
    elif (ahead := int(found.ready_ahead_seconds)) < 0:
        assert not enough[needed : needed - ahead].any()
        assert enough[needed - ahead]
    else:
        assert enough[needed - ahead : needed + 1].all()
