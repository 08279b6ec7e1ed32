"""A right of the operator is taken away: from its role, and for one service alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.installed import OPERATOR
from e2e.scenarios.conditions import condition
from e2e.scenarios.waiting import until
from foretide.adapters.resources import Object, Resource

pytestmark = pytest.mark.slow_fault

CLUSTER_ROLE: Final = Resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)


@contextmanager
def without(team: Team, resource: str, *verbs: str) -> Iterator[None]:
    """Inside `with` the operator's role lacks them."""
    role = team.stand.api.get(CLUSTER_ROLE, OPERATOR[1])
    assert role is not None
    _set_rules(team, [trimmed for rule in role["rules"] for trimmed in _trimmed(rule, resource, verbs)])
    try:
        yield
    finally:
        _set_rules(team, role["rules"])


def test_a_number_that_may_not_be_written_is_told_and_children_are_made(team: Team) -> None:
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_ready(replicas=1)
    with without(team, "deployments/scale", "patch"):
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        live = team.until_told(service, "ScalingActive", "False", "Forbidden", within_seconds=40)
        assert 'cannot patch resource "deployments/scale"' in condition(live, "ScalingActive")["message"]
        other = team.serve("newcomer", rate_rps=ONE_POD_RPS)
        other.until_ready(replicas=1)
        assert service.replicas() == 1
    team.until_four(service)
    team.settle(service, other)


def test_a_child_that_may_not_be_made_is_told_and_others_scale(team: Team) -> None:
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_ready(replicas=1)
    with without(team, "configmaps", "create"):
        other = team.serve("newcomer", rate_rps=ONE_POD_RPS)
        live = team.until_told(other, "Stalled", "True", "Forbidden", within_seconds=30)
        assert 'cannot create resource "configmaps"' in condition(live, "Stalled")["message"]
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        team.until_four(service)
        assert other.deployment() is None
    other.until_ready(replicas=1, within_seconds=120)  # it is tried again after a minute at most
    team.settle(service, other)


def test_a_child_that_may_not_be_changed_is_told_and_the_others_are_served(team: Team) -> None:
    """As an admission policy does it, which knows single objects: `second` is another, of the same namespace."""
    service, second = (team.serve(name, rate_rps=ONE_POD_RPS) for name in ("ranker", "second"))
    for each in (service, second):
        each.until_ready(replicas=1)
    message = f'deployments.apps "{service.deployment_name}" is forbidden: User "x" cannot patch resource "deployments"'
    refusal = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": message, "code": 403}
    path = rf".*/deployments/{service.deployment_name}\?.*"
    answer = {"status": 403, "text": json.dumps(refusal), "headers": {"Content-Type": "application/json"}}
    with team.stand.proxy.hurting(KUBERNETES, Fault.ANSWER, method="PATCH", path=path, **answer):
        for each in (service, second):
            each.change(model={"version": "2"})
        live = team.until_told(service, "Stalled", "True", "Forbidden", within_seconds=30)
        assert 'cannot patch resource "deployments"' in condition(live, "Stalled")["message"]
        second.until_ready(replicas=1)
        # What serves is of the earlier spec, and is scaled all the same.
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        service.until_replicas(4, within_seconds=60)
    service.until_ready(replicas=4, within_seconds=120)
    team.stand.operator.until_ticks(3)  # its pods are new, and have told nothing yet
    team.until_four(service)
    team.settle(service, second)


def test_a_status_that_may_not_be_written_is_in_the_log_and_nothing_moves(team: Team) -> None:
    """What must be remembered is written before a number is: where it cannot be, no number is written."""
    operator, service = team.stand.operator, team.serve_four()
    said = operator.said
    with without(team, "inferenceservices/status", "patch"):
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        until(
            "it is logged",
            lambda: 'cannot patch resource \\"inferenceservices/status\\"' in words(team, said),
            within_seconds=60,
        )
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=4)
    service.until_replicas(1, within_seconds=120)
    team.settle(service)


def test_a_kind_that_may_not_be_listed_is_in_the_log_and_nobody_acts_on_half_a_view(team: Team) -> None:
    operator, service = team.stand.operator, team.serve_four()
    said = operator.said
    with team.in_the_dark(service), without(team, "pods", "list", "watch"):
        operator.kill()
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        operator.program.start()
        until("it is logged", lambda: 'cannot list resource \\"pods\\"' in words(team, said), within_seconds=90)
        until("it waits to be restarted", lambda: not operator.program.alive, within_seconds=30)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=2)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    operator.start()
    team.settle(service)


def words(team: Team, since: int) -> str:
    """What the operator said after so many bytes."""
    return team.stand.operator.program.log.read_bytes()[since:].decode(errors="replace")


def _set_rules(team: Team, rules: list[Object]) -> None:
    team.stand.api.patch(CLUSTER_ROLE, OPERATOR[1], [{"op": "replace", "path": "/rules", "value": rules}])


def _trimmed(rule: Object, resource: str, verbs: tuple[str, ...]) -> Iterator[Object]:
    """The rule, in two where it is of more than this resource."""
    if others := [each for each in rule["resources"] if each != resource]:
        yield {**rule, "resources": others}
    left = [verb for verb in rule["verbs"] if verb not in verbs]
    if resource in rule["resources"] and left:
        yield {**rule, "resources": [resource], "verbs": left}
