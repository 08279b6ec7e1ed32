"""The judge of the fault matrix finds each breach, and none where there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from e2e.faults.fleet.behaviour import Behaviour
from e2e.faults.invariants import Circumstances, broken
from e2e.faults.stand.audit import Write
from foretide.api import group

US = "system:serviceaccount:foretide-system:foretide-operator"
KNOWN = Circumstances(user=US, since=0.0, tick_seconds=1.0, hold_seconds=5.0)
SCALING = {"minReplicas": 1, "maxReplicas": 8}
STATUS = "foretide.dev/v1alpha1/namespaces/shop/inferenceservices/ranker/status"


def write(
    at: float,
    verb: str,
    resource: str,
    name: str,
    *,
    answer: Any = None,
    body: Any = None,
    user: str = US,
    manager: str = group.AUTOSCALE_MANAGER,
    code: int = 200,
) -> Write:
    """One line of the log."""
    plural, _, subresource = resource.partition("/")
    ref = {"resource": plural, "namespace": "shop", "name": name}
    return Write(
        {
            "stageTimestamp": datetime.fromtimestamp(1_000_000 + at, UTC).isoformat(),
            "user": {"username": user},
            "verb": verb,
            "responseStatus": {"code": code},
            "requestURI": f"/apis/x?fieldManager={manager}",
            "objectRef": ref | ({"subresource": subresource} if subresource else {}),
            "requestObject": body,
            "responseObject": answer,
        }
    )


def scaled(at: float, replicas: int, **more: Any) -> Write:
    return write(at, "patch", "deployments/scale", "ranker--cpu", answer={"spec": {"replicas": replicas}}, **more)


def made(replicas: int) -> list[Write]:
    """A service, and its Deployment."""
    labels = {group.SERVICE_LABEL: "ranker"}
    deployment = {"metadata": {"name": "ranker--cpu", "uid": "d1", "labels": labels}, "spec": {"replicas": replicas}}
    return [
        _spec(0.0, SCALING),
        write(1.0, "patch", "deployments", "ranker--cpu", answer=deployment, manager="foretide"),
    ]


def _spec(at: float, scaling: dict[str, Any]) -> Write:
    answer = {"metadata": {"name": "ranker", "uid": "s1"}, "spec": {"scaling": scaling}}
    return write(at, "create", "inferenceservices", "ranker", answer=answer, user="team")


def told(at: float, reason: str, status: str = "True") -> Write:
    conditions = [{"type": "MetricsAvailable", "status": status, "reason": reason}]
    answer = {"metadata": {"name": "ranker"}, "spec": {"scaling": SCALING}, "status": {"conditions": conditions}}
    return write(at, "patch", "inferenceservices/status", "ranker", answer=answer, body={"status": {}})


def test_nothing_is_found_where_nothing_is() -> None:
    log = [*made(4), told(2, "MetricsComplete"), scaled(3, 6), scaled(20, 5), scaled(21, 4)]
    assert broken(log, KNOWN) == []


@pytest.mark.parametrize(
    ("log", "rule"),
    [
        ([*made(4), scaled(2, 9)], "I1"),
        ([*made(1), scaled(2, 0)], "I1"),
        ([*made(8), scaled(2, 5)], "I2"),
        ([*made(8), scaled(2.0, 7), scaled(2.1, 6)], "I2"),
        ([*made(3), scaled(2, 5), scaled(4, 4)], "I2"),
        ([*made(4), told(2, "PrometheusUnreachable", "False"), scaled(3, 3)], "I3"),
        ([*made(4), write(2, "patch", "inferenceservices", "ranker")], "I4"),
        ([*made(4), write(2, "patch", "deployments", "ranker--cpu", body={"spec": {"replicas": 4}})], "I4"),
        ([*made(4), scaled(2, 5, manager="foretide")], "I4"),
        ([*made(4), write(2, "delete", "deployments", "ranker--cpu", body={})], "I6"),
        ([*made(4), write(2, "delete", "deployments", "other", body={"preconditions": {"uid": "d9"}})], "I6"),
        ([*made(4), write(2, "delete", "inferenceservices", "ranker", user="team"), scaled(9, 5)], "I6"),
    ],
)
def test_each_breach_is_found(log: list[Write], rule: str) -> None:
    found = broken(log, KNOWN)
    assert found
    assert all(each.startswith(rule) for each in found), found


def test_two_managers_of_one_field_of_status_are_found() -> None:
    writes = [
        write(at, "patch", "inferenceservices/status", "ranker", body={"status": {"url": "x"}}, manager=manager)
        for at, manager in ((2.0, "foretide"), (3.0, "foretide-autoscaler"))
    ]
    assert [each[:2] for each in broken([*made(4), *writes], KNOWN)] == ["I4"]


def test_who_orders_may_have_any_step() -> None:
    log = [*made(8), _spec(5.0, {"minReplicas": 1, "maxReplicas": 2}), scaled(6, 2)]
    assert broken(log, KNOWN) == []


def test_a_shrink_in_a_declared_darkness_is_found() -> None:
    start = 1_000_000.0
    known = replace(KNOWN, unknown=[(("shop", "ranker"), start + 2, start + 6)])
    assert [each[:2] for each in broken([*made(4), scaled(3, 3)], known)] == ["I3"]
    assert broken([*made(4), scaled(7, 3)], known) == []


def test_a_shrink_below_what_the_load_needed_all_the_time_is_found() -> None:
    truth = {("shop", "ranker"): [(1_000_000.0, Behaviour(rate_rps=39.0, batch_seconds=0.1))]}
    assert [each[:2] for each in broken([*made(4), scaled(9, 3)], replace(KNOWN, truth=truth))] == ["I3"]
    low = {("shop", "ranker"): [*truth["shop", "ranker"], (1_000_003.0, Behaviour(rate_rps=20.0, batch_seconds=0.1))]}
    assert broken([*made(4), scaled(9, 3)], replace(KNOWN, truth=low)) == []


def test_writes_while_nothing_changes_are_found() -> None:
    start = 1_000_000.0
    known = replace(KNOWN, quiet=[(start + 10, start + 14)])
    assert broken([*made(4), told(11, "MetricsComplete"), told(13, "MetricsComplete")], known) == []
    assert [each[:2] for each in broken([*made(4), scaled(11, 5)], known)] == ["I5"]
    assert [
        each[:2] for each in broken([*made(4), *(told(10.5 + 0.3 * n, "MetricsComplete") for n in range(9))], known)
    ] == ["I5"]


def test_what_was_refused_or_only_asked_is_no_write() -> None:
    assert broken([*made(4), scaled(2, 9, code=409)], KNOWN) == []
    assert broken([*made(4), scaled(2, 9, manager="foretide-autoscaler&dryRun=All")], KNOWN) == []
