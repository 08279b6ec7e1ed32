"""Watches stay open and tell nothing more: they are opened anew, and what happened meanwhile is acted on."""

from __future__ import annotations

from typing import Final

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES
from e2e.faults.stand.operator import HOLD_SECONDS
from e2e.faults.team import ONE_POD_RPS, Team
from e2e.scenarios.waiting import until
from foretide.adapters.resources import INFERENCE_SERVICE, POD, Resource
from foretide.app.watching import SILENCE_SECONDS

pytestmark = [pytest.mark.slow_fault, pytest.mark.usefixtures("unswept")]

SILENT: Final = (INFERENCE_SERVICE, POD)
WATCHES: Final = rf".*/({'|'.join(kind.plural for kind in SILENT)})\?.*watch=.*"
# Each of two serves its half with room to spare; one alone cannot.
TWO_PODS_RPS: Final = 11.0
OPENED_ANEW_WITHIN_SECONDS: Final = SILENCE_SECONDS + 20.0


def test_what_happened_in_the_silence_is_acted_on(team: Team) -> None:
    service = team.serve_four()
    pods = {pod["metadata"]["name"] for pod in service.pods()}
    with team.in_the_dark(service):
        team.stand.proxy.hurt(KUBERNETES, Fault.FREEZE, path=WATCHES)
        service.change(scaling={"minReplicas": 6})
        # The bait: who believes that this one still serves needs no other.
        team.stand.api.delete(POD, min(pods), namespace=team.namespace, grace_seconds=0)
        until("both are silent", lambda: team.stand.proxy.hurt_so_far(KUBERNETES) >= 2, within_seconds=30)
        told = [_told(team, kind) for kind in SILENT]
        team.stand.operator.until_ticks(2)
        assert [_told(team, kind) for kind in SILENT] == told, "they are not silent"
        team.stand.proxy.heal()  # those that are silent stay so
        until(
            "both are opened anew",
            lambda: all(_told(team, kind) != before for kind, before in zip(SILENT, told, strict=True)),
            within_seconds=OPENED_ANEW_WITHIN_SECONDS,
        )
        service.until_replicas(6, within_seconds=30)
        service.until("all are seen", lambda live: live["status"].get("readyReplicas") == 6, within_seconds=60)
    team.settle(service)


def test_replicas_that_came_in_the_silence_are_not_taken_away(team: Team) -> None:
    """Half of the load moves to the second one, and to the operator, which sees the first alone, it seems to fall."""
    service = team.serve(rate_rps=ONE_POD_RPS)
    service.until_ready(replicas=1)
    team.until_told(service, "MetricsAvailable", "True", "MetricsComplete")
    team.stand.proxy.hurt(KUBERNETES, Fault.FREEZE, path=r".*watch=.*")
    team.behave(service.name, rate_rps=TWO_PODS_RPS)
    service.until_replicas(2, within_seconds=30)
    team.stays("two replicas", lambda: service.replicas() >= 2, seconds=4 * HOLD_SECONDS)
    team.settle(service)


def _told(team: Team, kind: Resource) -> float:
    """How many events of the kind the operator was told of."""
    return team.stand.operator.metrics().get(f'foretide_watch_events_total{{kind="{kind.kind}"}}', 0.0)
