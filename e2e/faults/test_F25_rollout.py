"""A roll-out with surge: old and new pods at once are not twice the fleet."""

from __future__ import annotations

from e2e.faults.team import Team
from e2e.scenarios.recording import Recording
from e2e.scenarios.service import Service
from foretide.adapters.resources import DEPLOYMENT

TICKS = 20


def test_the_surge_does_not_ratchet_the_fleet(steady: tuple[Team, Service]) -> None:
    """k8s#72775: 383 -> 479 -> 589 -> 664 replicas, a surge at a time."""
    team, service = steady
    team.behave(service.name, start_seconds=3.0)
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        for version in ("2", "3"):
            service.change(model={"version": version})
            team.stand.operator.until_ticks(TICKS)
        sizes = recording.numbers(service.deployment_name, "spec", "replicas")
    assert set(sizes) <= {4, 5}, f"replicas went {sizes}"
    service.until_ready()
    team.settle(service)
