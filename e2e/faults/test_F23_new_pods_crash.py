"""New pods crash, again and again, while the old ones are overloaded."""

from __future__ import annotations

import pytest

from e2e.faults.fleet import Start
from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.conditions import condition
from foretide.adapters.resources import POD

pytestmark = pytest.mark.slow_fault


def test_growth_stops_where_it_is_no_cure(team: Team) -> None:
    """k8s#87199: a fleet whose new pods crashed was grown to its maximum for them."""
    service = team.serve(maxReplicas=20)
    service.until_ready(replicas=1)
    team.behave(service.name, start=Start.CRASH)
    team.behave(service.name, rate_rps=3 * FOUR_PODS_RPS)
    service.until("it grows", lambda _: service.replicas() > 1, within_seconds=60)
    live = service.until(
        "the crashes are told",
        lambda live: (
            condition(live, "ScalingLimited").get("status") == "True"
            and condition(live, "Stalled").get("status") == "True"
        ),
        within_seconds=60,
    )
    assert condition(live, "Stalled")["reason"] in ("ContainerCrashed", "ModelLoadFailed"), condition(live, "Stalled")
    asked = service.replicas()
    team.stays("no more are asked for", lambda: service.replicas() <= asked, seconds=8)
    # Two crashes of a pod are one accident too many; in the ticks until then it grows as for pods that serve.
    assert asked <= 12, "more than three times of what takes four"
    team.behave(service.name, start=Start.READY, rate_rps=FOUR_PODS_RPS)
    for pod in service.pods():  # by the kubelet's back-off they would be tried again in minutes
        if condition(pod, "Ready").get("status") != "True":
            team.stand.api.delete(POD, pod["metadata"]["name"], namespace=team.namespace)
    team.until_four(service)
    team.settle(service)
