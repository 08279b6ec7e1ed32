"""Many services, and three of them poisoned in one way each: the others are decided on in every tick."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import pytest

from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.api import NAMESPACE
from e2e.scenarios.conditions import condition
from e2e.scenarios.service import Service
from e2e.scenarios.waiting import until
from foretide.adapters.resources import INFERENCE_SERVICE, SERVICE, Object

pytestmark = pytest.mark.slow_fault

# On any machine: a control plane makes some 20 objects of a kind in a second.
MADE_WITHIN_SECONDS: Final = 300.0
TICKS: Final = 'foretide_ticks_total{{result="{}"}}'
COUNTERS: Final = ("nv_inference_request_success", "nv_inference_count")


def crowd_of(size: int) -> list[str]:
    """Names, half of them before and half of them after those of the poisoned, in the order in which rows are."""
    return [f"{'az'[number % 2]}-{number:03}" for number in range(size)]


def desired(team: Team) -> dict[str, float]:
    """The number that the last tick decided on, by service of the team."""
    head, tail = f'foretide_desired_replicas{{namespace="{team.namespace}",service="', '"}'
    told = team.stand.operator.metrics()
    return {name.removeprefix(head).removesuffix(tail): one for name, one in told.items() if name.startswith(head)}


def garbage() -> dict[str, Any]:
    """All that the schema lets through: whoever may patch a status can write it."""
    entry = {"message": "\u202e" * 500, "lastTransitionTime": "1970-01-01T00:00:00Z", "observedGeneration": 2**53}
    kinds = ("MetricsAvailable", "ScalingActive", "Ready")
    words = {"from": 2**31 - 1, "to": 0, "time": "9999-12-31T23:59:59Z", "bound": "?", "reason": "?", "text": "{}[]%s"}
    return {
        "memory": '{"v":5,"uid":' + "[" * 5_000,
        "desiredReplicas": 2**31 - 1,
        "observedGeneration": 2**53,
        "conditions": [{"type": kind, "status": "Unknown", "reason": "Nonsense", **entry} for kind in kinds],
        "decisions": [words] * 10,
        "hardware": [{"class": "?", "replicas": 9, "counted": 2**31 - 1, "ready": 0, "reason": "?", "message": ""}],
        "capacity": {"perReplica": "NaN", "batchTime": {"perItem": "-1s", "fixed": "?"}, "source": "Measured"},
        "slo": {"attainment": "-1e400", "budgetLeft": "NaN", "source": "Histogram"},
    }


def test_the_others_are_decided_on_in_every_tick(team: Team) -> None:
    stand, names = team.stand, crowd_of(100)
    crowd = {name: team.serve(name) for name in names}
    absurd, garbled = (team.serve(f"m-{word}", rate_rps=FOUR_PODS_RPS) for word in ("absurd", "garbled"))
    ports = {"ports": [{"port": 80}]}
    stand.api.apply(SERVICE, {"metadata": {"name": "m-refused", "namespace": team.namespace}, "spec": ports})
    refused = team.serve("m-refused")
    everybody = {*names, absurd.name, garbled.name}
    until("all are decided on", lambda: desired(team).keys() >= everybody, within_seconds=MADE_WITHIN_SECONDS)
    for service in (absurd, garbled):
        team.until_four(service)

    stand.operator.end()
    change = {"status": garbage()}
    stand.api.patch(INFERENCE_SERVICE, garbled.name, change, namespace=team.namespace, subresource="status")
    team.behave(absurd.name, values=dict.fromkeys(COUNTERS, "NaN"))
    stand.operator.start()
    with team.in_the_dark(absurd):
        team.until_told(absurd, "MetricsAvailable", "False", "NotFinite", within_seconds=60)
        team.until_told(refused, "Ready", "False", "ForeignChild", within_seconds=60)
        rebuilt(garbled)
        before = stand.operator.metrics()
        grow(team, [crowd[name] for name in (names[0], names[1], names[-2], names[-1])])
        assert desired(team).keys() >= everybody
        after = stand.operator.metrics()
        team.behave(absurd.name, values={})
    assert after[TICKS.format("done")] >= before[TICKS.format("done")] + 2
    for result in ("fault", "timeout"):
        assert after.get(TICKS.format(result), 0.0) == before.get(TICKS.format(result), 0.0) == 0.0

    stand.api.delete(SERVICE, refused.name, namespace=team.namespace)
    team.until_told(refused, "Ready", "True", "Available", within_seconds=120)
    team.settle(absurd, garbled, refused)
    leave(team)


def rebuilt(service: Service) -> None:
    """Nothing is left of what others wrote, but for decisions: an operator that starts cannot tell them from those of
    the one before, and ten of its own push them out."""

    def is_ours(live: Object) -> bool:
        status = live.get("status", {})
        text = str({name: told for name, told in status.items() if name != "decisions"})
        return (
            status.get("desiredReplicas") == 4
            and condition(live, "MetricsAvailable").get("reason") == "MetricsComplete"
            and not any(word in text for word in ("[[[", "\u202e", "9999-", "{}[]%s", "-1e400", "'?'"))
        )

    service.until("its status is the operator's own", is_ours, within_seconds=60)


def grow(team: Team, services: list[Service]) -> None:
    for service in services:
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    for service in services:
        until("it grows", partial(has_four, service), within_seconds=90, shows=service.story)


def has_four(service: Service) -> bool:
    return service.replicas() >= 4


def leave(team: Team) -> None:
    """So many are gone before another test begins."""
    team.stand.api.delete(NAMESPACE, team.namespace)
    until(
        "the namespace is gone",
        lambda: team.stand.api.get(NAMESPACE, team.namespace) is None,
        within_seconds=MADE_WITHIN_SECONDS,
    )
