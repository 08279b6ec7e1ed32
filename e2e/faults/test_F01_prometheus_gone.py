"""Prometheus dies; and once more while the pods are silent, too."""

from __future__ import annotations

import time

from e2e.faults.stand.operator import TICK_SECONDS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.conditions import holds
from e2e.scenarios.service import Service

# The bait is out for longer than the hold, so that a number that can be known would go down.
DARK_SECONDS = 8.0


def test_the_load_is_read_from_the_pods_and_nothing_shrinks(steady: tuple[Team, Service]) -> None:
    team, service = steady
    killed = time.monotonic()
    team.stand.prometheus.kill()
    team.until_told(service, "MetricsAvailable", "False", "PrometheusUnreachable")
    assert time.monotonic() - killed < 2 * TICK_SECONDS + 2.0
    with team.in_the_dark(service):
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        time.sleep(DARK_SECONDS)
        team.behave(service.name, rate_rps=2 * FOUR_PODS_RPS)
        service.until("it grows all the same", lambda _: service.replicas() > 5, within_seconds=30)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    assert holds(service.live(), "ScalingActive", "True")
    team.stand.prometheus.start()
    team.until_told(service, "MetricsAvailable", "True", "MetricsComplete", within_seconds=30)
    team.settle(service)


def test_blind_and_deaf_nothing_moves(steady: tuple[Team, Service]) -> None:
    team, service = steady
    team.behave(service.name, deaf=True, rate_rps=ONE_POD_RPS)
    team.stand.prometheus.kill()
    with team.in_the_dark(service):
        team.until_told(service, "ScalingActive", "False", "MetricsUnavailable", within_seconds=20)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=DARK_SECONDS)
        team.behave(service.name, deaf=False, rate_rps=FOUR_PODS_RPS)
    team.stand.prometheus.start()
    team.until_told(service, "ScalingActive", "True", "ScalingActive", within_seconds=30)
    team.settle(service)
