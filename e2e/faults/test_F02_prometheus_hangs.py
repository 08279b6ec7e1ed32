"""Prometheus takes connections and answers nothing."""

from __future__ import annotations

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import PROMETHEUS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service

pytestmark = pytest.mark.slow_fault


@pytest.mark.parametrize("how", ["stopped", "delayed", "byte-by-byte"])
def test_ticks_end_and_what_needs_no_metrics_goes_on(steady: tuple[Team, Service], how: str) -> None:
    """The neighbour's number is pinned by its owner: no metric has a say in it, and so no metric may delay it."""
    team, service = steady
    neighbour = team.serve("neighbour", replicas=1)
    neighbour.until_ready(replicas=1)
    if how == "stopped":
        team.stand.prometheus.hang()
    elif how == "delayed":
        team.stand.proxy.hurt(PROMETHEUS, Fault.DELAY, seconds=120.0)
    else:
        team.stand.proxy.hurt(PROMETHEUS, Fault.TRICKLE)
    with team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", "PrometheusTimeout", within_seconds=25)
        neighbour.change(scaling={"replicas": 3})
        neighbour.until_replicas(3, within_seconds=15)
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stand.operator.until_ticks(2)
        assert service.replicas() == 4
        team.behave(service.name, rate_rps=2 * FOUR_PODS_RPS)
        service.until("it grows by what the pods tell", lambda _: service.replicas() > 5, within_seconds=60)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.settle(service)
