"""Loads made to make an autoscaler flap: a square wave as long as its windows, and noise at the border of a number."""

from __future__ import annotations

import time
from itertools import pairwise

from e2e.faults.stand.operator import HOLD_SECONDS
from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.recording import Recording
from e2e.scenarios.service import Service
from foretide.adapters.resources import DEPLOYMENT

WAVES = 5


def test_a_square_wave_at_the_edge_of_the_hold(steady: tuple[Team, Service]) -> None:
    """High for as long as the hold, low for as long: it may shrink a little before each rise, no more."""
    team, service = steady
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        for _ in range(WAVES):
            for rate in (0.0, FOUR_PODS_RPS):
                team.behave(service.name, rate_rps=rate)
                time.sleep(HOLD_SECONDS)
        sizes = recording.numbers(service.deployment_name, "spec", "replicas")
    turns = sum((b - a) * (c - b) < 0 for (a, b), (_, c) in pairwise(pairwise(sizes)))
    assert turns <= 2 * WAVES, f"replicas went {sizes}"
    team.settle(service)


def test_noise_at_the_border_of_a_number(steady: tuple[Team, Service]) -> None:
    """3 % of noise around a load that is at the border between two numbers: it may go up once, and stays there."""
    team, service = steady
    capacity = float(service.live()["status"]["capacity"]["perReplica"])
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        for turn in range(20):
            team.behave(service.name, rate_rps=4 * capacity * (1.03 if turn % 2 else 0.97))
            time.sleep(1.5)
        sizes = recording.numbers(service.deployment_name, "spec", "replicas")
    assert sizes == sorted(sizes), f"replicas went {sizes}"
    team.settle(service)
