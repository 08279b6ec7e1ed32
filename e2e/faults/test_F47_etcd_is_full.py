"""etcd is full: it reads and deletes, and nothing else. The operator waits, and goes on when there is room again."""

from __future__ import annotations

from typing import Final

import pytest

from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.api import ApiRefused
from e2e.scenarios.waiting import until
from foretide.adapters.lease import LEASE_NAME
from foretide.adapters.resources import CONFIG_MAP

pytestmark = pytest.mark.slow_fault

MISSES: Final = 10
NO_SPACE: Final = "database space exceeded"
BEGINS: Final = "waits for Lease"  # a life of the operator


def test_it_holds_without_a_crash_loop_and_recovers(team: Team) -> None:
    service = team.serve_four()
    operator, said = team.stand.operator, team.stand.operator.said
    with team.in_the_dark(service):
        with team.stand.plane.full():
            until("nothing can be written", lambda: _is_refused(team), within_seconds=30)
            team.behave(service.name, rate_rps=2 * FOUR_PODS_RPS)  # there is something to decide
            until(
                "the Lease is lost, and the next life waits for it",
                lambda: len(operator.lines(since=said, of=BEGINS)) == 1,
                within_seconds=90,
            )
            # A life that ended at what it cannot write would have ended by then.
            missed = f"{LEASE_NAME}: "
            waited = operator.said
            until(
                "it tries again and again",
                lambda: len(operator.lines(since=waited, of=missed)) >= MISSES,
                within_seconds=120,
            )
            assert len(operator.lines(since=said, of=BEGINS)) == 1, "a crash loop"
            assert operator.lines(since=said, of=NO_SPACE)
            assert service.replicas() == 4
        operator.until_leading()
        service.until("it grows", lambda _: service.replicas() > 5, within_seconds=60)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.until_four(service)  # a load that falls is no quiet one
    team.settle(service)


def _is_refused(team: Team) -> bool:
    probe = {"metadata": {"name": "probe", "namespace": team.namespace}, "data": {}}
    try:
        team.stand.api.apply(CONFIG_MAP, probe)
    except ApiRefused as refusal:
        return NO_SPACE in str(refusal)
    return False
