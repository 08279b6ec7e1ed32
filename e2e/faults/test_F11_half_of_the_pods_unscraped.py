"""Half of the pods are not scraped: what they serve is not what nobody asked for."""

from __future__ import annotations

import time

import pytest

from e2e.faults.stand.operator import SCALING
from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.service import Service

pytestmark = pytest.mark.slow_fault


def until_expected(service: Service) -> None:
    """Waits until all of its pods are old enough to be missed."""
    time.sleep(SCALING.report_grace_seconds + 2.0)
    service.until_ready(replicas=4)


def test_half_of_the_load_is_not_taken_for_all_of_it(steady: tuple[Team, Service]) -> None:
    team, service = steady
    until_expected(service)
    team.behave(service.name, unscraped=2)
    with team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", "PartialSeries")
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=10)
        team.behave(service.name, unscraped=0)
    team.settle(service)


def test_one_silent_pod_does_not_keep_a_fleet_large_for_ever(steady: tuple[Team, Service]) -> None:
    """k8s!127193: one pod of 160 pinned a fleet at its maximum. Counted with full load it leaves room for the rest."""
    team, service = steady
    until_expected(service)
    team.behave(service.name, unscraped=1, rate_rps=0.0)
    service.until_replicas(2, within_seconds=60)
    team.behave(service.name, unscraped=0, rate_rps=FOUR_PODS_RPS)
    team.settle(service)
