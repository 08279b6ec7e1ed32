"""No node has room for more pods: there is no GPU left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.faults.fleet.kubelet import NODE
from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.api import Api
from foretide.adapters.resources import Resource

NODES = Resource("v1", "Node", "nodes", namespaced=False)
# control.stuck: a pod that waits for a shorter time may wait for the scheduler only.
UNSCHEDULABLE_SECONDS = 120.0


@contextmanager
def no_room(api: Api) -> Iterator[None]:
    """The only node takes no new pods."""
    api.patch(NODES, NODE, {"spec": {"unschedulable": True}})
    try:
        yield
    finally:
        api.patch(NODES, NODE, {"spec": {"unschedulable": None}})


@pytest.mark.slow_fault
def test_no_more_is_asked_for_than_one_step_beyond_what_runs(team: Team) -> None:
    service = team.serve(maxReplicas=20)
    service.until_ready(replicas=1)
    with no_room(team.stand.api):
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        team.until_told(service, "ScalingLimited", "True", "Unschedulable", within_seconds=UNSCHEDULABLE_SECONDS + 60)
        asked = service.replicas()
        team.behave(service.name, rate_rps=4 * FOUR_PODS_RPS)
        team.stays("no more are asked for", lambda: service.replicas() <= max(asked, 2), seconds=10)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.until_four(service)
    team.settle(service)
