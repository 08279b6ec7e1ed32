"""Somebody edits or erases what the operator wrote into a status: it is rebuilt, and nothing shrinks too soon."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.faults.stand.operator import TICK_SECONDS
from e2e.faults.team import FOUR_PODS_RPS, LEAST_HOLD_SECONDS, ONE_POD_RPS, Team
from e2e.faults.test_F52_one_of_many_is_poisoned import garbage, rebuilt
from e2e.installed import OPERATOR_USER
from e2e.scenarios.service import Service
from foretide.adapters.resources import INFERENCE_SERVICE

pytestmark = pytest.mark.slow_fault

WAYS = ["erased", "edited"]


def spoil(team: Team, service: Service, way: str) -> None:
    """What whoever may patch a status can do to it at once."""
    status: dict[str, Any] | None = None
    if way == "edited":
        told = service.live()["status"]
        status = {**garbage(), "desiredReplicas": 1, "readyReplicas": 0, "decisions": told["decisions"][:1]}
    change = {"status": status}
    team.stand.api.patch(INFERENCE_SERVICE, service.name, change, namespace=team.namespace, subresource="status")


@pytest.mark.parametrize("way", WAYS)
def test_it_is_rebuilt_while_the_operator_runs(steady: tuple[Team, Service], way: str) -> None:
    team, service = steady
    spoil(team, service, way)
    rebuilt(service)
    team.stays("four replicas", lambda: service.replicas() == 4, seconds=8)
    team.settle(service)


@pytest.mark.parametrize("way", WAYS)
def test_the_next_operator_begins_with_a_hold(steady: tuple[Team, Service], way: str) -> None:
    """As after any restart: what it remembers is gone, and the replicas that there are were needed for something."""
    team, service = steady
    team.stand.operator.end()
    spoil(team, service, way)
    team.behave(service.name, rate_rps=ONE_POD_RPS)
    since = team.stand.audit.writes()[-1].at
    team.stand.operator.start()
    service.until_replicas(1, within_seconds=120)
    ours = [write for write in team.stand.audit.writes(since=since) if write.user == OPERATOR_USER and write.done]
    ours = [write for write in ours if write.namespace == team.namespace]
    first = next(write.at for write in ours if "desiredReplicas" in write.body.get("status", {}))
    shrunk = next(write.at for write in ours if write.resource == "deployments/scale")
    assert shrunk - first >= LEAST_HOLD_SECONDS - TICK_SECONDS
    team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.until_four(service)
    team.settle(service)
