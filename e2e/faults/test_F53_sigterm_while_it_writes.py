"""SIGTERM in the middle of a write: a child, a status, a number, an Event; answered late, or by nobody."""

from __future__ import annotations

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.installed import OPERATOR, OPERATOR_USER
from e2e.scenarios.service import Service
from e2e.scenarios.waiting import until
from foretide.adapters.lease import LEASE_NAME
from foretide.adapters.resources import CHILDREN, LEASE, Object

pytestmark = pytest.mark.slow_fault

ENDS_WITHIN_SECONDS = 10.0
# Longer than the operator may take.
LATE_SECONDS = 30.0
STATUS, SCALE, DEPLOYMENT = (
    rf".*/{path}\?.*" for path in ("inferenceservices/[^/]+/status", "deployments/[^/]+/scale", "deployments/[^/]+")
)
EVENTS = r".*/events.*"


@pytest.mark.parametrize(
    ("fault", "path"),
    [(Fault.DELAY, DEPLOYMENT), (Fault.LATE, DEPLOYMENT), (Fault.DELAY, STATUS), (Fault.LATE, STATUS)],
    ids=["child-undone", "child-done", "status-undone", "status-done"],
)
def test_the_next_one_goes_on_with_a_service_that_is_half_made(team: Team, fault: Fault, path: str) -> None:
    proxy, operator = team.stand.proxy, team.stand.operator
    with proxy.hurting(KUBERNETES, fault, method="PATCH", path=path, seconds=LATE_SECONDS):
        service = team.serve(rate_rps=FOUR_PODS_RPS)
        until("it writes", lambda: proxy.hurt_so_far(KUBERNETES) > 0, within_seconds=60)
        assert operator.terminate(within_seconds=ENDS_WITHIN_SECONDS) == 0, operator.program.last_words()
        nothing_is_left_behind(team, service)
    operator.start()
    team.until_four(service)
    once_each(team)
    team.settle(service)


@pytest.mark.parametrize("fault", [Fault.DELAY, Fault.LATE], ids=["undone", "done"])
@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1)], ids=["grows", "shrinks"])
def test_the_next_one_goes_on_with_a_number_that_is_half_written(
    team: Team, fault: Fault, before: int, after: int
) -> None:
    proxy, operator, rates = team.stand.proxy, team.stand.operator, {1: ONE_POD_RPS, 4: FOUR_PODS_RPS}
    service = team.serve(rate_rps=rates[before])
    service.until_replicas(before, within_seconds=120)
    service.until_ready(replicas=before)
    with proxy.hurting(KUBERNETES, fault, method="PATCH", path=SCALE, seconds=LATE_SECONDS):
        team.behave(service.name, rate_rps=rates[after])
        until("it writes", lambda: proxy.hurt_so_far(KUBERNETES) > 0, within_seconds=60)
        assert operator.terminate(within_seconds=ENDS_WITHIN_SECONDS) == 0, operator.program.last_words()
        nothing_is_left_behind(team, service)
    operator.start()
    service.until_replicas(after, within_seconds=120)
    service.until_ready(replicas=after)
    team.settle(service)


def test_a_silent_api_server_keeps_nobody(team: Team) -> None:
    """Nobody can be given the Lease back: the next one waits until it has run out."""
    proxy, operator = team.stand.proxy, team.stand.operator
    service = team.serve_four()
    with proxy.hurting(KUBERNETES, Fault.DELAY, seconds=LATE_SECONDS):
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        until("it asks", lambda: proxy.hurt_so_far(KUBERNETES) > 0, within_seconds=30)
        assert operator.terminate(within_seconds=ENDS_WITHIN_SECONDS) == 0, operator.program.last_words()
    operator.start()
    service.until_replicas(1, within_seconds=120)
    team.settle(service)


def test_events_that_nobody_takes_keep_nobody(team: Team) -> None:
    proxy, operator = team.stand.proxy, team.stand.operator
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_replicas(1, within_seconds=120)
    with proxy.hurting(KUBERNETES, Fault.DELAY, method="POST", path=EVENTS, seconds=LATE_SECONDS):
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        until("an event waits", lambda: proxy.hurt_so_far(KUBERNETES) > 0, within_seconds=120)
        team.until_four(service)
        assert operator.terminate(within_seconds=ENDS_WITHIN_SECONDS) == 0, operator.program.last_words()
        nothing_is_left_behind(team, service)
    operator.start()
    team.settle(service)


def nothing_is_left_behind(team: Team, service: Service) -> None:
    """No finalizer that nobody would take away, no Lease that its successor would wait for, no child of nobody."""
    lease = team.stand.api.get(LEASE, LEASE_NAME, namespace=OPERATOR[0])
    assert lease is not None
    assert not lease["spec"].get("holderIdentity"), "the next one waits for the Lease of one that is gone"
    live = service.live()
    for one in (live, *children(service)):
        assert not one["metadata"].get("finalizers"), f"{one['metadata']['name']} waits for who is gone"
    for child in children(service):
        (owner,) = child["metadata"]["ownerReferences"]
        assert owner["uid"] == live["metadata"]["uid"]


def children(service: Service) -> list[Object]:
    return [child for resource in CHILDREN for child in service.children(resource)]


def once_each(team: Team) -> None:
    """What the one had made the other did not make again."""
    made = [
        (write.resource, write.name)
        for write in team.stand.audit.writes(since=team.began)
        if write.namespace == team.namespace
        and write.user == OPERATOR_USER
        and write.event["responseStatus"]["code"] == 201
    ]
    assert len(made) == len(set(made)), made
