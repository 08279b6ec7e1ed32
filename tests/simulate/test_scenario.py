"""What a scenario may be, and the sentence about what it may not; distributions have the mean that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulate.scenario import Conditions, Duration, Nodes, Outage
from foretide.simulate.state import COLD_START, STARTS, build
from foretide.simulate.streams import drawn
from tests.simulate.worlds import lane


@pytest.mark.parametrize(
    ("make", "field", "value", "sentence"),
    [
        (Conditions, "scrape_seconds", 0.0, "must be from 0.1 to inf, not 0"),
        (Conditions, "lost_scrapes", 1.5, "must be from 0 to 1, not 1.5"),
        (Conditions, "lost_scrapes", math.nan, "must be from 0 to 1, not nan"),
        (Conditions, "pre_stop_seconds", -1.0, "must be from 0 to 86400, not -1"),
        (Conditions, "grace_seconds", math.inf, "must be from 0 to 86400, not inf"),
        (Conditions, "endpoints_seconds", -0.5, "must be from 0 to 86400, not -0.5"),
        (Conditions, "crashes_per_hour", 1e9, "must be from 0 to 3600, not 1e+09"),
        (Nodes, "warm_pods", -1.0, "must be from 0 to inf, not -1"),
        (Nodes, "warm_pods", math.nan, "must be from 0 to inf, not nan"),
        (Nodes, "linger_seconds", -1.0, "must be from 0 to inf, not -1"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_its_name_and_the_range(
    make: Callable[..., object], field: str, value: float, sentence: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field} {sentence}$".replace("+", r"\+")):
        make(**{field: value})


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (-1.0, 5.0, "start_seconds must be from 0 to inf, not -1"),
        (5.0, 5.0, "end_seconds must be above start_seconds, 5, not 5"),
        (5.0, math.nan, "end_seconds must be above start_seconds, 5, not nan"),
    ],
)
def test_an_outage_ends_after_it_begins(start: float, end: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        Outage(start_seconds=start, end_seconds=end)


@given(st.floats(0.001, 1_000.0), st.floats(0.0, 3.0))
def test_a_lognormal_time_has_its_mean_exactly(mean_seconds: float, cv: float) -> None:
    mean_seconds = round(mean_seconds, 6)
    assert Duration.lognormal(mean_seconds, cv).mean_seconds == mean_seconds


@pytest.mark.parametrize("cv", [0.2, 1.0, 3.0, 10.0])
def test_what_is_drawn_has_the_mean_that_was_promised(cv: float) -> None:
    """Of a hundred thousand draws, within four standard errors."""
    state = build([lane(cold_start=Duration.lognormal(120.0, cv))], Conditions(), counted_from_seconds=0.0)
    times = np.array([drawn(state.durations[0, COLD_START], state.lanes[0], STARTS) for _ in range(100_000)])
    assert times.mean() == pytest.approx(120.0, abs=4.0 * times.std() / math.sqrt(len(times)))


def test_a_lognormal_time_is_as_spread_as_asked_but_for_its_tails() -> None:
    quantiles = np.array(Duration.lognormal(100.0, 0.3).quantiles_seconds)
    sigma = math.sqrt(math.log1p(0.09))
    assert quantiles[84] / quantiles[50] == pytest.approx(math.exp(sigma * 0.9945), rel=1e-3)
    assert Duration.lognormal(0.0, 0.3).quantiles_seconds == (0.0,) * 101


def test_measured_times_can_be_given_another_mean() -> None:
    measured = Duration.empirical([20.0, 40.0, 90.0])
    scaled = measured.scaled_to(100.0)
    assert scaled.mean_seconds == 100.0
    assert np.ptp(np.array(scaled.quantiles_seconds) / np.array(measured.quantiles_seconds)) < 1e-12
    with pytest.raises(ValueError, match="a time of 0 s cannot be scaled to a mean of 5 s"):
        Duration.constant(0.0).scaled_to(5.0)
