"""The operator's process stands still for longer than its Lease lasts, and another leads by the time it wakes up."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES
from e2e.faults.stand.operator import LEADS, Operator
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.waiting import until
from foretide.adapters.lease import LeaseTimes
from foretide.api import group

pytestmark = pytest.mark.slow_fault

WRITE = {"method": "POST|PUT|PATCH|DELETE", "path": "(?!.*/leases).*"}
# An answer that comes while it stands still, and is the first that it reads when it wakes up.
LATE_SECONDS = 4.0
WATCHED_SECONDS = 6.0
# What Python says of a watch of kopf when the process ends at once, as it must.
KOPF_IS_CUT_OFF = "closing of asynchronous generator <async_generator object infinite_watch"
LEASE_SECONDS = LeaseTimes().duration_seconds


@pytest.mark.parametrize(
    ("answered_late", "model"),
    [
        (rf".*/inferenceservices/ranker/status\?.*{group.AUTOSCALE_MANAGER}.*", {}),
        (r".*/configmaps/.*", {"version": "2", "maxBatchSize": 16}),
    ],
    ids=["number", "child"],
)
def test_a_leader_that_was_overtaken_writes_nothing_when_it_wakes_up(
    team: Team, answered_late: str, model: dict[str, Any]
) -> None:
    """It stops between two writes, and the answer to the first is there when it wakes up."""
    first, proxy = team.stand.operator, team.stand.proxy
    first.expected.append(KOPF_IS_CUT_OFF)
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_ready(replicas=1)
    with team.stand.second_operator() as second:
        with proxy.hurting(KUBERNETES, Fault.LATE, method="PATCH", path=answered_late, seconds=LATE_SECONDS):
            service.change(model=model)
            team.behave(service.name, rate_rps=FOUR_PODS_RPS)
            until("it waits for an answer", lambda: proxy.hurt_so_far(KUBERNETES) > 0, within_seconds=60)
            first.stand_still()
            stood, said = first.program.pid, first.said
            second.until_leading()
        team.until_four(service)
        # The proxy hurts nobody and counts: the other one goes around it.
        proxy.hurt(KUBERNETES, Fault.DELAY, **WRITE)
        first.go_on()
        until("it is a follower", lambda: first.program.pid not in (0, stood) and follows(first), within_seconds=90)
        team.stays("the other one leads", lambda: second.metrics().get(LEADS) == 1, seconds=WATCHED_SECONDS)
        assert proxy.hurt_so_far(KUBERNETES) == 0, first.program.last_words()
        assert not first.faults(since=said)
        proxy.heal()
    first.until_leading()  # the other one has given the Lease back
    assert not second.faults()
    team.settle(service)


def test_one_that_stood_still_alone_goes_on(team: Team) -> None:
    """Nobody else wanted its Lease, which has run out all the same: it is taken anew before anything is written."""
    operator, service = team.stand.operator, team.serve_four()
    operator.expected.append(KOPF_IS_CUT_OFF)
    with team.in_the_dark(service):
        operator.stand_still()
        stood = operator.program.pid
        team.behave(service.name, rate_rps=2 * FOUR_PODS_RPS)
        team.stays("nothing moves", lambda: service.replicas() == 4, seconds=LEASE_SECONDS)
        operator.go_on()
        until("another process leads", lambda: operator.program.pid not in (0, stood), within_seconds=60)
        operator.until_leading()
        service.until("it grows", lambda _: service.replicas() > 4, within_seconds=60)
    team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.settle(service)


def follows(operator: Operator) -> bool:
    """Whether it runs, and says that another one leads."""
    return operator.metrics().get(LEADS) == 0
