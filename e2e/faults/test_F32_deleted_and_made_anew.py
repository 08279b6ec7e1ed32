"""Deployments and services that are deleted, and those that get their names."""

from __future__ import annotations

import pytest

from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CHILDREN, DEPLOYMENT, INFERENCE_SERVICE

pytestmark = pytest.mark.slow_fault


def test_F32_a_deployment_that_is_deleted_comes_back_as_large_as_it_was(team: Team) -> None:
    service = team.serve_four()
    before = service.deployment()
    assert before is not None
    with team.in_the_dark(service):  # its new pods have told nothing yet
        team.stand.api.delete(DEPLOYMENT, service.deployment_name, namespace=team.namespace)
        service.until(
            "another Deployment of its size",
            lambda _: (
                service.replicas() >= 4
                and (service.deployment() or before)["metadata"]["uid"] != before["metadata"]["uid"]
            ),
            within_seconds=20,
        )
    team.until_four(service)
    team.settle(service)


def test_F33_nothing_is_written_for_a_service_that_is_deleted(team: Team) -> None:
    service = team.serve_four()
    team.behave(service.name, rate_rps=2 * FOUR_PODS_RPS)  # there is something to decide
    team.stand.api.delete(INFERENCE_SERVICE, service.name, namespace=team.namespace)
    until("its children are gone", lambda: not any(map(service.children, CHILDREN)), within_seconds=60)
    team.stand.operator.until_ticks(5)
    assert not any(map(service.children, CHILDREN))
    team.check()


def test_F33_a_service_can_be_deleted_while_no_operator_lives(team: Team) -> None:
    service = team.serve_four()
    team.stand.operator.kill()
    team.stand.api.delete(INFERENCE_SERVICE, service.name, namespace=team.namespace)
    until("its children are gone", lambda: not any(map(service.children, CHILDREN)), within_seconds=60)
    team.stand.operator.start()
    team.stand.operator.until_ticks(3)
    assert not any(map(service.children, CHILDREN))
    team.check()


def test_F34_a_service_made_anew_inherits_nothing_of_its_namesake(team: Team) -> None:
    """The bait: the old one had four replicas, and its pods' series are still in every window."""
    service = team.serve_four()
    team.stand.operator.stand_still()  # it sees both at once
    team.stand.api.delete(INFERENCE_SERVICE, service.name, namespace=team.namespace)
    until("the old one is gone", lambda: _absent(team, service.name), within_seconds=30)
    until("its children are gone", lambda: not any(map(service.children, CHILDREN)), within_seconds=60)
    again = team.serve(rate_rps=ONE_POD_RPS)
    team.stand.operator.go_on()
    team.stand.operator.until_leading()  # it may have stood still for longer than its Lease
    again.until_ready(replicas=1)
    live = again.live()
    assert [one for one in live["status"].get("decisions", ()) if one["from"] > 1] == []
    team.settle(again)


def _absent(team: Team, name: str) -> bool:
    return team.stand.api.get(INFERENCE_SERVICE, name, namespace=team.namespace) is None
