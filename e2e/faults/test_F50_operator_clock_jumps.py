"""The operator's clock jumps by an hour: alone, and together with that of who writes the samples."""

from __future__ import annotations

import time

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES, PROMETHEUS
from e2e.faults.stand.operator import HOLD_SECONDS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service

pytestmark = pytest.mark.slow_fault

HOUR = 3_600.0
CLOCK = "e2e.faults.stand.moved_clock"
# Of the whole operator, at rest or not: the Lease is 1/s of them.
MOST_REQUESTS_PER_SECOND = 8.0
WATCHED_SECONDS = 8.0
# Pods' samples are 2 s old, a tick is half done, and the clock of the test is another.
SLACK_SECONDS = 2.0


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "back"])
def test_a_clock_of_its_own_is_told_and_nothing_shrinks(team: Team, seconds: float) -> None:
    """The samples of now are an hour old to it, or an hour ahead."""
    operator = team.stand.operator
    with operator.as_module(CLOCK, str(operator.clock)):
        service = team.serve_four()
        with team.in_the_dark(service):
            operator.move_clock(seconds)
            team.until_told(service, "MetricsAvailable", "False", "ClockSkew", within_seconds=30)
            team.behave(service.name, rate_rps=ONE_POD_RPS)
            asked = no_storm(team, service)
            team.behave(service.name, rate_rps=FOUR_PODS_RPS)
            operator.move_clock(0)
            team.until_told(service, "MetricsAvailable", "True", "MetricsComplete", within_seconds=40)
        assert asked <= MOST_REQUESTS_PER_SECOND * WATCHED_SECONDS
        scales_as_ever(team, service)
    team.settle(service)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "back"])
def test_the_clock_of_all_jumps_in_the_middle_of_a_hold(team: Team, seconds: float) -> None:
    """All is known all the time, and an hour seems to have gone by since the load was high."""
    operator, proxy = team.stand.operator, team.stand.proxy
    shift = {"path": ".*", "transform": "shifted", "number": seconds}
    with operator.as_module(CLOCK, str(operator.clock)):
        service = team.serve_four()
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        time.sleep(HOLD_SECONDS / 2)
        with proxy.hurting(PROMETHEUS, Fault.REWRITE, **shift):
            operator.move_clock(seconds)
            jumped = time.monotonic()
            service.until("it shrinks", lambda _: service.replicas() < 4, within_seconds=60)
            held = time.monotonic() - jumped
            assert held >= HOLD_SECONDS - SLACK_SECONDS, f"shrank {held:.1f} s after the clock had jumped"
            service.until_replicas(1, within_seconds=120)
            scales_as_ever(team, service)
            operator.move_clock(0)
            proxy.heal()  # and so the samples are of now again
        scales_as_ever(team, service)
    team.settle(service)


def no_storm(team: Team, service: Service) -> int:
    """Looks on for a while as nothing shrinks; how often the API server was asked."""
    asked = team.stand.proxy.requests(KUBERNETES)
    team.stays("four replicas", lambda: service.replicas() == 4, seconds=WATCHED_SECONDS)
    return team.stand.proxy.requests(KUBERNETES) - asked


def scales_as_ever(team: Team, service: Service) -> None:
    """Up with the load and down with it, and up again."""
    team.behave(service.name, rate_rps=ONE_POD_RPS)
    service.until_replicas(1, within_seconds=120)
    team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    service.until_replicas(4, within_seconds=120)
    team.stand.operator.until_ticks(2)
