from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.brain import SAMPLE_AGE
from foretide.scaling.lag import made_up, told_share
from foretide.scaling.observation import Gap
from foretide.scaling.policy import Observation, Over, Query
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings
from foretide.simulate import scrapes
from tests.scaling.build import SETTINGS, floats
from tests.scaling.test_brain_in_time import BRAIN, Services


def told(age: float, *, window: float = 30.0, interval: float = 5.0) -> float:
    return float(told_share(floats(age), window_seconds=window, interval_seconds=interval)[0])


@given(st.floats(1.0, 60.0), st.floats(0.0, 3.99), st.floats(10.0, 1000.0))
def test_it_is_what_prometheus_leaves_out_of_a_steady_rate(interval: float, late: float, rate: float) -> None:
    """The simulator's `rate()` is compared with that of a real Prometheus. Up to the age that is stale."""
    window = ScalingSettings(scrape_interval_seconds=interval).rate_window_seconds
    age = late * interval
    times = np.arange(age, window, interval)[::-1] * -1.0  # a window is open at its start
    counter = 1e9 + rate * times
    found = scrapes._rate.py_func(times, counter, len(times), -window, 0.0)  # type: ignore[attr-defined]
    assert found / told(age, window=window, interval=interval) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(("age", "share"), [(20.0, 0.4167), (10.0, 0.75), (5.5, 1.0), (0.0, 1.0), (-3.0, 1.0)])
def test_of_a_window_of_six_scrapes(age: float, share: float) -> None:
    assert told(age) == pytest.approx(share, abs=1e-4)


@given(st.floats(-1e9, 1e9) | st.just(float("nan")) | st.just(float("inf")), st.floats(1.0, 300.0))
def test_no_age_makes_a_load_larger_than_a_window_of_one_interval_would(age: float, interval: float) -> None:
    window = 3.0 * interval
    assert 0.5 - 1e-9 <= told(age, window=window, interval=interval) <= 1.0


def late(seen: Observation, age: float, *, known: bool = True) -> Observation:
    """What Prometheus tells of the same load when the newest samples are that old."""
    interval = SETTINGS.scrape_interval_seconds

    def of(query: Query, answer: Readings) -> Readings:
        if query == SAMPLE_AGE:
            return Readings(value=np.full(len(answer), age), known=np.full(len(answer), known))
        if query.over is not Over.RATE:
            return answer
        share = told_share(floats(age), window_seconds=query.window_seconds, interval_seconds=interval)
        return replace(answer, value=answer.value * share)

    return replace(seen, answers={query: of(query, answer) for query, answer in seen.answers.items()})


def steady(replicas: int = 4) -> Services:
    return Services(lambda times: np.full(len(times), 100.0), replicas=replicas)


@given(st.floats(0.0, SETTINGS.stale_after_seconds))
def test_a_late_sample_makes_no_load_smaller(age: float) -> None:
    services = steady()
    fresh = BRAIN.decide(services.observed(), services.memory)
    lagging = BRAIN.decide(late(services.observed(), age), services.memory)
    assert fresh.seen.demand.value[0] == pytest.approx(100.0)
    assert lagging.seen.demand.known[0]
    assert lagging.seen.demand.value[0] == pytest.approx(100.0)
    assert lagging.desired[0] == fresh.desired[0]


@pytest.mark.parametrize("age", [SETTINGS.stale_after_seconds + 0.1, 29.0])
def test_what_is_later_than_two_scrapes_of_a_window_is_not_known(age: float) -> None:
    services = steady()
    made = BRAIN.decide(late(services.observed(), age), services.memory)
    assert not made.seen.demand.known[0]
    assert made.seen.gap[0] == Gap.STALE_SERIES
    assert made.desired[0] >= 4


def test_ages_that_are_not_known_change_nothing() -> None:
    seen = late(steady().observed(), 15.0, known=False)
    assert made_up(seen, SAMPLE_AGE, SETTINGS) is seen
