"""NaN, infinities, negative and astronomic numbers: by the pods' own metrics, and in Prometheus' answers."""

from __future__ import annotations

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import INSTANT, PROMETHEUS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.conditions import condition
from e2e.scenarios.service import Service

COUNTERS = ("nv_inference_request_success", "nv_inference_count", "nv_inference_request_failure")


@pytest.mark.parametrize("number", ["NaN", "+Inf", "-Inf", "1e308"])
def test_pods_that_count_nonsense_are_not_believed(steady: tuple[Team, Service], number: str) -> None:
    """A counter that stands still at any number is a rate of 0 for Prometheus: so they alternate."""
    team, service = steady
    with team.in_the_dark(service):
        team.behave(service.name, values=dict.fromkeys(COUNTERS, number), rate_rps=ONE_POD_RPS)
        if number in ("NaN", "+Inf", "-Inf"):
            team.until_told(service, "MetricsAvailable", "False", "NotFinite")
        team.stays("four replicas", lambda: service.replicas() >= 4, seconds=3)
        team.behave(service.name, values={}, rate_rps=FOUR_PODS_RPS)
    team.settle(service)


@pytest.mark.parametrize("transform", ["nan", "infinite", "minus_infinite", "negative", "absurd"])
def test_answers_of_nonsense_are_not_believed(steady: tuple[Team, Service], transform: str) -> None:
    team, service = steady
    hurting = team.stand.proxy.hurting(PROMETHEUS, Fault.REWRITE, path=INSTANT, transform=transform)
    with hurting, team.in_the_dark(service):
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        service.until("it is told", lambda live: condition(live, "MetricsAvailable").get("status") == "False")
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=6)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.settle(service)
