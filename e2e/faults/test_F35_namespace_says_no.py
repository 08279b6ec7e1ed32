"""A namespace that takes no more: by quota, by LimitRange, or because it is being deleted."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.api import NAMESPACE
from e2e.scenarios.conditions import condition
from foretide.adapters.resources import INFERENCE_SERVICE, Object, Resource

pytestmark = pytest.mark.slow_fault

QUOTA = Resource("v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGE = Resource("v1", "LimitRange", "limitranges")


def put(team: Team, resource: Resource, spec: dict[str, Any]) -> None:
    team.stand.api.apply(resource, {"metadata": {"name": "most", "namespace": team.namespace}, "spec": spec})


def test_a_quota_is_told_in_the_api_servers_words_and_growth_stops(team: Team) -> None:
    put(team, QUOTA, {"hard": {"pods": "2"}})
    service = team.serve(rate_rps=FOUR_PODS_RPS)
    live = team.until_told(service, "ScalingLimited", "True", "QuotaExceeded", within_seconds=60)
    assert "exceeded quota: most" in condition(live, "ScalingLimited")["message"]
    asked = service.replicas()
    team.stays("no more are asked for", lambda: service.replicas() <= max(asked, 3), seconds=8)
    put(team, QUOTA, {"hard": {"pods": "50"}})
    team.until_four(service)
    team.settle(service)


def test_a_limit_range_is_told_and_there_is_no_loop(team: Team) -> None:
    put(team, LIMIT_RANGE, {"limits": [{"type": "Container", "max": {"memory": "16Mi"}}]})
    service = team.serve(rate_rps=FOUR_PODS_RPS)
    live = team.until_told(service, "Ready", "False", "PodsRefused", within_seconds=60)
    assert "maximum memory usage per Container is 16Mi" in condition(live, "Ready")["message"]
    team.stand.operator.until_ticks(5)
    team.check()


def test_a_namespace_that_ends_is_left_in_peace(team: Team) -> None:
    """A finalizer keeps the service, and so the namespace, in its last state."""
    service = team.serve_four()
    finalizer: list[Object] = [{"op": "add", "path": "/metadata/finalizers", "value": ["example.com/held"]}]
    team.stand.api.patch(INFERENCE_SERVICE, service.name, finalizer, namespace=team.namespace)
    team.stand.api.delete(NAMESPACE, team.namespace)
    service.until("it is being deleted", lambda live: "deletionTimestamp" in live["metadata"], within_seconds=30)
    requests = team.stand.proxy.requests("kubernetes")
    team.stand.operator.until_ticks(8)
    requests = team.stand.proxy.requests("kubernetes") - requests
    nothing: list[Object] = [{"op": "remove", "path": "/metadata/finalizers"}]
    team.stand.api.patch(INFERENCE_SERVICE, service.name, nothing, namespace=team.namespace)
    assert requests < 80, "the operator asks the API server again and again"
    team.check()
