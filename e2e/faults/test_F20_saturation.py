"""Far more is asked than the replicas can serve: the counter of answers stands still where it is highest."""

from __future__ import annotations

from e2e.faults.team import Team
from e2e.scenarios.service import Service


def test_what_is_refused_and_what_waits_is_asked_for(steady: tuple[Team, Service]) -> None:
    """The answers of four replicas are 40/s at any load beyond: by them alone six replicas would do for ever."""
    team, service = steady
    team.behave(service.name, rate_rps=70.0)
    service.until_replicas(8, within_seconds=60)
    team.settle(service)
