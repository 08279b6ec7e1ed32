"""A ratio whose denominator is almost nothing."""

from __future__ import annotations

import pytest

from e2e.faults.team import Team
from e2e.scenarios.recording import Recording
from foretide.adapters.resources import DEPLOYMENT

pytestmark = pytest.mark.slow_fault


def test_one_request_a_minute_is_no_spike(team: Team) -> None:
    """Items per request, seconds per request: each is a counter by a counter that hardly moves."""
    service = team.serve(rate_rps=0.5)
    service.until_ready(replicas=1)
    # Until then a replica is taken to do 0.4 a second, and there are two.
    service.until(
        "how fast it is is known",
        lambda live: live["status"].get("capacity", {}).get("source") == "Measured",
        within_seconds=60,
    )
    service.until_replicas(1, within_seconds=60)
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        for rate in (0.5, 0.02, 0.3, 0.02):
            team.behave(service.name, rate_rps=rate)
            team.stand.operator.until_ticks(5)
        assert recording.numbers(service.deployment_name, "spec", "replicas") == [1]
    team.settle(service)
