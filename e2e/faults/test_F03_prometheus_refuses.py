"""Prometheus answers with an error, and says when it wants to be asked again."""

from __future__ import annotations

import time

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import PROMETHEUS
from e2e.faults.stand.operator import TICK_SECONDS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service

WATCHED_SECONDS = 8.0
# Of a tick: the load, and its distributions.
QUERIES = 12


@pytest.mark.parametrize(
    ("status", "retry_after"),
    [(500, ""), (503, ""), (503, "60"), (429, "60")],
    ids=lambda value: str(value or "at-will"),
)
def test_nothing_shrinks_and_nobody_is_stormed(steady: tuple[Team, Service], status: int, retry_after: str) -> None:
    team, service = steady
    proxy, headers = team.stand.proxy, {"Retry-After": retry_after} if retry_after else {}
    with proxy.hurting(PROMETHEUS, Fault.ANSWER, status=status, headers=headers), team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", "PrometheusRejected")
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        asked = proxy.requests(PROMETHEUS)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=WATCHED_SECONDS)
        asked = proxy.requests(PROMETHEUS) - asked
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    assert asked <= (QUERIES if retry_after else QUERIES * (WATCHED_SECONDS / TICK_SECONDS + 2))
    if retry_after:  # it was told to wait so long, and does; the next test has another operator
        assert float(retry_after) > WATCHED_SECONDS
        time.sleep(TICK_SECONDS)
        team.stand.operator.restart()
    team.settle(service)
