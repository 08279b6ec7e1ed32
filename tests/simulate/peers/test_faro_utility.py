"""Faro's latency model and utility, with the numbers of its own unit tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulate.peers.faro_utility import Jobs, latency_seconds, utility


def jobs(*rates: list[float], running: float = 1.0, service_seconds: float = 0.148, slo_seconds: float = 0.592) -> Jobs:
    services = len(rates)
    return Jobs(
        rate_rps=np.array(rates),
        running=np.full(services, running),
        service_seconds=np.full(services, service_seconds),
        lanes=np.ones(services),
        slo_seconds=np.full(services, slo_seconds),
    )


@pytest.mark.parametrize(
    ("rate_rps", "percentile", "wait_seconds"),
    [
        # Ten servers of one request a second; the tables of doi:10.1016/j.aeue.2005.04.003.
        (8.0, 80, 0.358),
        (8.0, 90, 0.704),
        (8.0, 95, 1.051),
        (8.0, 99, 1.856),
        (9.5, 80, 2.836),
        (9.5, 90, 4.222),
        (9.5, 95, 5.608),
        (9.5, 99, 8.827),
    ],
)
def test_latency_is_half_the_wait_of_many_exponential_servers_plus_service(
    rate_rps: float, percentile: float, wait_seconds: float
) -> None:
    found = latency_seconds(np.array([10.0]), np.array([rate_rps]), np.array([1.0]), percentile=percentile)
    assert 2.0 * (found[0] - 1.0) == pytest.approx(wait_seconds, abs=5e-4)


@pytest.mark.parametrize(("rate_rps", "seconds"), [(19.0, 1.252), (20.0, 1.318), (30.0, 1.978), (17.0, 0.481)])
def test_above_95_percent_latency_is_that_of_95_divided_by_the_share_served(rate_rps: float, seconds: float) -> None:
    found = latency_seconds(np.array([3.0]), np.array([rate_rps]), np.array([0.15]), percentile=90)
    assert found[0] == pytest.approx(seconds, abs=5e-4)


def test_latency_of_no_server_is_never() -> None:
    assert np.isinf(latency_seconds(np.array([0.0, -1.0]), np.array([5.0]), np.array([0.1]))).all()


def test_latency_of_an_idle_queue_is_the_service_time() -> None:
    assert latency_seconds(np.array([2.0]), np.array([0.0]), np.array([0.1])) == pytest.approx(0.1)


@given(
    servers=st.floats(0.05, 60.0),
    rate=st.floats(0.0, 500.0),
    service=st.floats(1e-3, 1.0),
    more=st.floats(0.0, 1.0),
)
def test_more_load_never_makes_latency_shorter(servers: float, rate: float, service: float, more: float) -> None:
    one = latency_seconds(np.array([servers]), np.array([rate]), np.array([service]))[0]
    other = latency_seconds(np.array([servers]), np.array([rate * (1.0 + more)]), np.array([service]))[0]
    assert service * (1.0 - 1e-12) <= one <= other * (1.0 + 1e-9)


def test_utility_is_slo_over_latency_but_at_most_one_and_its_mean_over_the_minutes() -> None:
    one = jobs([19.0, 0.0], service_seconds=0.15, slo_seconds=0.626)
    found = utility(one, np.array([3.0]), percentile=90)
    assert found[0] == pytest.approx((0.626 / 1.2525 + 1.0) / 2.0, abs=1e-4)


def test_replicas_that_are_added_count_after_the_delay_only() -> None:
    two = jobs([26.0, 20.0, 21.0], [33.0, 28.0, 10.0])
    replicas = np.array([5.0, 6.0])
    assert utility(two, replicas, percentile=95) == pytest.approx([1.0, 1.0])
    assert utility(two, replicas, percentile=95, delay_steps=1) == pytest.approx([0.677, 0.675], abs=5e-4)


def test_replicas_that_are_taken_away_are_gone_at_once() -> None:
    one = jobs([26.0, 20.0, 21.0], running=8.0)
    assert utility(one, np.array([3.0]), delay_steps=1) == pytest.approx(utility(one, np.array([3.0])))


def test_a_forecast_shorter_than_the_delay_ignores_the_delay() -> None:
    one = jobs([26.0])
    assert utility(one, np.array([6.0]), delay_steps=1) == pytest.approx(utility(one, np.array([6.0])))
