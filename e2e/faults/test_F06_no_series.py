"""Answers without a series: that of nothing, which is not the same as nothing was asked."""

from __future__ import annotations

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import INSTANT, PROMETHEUS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service


def test_pods_that_tell_no_series_are_not_idle(steady: tuple[Team, Service]) -> None:
    team, service = steady
    team.behave(service.name, absent=("all",), rate_rps=ONE_POD_RPS)
    with team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", "NoSeries")
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=8)
        team.behave(service.name, absent=(), rate_rps=FOUR_PODS_RPS)
    team.until_told(service, "MetricsAvailable", "True", "MetricsComplete", within_seconds=20)
    team.settle(service)


def test_an_empty_answer_is_not_idle(steady: tuple[Team, Service]) -> None:
    team, service = steady
    with (
        team.stand.proxy.hurting(PROMETHEUS, Fault.REWRITE, path=INSTANT, transform="empty"),
        team.in_the_dark(service),
    ):
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.until_told(service, "MetricsAvailable", "False", "NoSeries")
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=8)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.settle(service)
