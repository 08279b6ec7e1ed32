"""A watch ends with 410 Gone, with an error, with garbage or in the middle of a line: its kind is listed anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES
from e2e.faults.team import ONE_POD_RPS, Team
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CHILDREN, INFERENCE_SERVICE

pytestmark = pytest.mark.slow_fault

WATCHES: Final = ".*watch=.*"
OF_SERVICES: Final = f".*/{INFERENCE_SERVICE.plural}{WATCHES}"
# Each one of the next events, of whatever kind, becomes this.
ENDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "gone": {"fault": Fault.REWRITE, "transform": "ended", "number": 410},
    "error": {"fault": Fault.REWRITE, "transform": "ended", "number": 500},
    "garbage": {"fault": Fault.GARBLE},
    "half-a-line": {"fault": Fault.TRUNCATE, "bytes": 40},
}
TIMES: Final = 3
ACTED_ON_WITHIN_SECONDS: Final = 60.0


@pytest.mark.parametrize("end", ENDS)
def test_it_is_listed_anew_and_goes_on(team: Team, end: str) -> None:
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_ready(replicas=1)
    proxy, said = team.stand.proxy, team.stand.operator.said
    proxy.hurt(KUBERNETES, path=WATCHES, times=TIMES, **ENDS[end])
    service.change(scaling={"minReplicas": 2})  # this is one of those events
    service.until_replicas(2, within_seconds=ACTED_ON_WITHIN_SECONDS)
    until("the events are used up", lambda: proxy.hurt_so_far(KUBERNETES) == TIMES, within_seconds=60)
    proxy.heal()
    service.change(scaling={"minReplicas": 3})
    service.until_ready(replicas=3)
    assert end == "gone" or team.stand.operator.lines(since=said, of="it is listed anew")  # the first is usual
    team.settle(service)


def test_a_watch_that_cannot_be_opened_at_its_version_begins_anew(team: Team) -> None:
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_ready(replicas=1)
    proxy = team.stand.proxy
    proxy.hurt(KUBERNETES, Fault.TRUNCATE, path=OF_SERVICES, bytes=40, times=1)
    proxy.hurt(KUBERNETES, Fault.ANSWER, path=OF_SERVICES, status=410, times=2)
    service.change(scaling={"minReplicas": 2})
    service.until_replicas(2, within_seconds=ACTED_ON_WITHIN_SECONDS)
    proxy.heal()
    service.change(scaling={"minReplicas": 3})
    service.until_ready(replicas=3)
    team.settle(service)


@pytest.mark.usefixtures("unswept")
def test_a_service_that_vanishes_meanwhile_is_not_served_any_more(team: Team) -> None:
    """The bait: its deletion is the event that is lost, and a list does not show what is gone."""
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_ready(replicas=1)
    operator, proxy = team.stand.operator, team.stand.proxy
    until("the operator knows it", lambda: bool(_told_of(team)), within_seconds=30)
    proxy.hurt(KUBERNETES, Fault.GARBLE, path=OF_SERVICES)
    team.stand.api.delete(INFERENCE_SERVICE, service.name, namespace=team.namespace)
    # Until then it may make children once more, which go as their owner did.
    until("the operator forgets it", lambda: operator.metrics() and not _told_of(team), within_seconds=60)
    assert proxy.hurt_so_far(KUBERNETES)
    proxy.heal()
    until("its children are gone", lambda: not any(map(service.children, CHILDREN)), within_seconds=60)
    operator.until_ticks(3)
    assert not any(map(service.children, CHILDREN))
    assert not [each for each in team.broken() if "the service is deleted" not in each]
    assert not operator.faults(since=team.said)


def _told_of(team: Team) -> list[str]:
    """What the operator has in its memory of the services of the team."""
    return [series for series in team.stand.operator.metrics() if f'namespace="{team.namespace}"' in series]
