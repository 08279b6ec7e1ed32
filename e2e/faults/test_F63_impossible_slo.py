"""A model that is slower than its SLO, alone on a replica."""

from __future__ import annotations

import pytest

from e2e.faults.team import Team
from e2e.scenarios.conditions import condition
from e2e.scenarios.recording import Recording
from foretide.adapters.resources import DEPLOYMENT

MOST = 40

pytestmark = pytest.mark.slow_fault


def test_it_is_told_with_numbers_and_nothing_runs_away(team: Team) -> None:
    """More replicas keep no promise that none can keep: as many run as serve what is asked at 70 % of saturation."""
    team.behave("ranker", batch_seconds=2.0)
    service = team.serve(rate_rps=1.0, maxReplicas=MOST)
    live = team.until_told(service, "SLOFeasible", "False", "SLOInfeasible", within_seconds=60)
    message = condition(live, "SLOFeasible")["message"]
    assert "takes 2s" in message
    assert "the 1s of the SLO" in message
    team.stand.operator.until_ticks(10)
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        team.stand.operator.until_ticks(10)
        sizes = recording.numbers(service.deployment_name, "spec", "replicas")
    assert 3 <= min(sizes) <= max(sizes) <= 6, f"replicas went {sizes}"
    team.settle(service)
