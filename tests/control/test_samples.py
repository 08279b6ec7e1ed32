"""The queries of a policy, answered from the readings of one pod as Prometheus would answer them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.control.samples import LEAST_SECONDS, Sample, answer
from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate import scrapes

NOW = 1_763_800_000.0
SUCCESS = Quantity.SUCCESS


def samples(*points: tuple[float, float]) -> list[Sample]:
    """Seconds before now and the value, oldest first."""
    return [Sample(NOW - ago, {SUCCESS: value}) for ago, value in points]


def ask(over: Over, *points: tuple[float, float], window: float = 30.0) -> float | None:
    return answer(Query(SUCCESS, over, window), samples(*points))


@pytest.mark.parametrize(
    ("over", "points", "expected"),
    [
        (Over.NEWEST, [(15.0, 4.0), (2.0, 9.0)], 9.0),
        (Over.AGE, [(15.0, 4.0), (2.0, 9.0)], 0.0),
        (Over.RATE, [(30.0, 100.0), (15.0, 130.0), (0.0, 190.0)], 3.0),
        (Over.RATE, [(45.0, 0.0), (30.0, 100.0), (15.0, 130.0), (0.0, 190.0)], 3.0),  # 45 s ago is before the window
        (Over.RATE, [(32.0, 100.0), (15.0, 130.0), (0.0, 196.0)], 3.0),  # a tick may be a little late
        (Over.RATE, [(15.0, 5.0), (0.0, 5.0)], 0.0),
        (Over.RATE, [(30.0, 100.0), (15.0, 130.0), (0.0, 30.0)], 2.0),  # 30, then a restart, then 30
        (Over.DERIV, [(30.0, 0.0), (15.0, 30.0), (0.0, 60.0)], 2.0),
        (Over.DERIV, [(15.0, 60.0), (0.0, 0.0)], -4.0),
        (Over.AVERAGE, [(15.0, 4.0), (0.0, 8.0)], 6.0),
        (Over.MAXIMUM, [(30.0, 9.0), (15.0, 4.0), (0.0, 8.0)], 9.0),
    ],
)
def test_answers_are_these(over: Over, points: list[tuple[float, float]], expected: float) -> None:
    assert ask(over, *points) == pytest.approx(expected)


def test_a_window_that_is_shorter_than_a_tick_holds_the_newest_two() -> None:
    assert ask(Over.RATE, (30.0, 0.0), (15.0, 90.0), (0.0, 120.0), window=5.0) == 2.0


def test_a_window_ends_with_the_newest_sample() -> None:
    """A tick ends some seconds after the pods were read, where Prometheus takes its time to fail."""
    assert ask(Over.RATE, (38.0, 0.0), (23.0, 30.0), (8.0, 90.0)) == 3.0


@pytest.mark.parametrize("over", [Over.RATE, Over.DERIV])
def test_one_sample_is_no_rate(over: Over) -> None:
    assert ask(over, (0.0, 5.0)) is None
    assert ask(over) is None


@pytest.mark.parametrize("over", [Over.RATE, Over.DERIV])
def test_less_than_a_second_is_no_rate(over: Over) -> None:
    assert ask(over, (LEAST_SECONDS - 0.01, 5.0), (0.0, 6.0)) is None
    assert ask(over, (LEAST_SECONDS, 5.0), (0.0, 6.0)) == pytest.approx(1.0)


@pytest.mark.parametrize("over", Over)
def test_what_the_newest_sample_does_not_tell_is_unknown(over: Over) -> None:
    told = [*samples((30.0, 1.0), (15.0, 2.0)), Sample(NOW, {Quantity.PENDING: 0.0})]
    assert answer(Query(SUCCESS, over, 30.0), told) is None
    assert answer(Query(Quantity.ARRIVED, over, 30.0), told) is None


def test_a_sample_without_the_quantity_is_passed_over() -> None:
    told = samples((30.0, 0.0), (0.0, 60.0))
    told.insert(1, Sample(NOW - 15.0, {}))
    assert answer(Query(SUCCESS, Over.RATE, 30.0), told) == 2.0


steps = st.lists(st.floats(-50, 100), min_size=1, max_size=12)


@given(st.floats(1.1, 20.0), st.floats(0, 1e6), steps)
def test_a_slope_is_the_one_that_the_simulator_computes_as_prometheus_does(
    interval: float, first: float, changes: list[float]
) -> None:
    """The simulator's formulas are compared with a real Prometheus, here uncompiled."""
    values = np.array(list(itertools.accumulate(changes, initial=first)))
    times = interval * np.arange(len(values))
    expected = scrapes._slope.py_func(times, values, len(times))  # type: ignore[attr-defined]
    points = zip((times[-1] - times).tolist(), values.tolist(), strict=True)
    assert ask(Over.DERIV, *points, window=float(times[-1])) == pytest.approx(expected, rel=1e-6, abs=1e-6)


# Counters count: a growth of 5e-324 overflows what divides by it.
growths = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e4)), min_size=1, max_size=12)


@given(st.floats(1.1, 20.0), st.floats(0, 1e6), growths, st.booleans())
def test_a_rate_is_the_one_that_the_simulator_computes_where_samples_fill_the_window(
    interval: float, first: float, changes: list[float], restarted: bool
) -> None:
    values = np.array(list(itertools.accumulate(changes, initial=first)))
    if restarted:
        values[-1] = changes[-1]
    times = interval * np.arange(len(values))
    end = float(times[-1])
    expected = scrapes._rate.py_func(times, values, len(times), 0.0, end)  # type: ignore[attr-defined]
    points = zip((end - times).tolist(), values.tolist(), strict=True)
    assert ask(Over.RATE, *points, window=end) == pytest.approx(expected, rel=1e-6, abs=1e-6)
