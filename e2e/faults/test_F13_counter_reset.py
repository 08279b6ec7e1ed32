"""Triton ends and is started again in its pod: its counters begin anew."""

from __future__ import annotations

from e2e.faults.team import Team
from e2e.scenarios.service import Service


def test_restarts_neither_shrink_nor_grow_a_fleet(steady: tuple[Team, Service]) -> None:
    team, service = steady
    for _ in range(4):
        team.stand.fleet.restart(team.namespace, service.name)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=4)
    team.settle(service)
