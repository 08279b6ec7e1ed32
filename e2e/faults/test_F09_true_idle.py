"""Nothing is asked, and that is known: the one case in which a fleet goes down to its minimum."""

from __future__ import annotations

from e2e.faults.stand.operator import HOLD_SECONDS, SCALING, TICK_SECONDS
from e2e.faults.team import Team
from e2e.scenarios.conditions import holds
from e2e.scenarios.service import Service


def test_a_service_that_nobody_asks_shrinks_to_its_minimum(steady: tuple[Team, Service]) -> None:
    team, service = steady
    team.behave(service.name, rate_rps=0.0)
    service.until_replicas(1, within_seconds=30 + SCALING.rate_window_seconds + 4 * HOLD_SECONDS + 4 * TICK_SECONDS)
    # Latencies are 0/0 by now.
    assert holds(service.live(), "MetricsAvailable", "True", "MetricsComplete")
    team.settle(service)
