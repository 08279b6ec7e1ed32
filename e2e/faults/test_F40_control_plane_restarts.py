"""The API server dies and comes back; etcd does: watches go on, no child is made twice, and nothing shrinks."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest
from urllib3.exceptions import HTTPError

from e2e.faults.stand.control_plane import ControlPlane
from e2e.faults.stand.operator import Operator
from e2e.faults.team import Team
from e2e.installed import OPERATOR_USER
from e2e.scenarios.api import ApiRefused
from e2e.scenarios.service import Service
from e2e.scenarios.waiting import until
from foretide.adapters.lease import LEASE_NAME

pytestmark = pytest.mark.slow_fault

WATCHED_WITHIN_SECONDS: Final = 75.0
CREATED: Final = 201


def _restarts(plane: ControlPlane, operator: Operator, which: str) -> None:
    """It stays away until the operator knows: it could not renew its Lease."""
    said = operator.said

    def known() -> None:
        missed = f"{LEASE_NAME}: "
        until("the operator knows", lambda: bool(operator.lines(since=said, of=missed)), within_seconds=60)

    plane.restart(getattr(plane, which), meanwhile=known)


@pytest.mark.parametrize("which", ["apiserver", "etcd"])
def test_watches_go_on_and_no_child_is_made_twice(team: Team, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = team.stand.operator
    # kopf calls each attempt an error.
    monkeypatch.setattr(operator, "expected", [*operator.expected, "Request attempt"])
    service = team.serve_four()
    with team.in_the_dark(service):
        _restarts(team.stand.plane, operator, which)
        until("InferenceServices are served", lambda: _is_served(service), within_seconds=60)
        service.change(scaling={"minReplicas": 6})
        service.until_replicas(6, within_seconds=WATCHED_WITHIN_SECONDS)
        service.until("all are seen", lambda live: live["status"].get("readyReplicas") == 6, within_seconds=60)
    made = Counter(
        (write.resource, write.name)
        for write in team.stand.audit.writes(since=team.began)
        if write.namespace == team.namespace
        and write.user == OPERATOR_USER
        and write.event["responseStatus"]["code"] == CREATED
    )
    assert made
    assert max(made.values()) == 1, made
    team.settle(service)


def _is_served(service: Service) -> bool:
    try:
        return bool(service.live())
    except (ApiRefused, HTTPError):
        return False
