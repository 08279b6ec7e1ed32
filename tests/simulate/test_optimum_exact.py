"""The zero-violation optimum against schedules that were found in other ways."""

from __future__ import annotations

from functools import cache
from itertools import combinations, combinations_with_replacement, groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.simulate.optimum import zero_violation
from foretide.simulate.optimum.exact import maximum_ahead
from tests.scaling.build import floats, ints

loads = st.lists(st.integers(0, 6), min_size=1, max_size=40)
cold_starts = st.integers(0, 45).map(lambda tenths: tenths / 10)


def cost(needed: list[int], *, cold: float, step: float = 1.0) -> float:
    return zero_violation(ints(*needed), step_seconds=step, cold_start_seconds=cold).replica_seconds


def cost_by_levels(needed: list[int], *, cold: float, step: float) -> float:
    """The rule as facts state it: per level, merge the gaps that are not longer than the cold start."""
    paid = 0.0
    for level in range(1, max(needed) + 1):
        spans: list[tuple[float, float]] = []
        for busy, run in groupby(enumerate(needed), lambda at: at[1] >= level):  # noqa: B023
            steps = [t for t, _ in run]
            begin, end = steps[0] * step, (steps[-1] + 1) * step
            if busy and spans and begin - spans[-1][1] <= cold + 1e-9:
                spans[-1] = (spans[-1][0], end)
            elif busy:
                spans.append((begin, end))
        # The first start may begin before the window, where nothing is counted.
        paid += sum(end - begin + min(cold, begin) for begin, end in spans)
    return paid


def cost_by_search(needed: list[int], *, cold: int) -> float:
    """The least of all schedules: in each step any number is created and any replicas leave, whatever their age."""
    most = max(needed)

    @cache
    def least(step: int, ages: tuple[int, ...]) -> float:
        if sum(age == cold for age in ages) < needed[step]:
            return np.inf
        if step == len(needed) - 1:
            return len(ages)
        kept = {
            tuple(min(age + 1, cold) for age in some) for n in range(len(ages) + 1) for some in combinations(ages, n)
        }
        after = (least(step + 1, (0,) * new + some) for some in kept for new in range(most - len(some) + 1))
        return len(ages) + min(after)

    return min(least(0, ages) for n in range(most + 1) for ages in combinations_with_replacement(range(cold + 1), n))


def test_a_replica_pays_its_cold_start_before_it_serves() -> None:
    assert cost([0, 0, 0, 0, 2], cold=3.0) == 2 * (1 + 3)


def test_a_gap_not_longer_than_the_cold_start_is_idled_through() -> None:
    found = zero_violation(ints(0, 1, 0, 0, 1, 0), step_seconds=1.0, cold_start_seconds=2.0)
    assert found.serving.tolist() == [1, 1, 1, 1, 1, 0]
    assert found.replica_seconds == 5.0


def test_over_a_longer_gap_the_replica_leaves_and_another_one_starts() -> None:
    found = zero_violation(ints(1, 0, 0, 0, 1), step_seconds=1.0, cold_start_seconds=2.0)
    assert found.serving.tolist() == [1, 0, 0, 0, 1]
    assert found.starting.tolist() == [0.0, 0.0, 1.0, 1.0, 0.0]


def test_a_start_need_not_begin_with_a_step() -> None:
    found = zero_violation(ints(0, 0, 0, 4), step_seconds=60.0, cold_start_seconds=90.0)
    assert found.starting.tolist() == [0.0, 2.0, 4.0, 0.0]
    assert found.replica_seconds == 4 * (60 + 90)


def test_what_is_there_when_the_window_begins_costs_no_start() -> None:
    found = zero_violation(ints(5, 5, 3), step_seconds=10.0, cold_start_seconds=600.0)
    assert found.replica_seconds == (5 + 5 + 3) * 10
    assert found.present == 5


def test_a_start_before_the_window_counts_only_inside_it() -> None:
    found = zero_violation(ints(0, 0, 7), step_seconds=1.0, cold_start_seconds=100.0)
    assert found.replica_seconds == 7 * (2 + 1)
    assert found.present == 7


def test_a_day_without_load_costs_nothing() -> None:
    assert cost([0] * 24, cold=300.0) == 0.0


def test_a_cold_start_of_whole_steps_survives_floating_point() -> None:
    """0.3 / 0.1 is 2.9999999999999996."""
    assert cost([0, 0, 0, 0, 1], cold=0.3, step=0.1) == pytest.approx(0.4, rel=1e-12)
    assert zero_violation(ints(1, 0, 0, 0, 1), step_seconds=0.1, cold_start_seconds=0.3).serving.tolist() == [1] * 5


@pytest.mark.parametrize(
    ("needed", "step", "cold", "word"),
    [
        ([], 1.0, 1.0, "needed"),
        ([1, -1], 1.0, 1.0, "needed"),
        ([1], 0.0, 1.0, "step_seconds"),
        ([1], float("nan"), 1.0, "step_seconds"),
        ([1], 1.0, -1.0, "cold_start_seconds"),
        ([1], 1.0, float("inf"), "cold_start_seconds"),
    ],
)
def test_nonsense_is_refused_by_name(needed: list[int], step: float, cold: float, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        zero_violation(ints(*needed), step_seconds=step, cold_start_seconds=cold)


@given(loads, st.integers(0, 60))
def test_the_maximum_ahead_is_the_maximum_ahead(values: list[int], steps: int) -> None:
    expected = [max(values[t : t + steps + 1]) for t in range(len(values))]
    assert maximum_ahead(ints(*values), steps=steps).tolist() == expected


@given(loads, cold_starts, st.sampled_from([0.5, 1.0, 2.0, 15.0]))
def test_it_is_the_rule_of_merged_gaps(needed: list[int], cold: float, step: float) -> None:
    assert cost(needed, cold=cold, step=step) == pytest.approx(cost_by_levels(needed, cold=cold, step=step))


@settings(max_examples=20)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(0, 3))
def test_it_is_the_least_of_all_schedules(needed: list[int], cold: int) -> None:
    assert cost(needed, cold=float(cold)) == pytest.approx(cost_by_search(needed, cold=cold))


@given(loads, cold_starts)
def test_its_schedule_serves_and_costs_what_it_says(needed: list[int], cold: float) -> None:
    found = zero_violation(ints(*needed), step_seconds=1.0, cold_start_seconds=cold)
    assert np.all(found.serving >= needed)
    assert np.all(found.starting >= -1e-12)
    starts = np.maximum(np.diff(found.serving), 0).sum()
    assert found.starting.sum() == pytest.approx(cold * starts)


@given(loads, cold_starts, cold_starts)
def test_a_longer_cold_start_is_never_cheaper(needed: list[int], one: float, other: float) -> None:
    assert cost(needed, cold=min(one, other)) <= cost(needed, cold=max(one, other)) + 1e-9


@given(loads, loads, cold_starts)
def test_to_need_more_is_never_cheaper(needed: list[int], more: list[int], cold: float) -> None:
    higher = [a + b for a, b in zip(needed, more + [0] * len(needed), strict=False)]
    assert cost(needed, cold=cold) <= cost(higher, cold=cold) + 1e-9


moments = st.floats(-20.0, 20.0)


@given(st.lists(st.tuples(moments, st.floats(0.0, 20.0)), min_size=1, max_size=12), st.floats(0.0, 8.0))
def test_no_schedule_that_serves_what_is_needed_beats_it(pods: list[tuple[float, float]], cold: float) -> None:
    """Pods come and go at any moment; what they serve through each whole step is taken for what was needed."""
    created = floats(*(begin for begin, _ in pods))
    gone = floats(*(begin + life for begin, life in pods))
    steps = np.arange(15)
    # Those that are there when the window begins may have been started in any way, or may serve from then on.
    ready = np.where(created < 0.0, 0.0, created + cold)
    through = (ready <= steps[:, None]) & (gone >= steps[:, None] + 1)
    paid = (np.clip(gone, 0.0, 15.0) - np.clip(created, 0.0, 15.0)).sum()
    assert cost(through.sum(axis=1).tolist(), cold=cold) <= paid + 1e-9
