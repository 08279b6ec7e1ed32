"""A model takes long to load: what was asked for is on its way, and not asked for again."""

from __future__ import annotations

import pytest

from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.recording import Recording
from foretide.adapters.resources import DEPLOYMENT

pytestmark = pytest.mark.slow_fault

START_SECONDS = 20.0


def test_replicas_that_start_are_counted_and_the_number_is_not_ratcheted(team: Team) -> None:
    """Meanwhile one replica serves 10/s of 25, refuses the rest, and has a full queue: each tick sees the same need."""
    service = team.serve(maxReplicas=20)
    service.until_ready(replicas=1)
    team.behave(service.name, start_seconds=START_SECONDS)
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        team.until_four(service)
        most = max(recording.numbers(service.deployment_name, "spec", "replicas"))
    # Four for the load, and what drains the queue: half a second of one replica's work.
    assert most <= 6
    team.settle(service)
