"""Answers that say themselves that they are none, or not the whole."""

from __future__ import annotations

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import INSTANT, PROMETHEUS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        ("error", "PrometheusMalformed"),
        ("warned", "PrometheusPartial"),
        ("scalar", "PrometheusMalformed"),
        ("null", "PrometheusMalformed"),
    ],
)
def test_is_told_and_decides_nothing(steady: tuple[Team, Service], transform: str, reason: str) -> None:
    team, service = steady
    hurting = team.stand.proxy.hurting(PROMETHEUS, Fault.REWRITE, path=INSTANT, transform=transform)
    with hurting, team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", reason)
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=6)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.settle(service)
