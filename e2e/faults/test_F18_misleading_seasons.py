"""Histories that foretell the wrong thing: a season of no load while there is one, and one of ten times too much."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.faults import past
from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.recording import Recording
from foretide.adapters.resources import DEPLOYMENT

pytestmark = pytest.mark.slow_fault

DAYS = 5.0
MOST = 12


def daily(now_rps: float, otherwise_rps: float) -> Callable[[float], float]:
    """The load of every day: around this time one, all the rest of it the other."""
    hour = time.time() % past.DAY_SECONDS

    def load(at: float) -> float:
        distance = abs((at - hour + past.DAY_SECONDS / 2) % past.DAY_SECONDS - past.DAY_SECONDS / 2)
        return now_rps if distance < 4 * 3_600 else otherwise_rps

    return load


def test_F18_a_forecast_of_nothing_takes_nothing_away(team: Team, tmp_path: Path) -> None:
    past.give(team.stand, tmp_path, past.samples(team.namespace, "ranker", daily(0.0, 20.0), days=DAYS), days=DAYS)
    service = team.serve(foresees=True, rate_rps=FOUR_PODS_RPS, maxReplicas=MOST)
    past.until_read(team.stand)
    team.until_four(service)
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        team.stand.operator.until_ticks(15)
        sizes = recording.numbers(service.deployment_name, "spec", "replicas")
    assert min(sizes) >= 4, f"replicas went {sizes}"
    team.settle(service)


def test_F19_a_forecast_of_ten_times_too_much_is_bounded(team: Team, tmp_path: Path) -> None:
    high = 10 * FOUR_PODS_RPS
    past.give(team.stand, tmp_path, past.samples(team.namespace, "ranker", daily(high, high), days=DAYS), days=DAYS)
    service = team.serve(foresees=True, rate_rps=FOUR_PODS_RPS, maxReplicas=MOST)
    past.until_read(team.stand)
    team.until_four(service)
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        team.stand.operator.until_ticks(15)
        sizes = recording.numbers(service.deployment_name, "spec", "replicas")
    assert 4 <= min(sizes) <= max(sizes) <= MOST, f"replicas went {sizes}"
    team.settle(service)
