"""Pods that are told to leave stay for half an hour: they are neither capacity nor missed."""

from __future__ import annotations

from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.conditions import holds
from e2e.scenarios.service import Service

HALF_AN_HOUR = 1_800.0


def test_terminating_pods_are_neither_capacity_nor_silent(steady: tuple[Team, Service]) -> None:
    team, service = steady
    team.behave(service.name, leave_seconds=HALF_AN_HOUR, rate_rps=ONE_POD_RPS)
    service.until_replicas(1, within_seconds=90)
    leaving = [pod for pod in service.pods() if "deletionTimestamp" in pod["metadata"]]
    assert len(leaving) >= 3
    live = service.until("one is ready", lambda live: live["status"].get("readyReplicas") == 1, within_seconds=15)
    assert holds(live, "MetricsAvailable", "True", "MetricsComplete")
    team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.until_four(service)
    team.behave(service.name, leave_seconds=0.2)
    team.settle(service)
