"""Series whose target is gone without a marker: Prometheus gives the last value for five minutes more."""

from __future__ import annotations

import pytest

from e2e.faults.stand.operator import SCALING
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service

pytestmark = pytest.mark.slow_fault


def test_old_samples_are_no_samples(steady: tuple[Team, Service]) -> None:
    """Samples with times of their own have no staleness markers, as those of remote write and federation."""
    team, service = steady
    team.behave(service.name, ahead_seconds=0.0)
    team.stand.operator.until_ticks(6)  # the rates of a window are of such samples
    team.behave(service.name, ahead_seconds=0.0, frozen=True, rate_rps=ONE_POD_RPS)
    with team.in_the_dark(service):
        team.until_told(
            service, "MetricsAvailable", "False", "StaleSeries", within_seconds=SCALING.stale_after_seconds + 30
        )
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=6)
        team.behave(service.name, frozen=False, ahead_seconds=None, rate_rps=FOUR_PODS_RPS)
    team.settle(service)
