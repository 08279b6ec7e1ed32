import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from foretide.scaling.lag import SAMPLE_AGE, corrected, covered_share
from foretide.scaling.learned import Learned
from foretide.scaling.observation import Gap
from foretide.scaling.policy import Observation, Over, Query
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings
from foretide.simulate import scrapes
from tests.scaling.build import SETTINGS, floats
from tests.scaling.test_brain_in_time import BRAIN, Services


def told(age: float, *, window: float = 30.0, interval: float = 5.0) -> float:
    return float(covered_share(floats(age), window_seconds=window, interval_seconds=interval)[0])


def share_of(age: float, *, window: float, interval: float) -> float:
    """What Prometheus tells of a rate of 1: the simulator's `rate()` is compared with that of a real one."""
    times = np.arange(age, window, interval)[::-1] * -1.0  # a window is open at its start
    if len(times) < 2:
        return math.nan
    return float(scrapes._rate.py_func(times, 1e6 + times, len(times), -window, 0.0))  # type: ignore[attr-defined]


@given(st.floats(1.0, 60.0), st.floats(0.0, 4.0))
def test_it_is_what_prometheus_tells_of_a_steady_rate(interval: float, late: float) -> None:
    """Up to the age from which on a sample is stale, in both windows."""
    assume(abs(late - 1.1) > 1e-6)  # which side it is on is a matter of rounding
    settings = ScalingSettings(scrape_interval_seconds=interval)
    for window in (settings.rate_window_seconds, settings.short_window_seconds):
        found = share_of(late * interval, window=window, interval=interval)
        if math.isfinite(found):
            assert told(late * interval, window=window, interval=interval) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize(
    ("age", "share"), [(20.0, 0.4167), (10.0, 0.75), (5.6, 0.8967), (5.4, 1.0), (0.0, 1.0), (-3.0, 1.0)]
)
def test_of_a_window_of_six_scrapes(age: float, share: float) -> None:
    assert told(age) == pytest.approx(share, abs=1e-4)


@given(st.floats(-1e9, 1e9) | st.just(float("nan")) | st.just(float("inf")), st.floats(1.0, 300.0))
def test_no_age_makes_a_rate_of_three_scrapes_more_than_twice_as_large(age: float, interval: float) -> None:
    window = 3.0 * interval
    assert 0.5 - 1e-9 <= told(age, window=window, interval=interval) <= 1.0


def late(seen: Observation, age: float, *, known: bool = True) -> Observation:
    """What Prometheus tells of the same load when the newest samples are that old."""

    def of(query: Query, answer: Readings) -> Readings:
        if query == SAMPLE_AGE:
            return Readings(value=np.full(len(answer), age), known=np.full(len(answer), known))
        if query.over is not Over.RATE:
            return answer
        share = share_of(age, window=query.window_seconds, interval=SETTINGS.scrape_interval_seconds)
        found = answer.known & math.isfinite(share)
        return Readings(value=np.where(found, answer.value * share, 0.0), known=found)

    return replace(seen, answers={query: of(query, answer) for query, answer in seen.answers.items()})


def steady(replicas: int = 4) -> Services:
    return Services(lambda times: np.full(len(times), 100.0), replicas=replicas)


@given(st.floats(0.0, SETTINGS.stale_after_seconds - 0.01).filter(lambda age: abs(age - 5.5) > 1e-6))
def test_a_late_sample_makes_no_load_smaller(age: float) -> None:
    services = steady()
    fresh = BRAIN.decide(services.observed(), services.memory)
    lagging = BRAIN.decide(late(services.observed(), age), services.memory)
    assert fresh.seen.demand.value[0] == pytest.approx(100.0)
    assert lagging.seen.demand.known[0]
    assert lagging.seen.demand.value[0] == pytest.approx(100.0)
    assert lagging.desired[0] == fresh.desired[0]


@pytest.mark.parametrize("age", [SETTINGS.stale_after_seconds + 0.1, 29.0])
def test_a_stale_sample_is_not_known(age: float) -> None:
    services = steady()
    made = BRAIN.decide(late(services.observed(), age), services.memory)
    assert not made.seen.demand.known[0]
    assert made.seen.gap[0] == Gap.STALE_SERIES
    assert made.desired[0] >= 4


def test_ages_that_are_not_known_change_nothing() -> None:
    seen = late(steady().observed(), 15.0, known=False)
    assert corrected(seen, SETTINGS) is seen


def test_each_pod_is_corrected_by_its_own_age_in_what_a_class_knows_too() -> None:
    services = steady()
    fresh, lagging = services.observed(), late(services.observed(), 15.0)
    half = np.arange(4) < 2
    mixed = replace(
        fresh,
        answers={
            query: Readings(
                value=np.where(half, lagging.answers[query].value, fresh.answers[query].value),
                known=fresh.answers[query].known,
            )
            for query in fresh.answers
        },
    )
    found = corrected(mixed, SETTINGS)
    rate = BRAIN.questions["success_rps"]
    assert found.answers[rate].value == pytest.approx(fresh.answers[rate].value)
    learned = Learned(
        evidence=services.memory.evidence, kappa=services.memory.kappa, lead_times=services.memory.lead_times
    )
    known = [
        BRAIN.know(seen, learned, elapsed_seconds=floats(15.0), items_per_request=floats(1.0))
        for seen in (fresh, mixed)
    ]
    assert known[0].learned.kappa == pytest.approx(known[1].learned.kappa)
    assert known[0].learned.kappa != pytest.approx(services.memory.kappa), "something was learned"
