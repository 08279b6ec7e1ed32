"""A pod is ready, and its Triton has no model: it tells names of metrics and not one series."""

from __future__ import annotations

from e2e.faults.team import Team
from e2e.faults.test_F11_half_of_the_pods_unscraped import until_expected
from e2e.scenarios.service import Service


def test_pods_without_series_are_not_idle(steady: tuple[Team, Service]) -> None:
    team, service = steady
    until_expected(service)
    team.behave(service.name, unloaded=2)
    with team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", "PartialSeries")
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=8)
        team.behave(service.name, unloaded=0)
    team.settle(service)
