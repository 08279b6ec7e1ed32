"""Whose clock is wrong: that of who writes samples, of Prometheus, or of the operator itself."""

from __future__ import annotations

import pytest

from e2e.cluster import packages
from e2e.cluster.progress import Progress
from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import INSTANT, PROMETHEUS
from e2e.faults.stand.operator import FAKETIME
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service

pytestmark = pytest.mark.slow_fault

MINUTES = 60.0


def test_samples_of_the_future_are_not_believed(team: Team) -> None:
    """For as long as they are ahead Prometheus takes no others of these series: the service has its end here."""
    service = team.serve_four()
    team.behave(service.name, ahead_seconds=5 * MINUTES, rate_rps=ONE_POD_RPS)
    with team.in_the_dark(service):
        # Prometheus still has the samples of now for as long as it looks back; and then only those to come.
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=12)
        team.behave(service.name, ahead_seconds=None, rate_rps=FOUR_PODS_RPS)
    team.check()


@pytest.mark.parametrize("minutes", [10.0, -10.0])
def test_a_prometheus_of_another_time_is_told_and_nothing_shrinks(steady: tuple[Team, Service], minutes: float) -> None:
    team, service = steady
    shift = {"transform": "shifted", "number": minutes * MINUTES}
    with team.stand.proxy.hurting(PROMETHEUS, Fault.REWRITE, path=INSTANT, **shift), team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", "ClockSkew")
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=6)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.settle(service)


@pytest.mark.parametrize("minutes", [10.0, -10.0])
def test_an_operator_of_another_time_is_told_and_nothing_shrinks(steady: tuple[Team, Service], minutes: float) -> None:
    team, service = steady
    packages.install(Progress(quiet=True), {"libfaketime": "faketime"})
    assert FAKETIME.exists()
    operator = team.stand.operator
    operator.restart(lying_clock=True)
    team.until_four(service)
    with team.in_the_dark(service):
        operator.move_clock(minutes * MINUTES)
        team.until_told(service, "MetricsAvailable", "False", "ClockSkew")
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=6)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        operator.move_clock(0)
        team.until_told(service, "MetricsAvailable", "True", "MetricsComplete", within_seconds=40)
    operator.restart()
    team.settle(service)


def test_answers_of_a_minute_ago_are_not_those_of_now(steady: tuple[Team, Service]) -> None:
    """A cache before Prometheus that no longer asks it: each answer is right, and of the same moment as the last."""
    team, service = steady
    with team.stand.proxy.hurting(PROMETHEUS, Fault.REPLAY, path=INSTANT), team.in_the_dark(service):
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.until_told(service, "MetricsAvailable", "False", "ClockSkew", within_seconds=90)
        assert service.replicas() == 4
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.settle(service)
