"""How long a load may take: never less than the pods have, and more only where the kubelet killed one for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foretide.api.conditions import rfc3339
from foretide.control.startup import LONGEST_SECONDS, budget_seconds
from tests.control import objects
from tests.control.cluster import Cluster
from tests.control.test_pods import CRASH_LOOP, ended

BEGAN = datetime(2025, 11, 22, 7, 59, 10, tzinfo=UTC)
HALF_AN_HOUR = 1800
# What the kubelet says of a container that it cannot find any more.
LOST = {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": None, "finishedAt": None}}


def deployment(seconds: int | None = HALF_AN_HOUR, *, period: int = 1) -> dict[str, Any]:
    probe = {} if seconds is None else {"startupProbe": {"periodSeconds": period, "failureThreshold": seconds}}
    template = {"spec": {"containers": [{"name": "triton", **probe}]}}
    return {"metadata": {"name": objects.DEPLOYMENT}, "spec": {"template": template}}


def killed(
    after: float, *, code: int = 143, reason: str = "Error", served: bool = False, now: bool = False, **pod: Any
) -> dict[str, Any]:
    """A pod whose only run of Triton ended after so many seconds."""
    times = {"startedAt": rfc3339(BEGAN), "finishedAt": rfc3339(BEGAN + timedelta(seconds=after))}
    end = ended(code, reason, **times)
    run = {"state": end, "lastState": {}} if now else {"state": CRASH_LOOP, "lastState": end}
    since = "2025-11-22T08:59:00Z" if served else "2025-11-22T07:59:01Z"
    return objects.pod("p", ready=False, since=since, container={**run, "restartCount": 0 if now else 1}, **pod)


def test_a_new_deployment_has_half_an_hour_whatever_earlier_pods_had() -> None:
    assert budget_seconds(None, [killed(1800.0)]) == HALF_AN_HOUR


@pytest.mark.parametrize("pod", [killed(1800.0), killed(1801.0, code=137), killed(1799.0, now=True)])
def test_a_load_that_the_kubelet_killed_has_twice_as_long_the_next_time(pod: dict[str, Any]) -> None:
    assert budget_seconds(deployment(), [objects.pod("ready"), pod]) == 3600
    assert budget_seconds(deployment(3600), [pod]) == 3600, "killed by the budget of before"


@pytest.mark.parametrize(
    "pod",
    [
        objects.pod("ready"),
        killed(1800.0, code=1),  # ended by itself
        killed(1800.0, code=137, reason="OOMKilled"),
        killed(900.0),  # a node that was drained, say
        killed(7200.0, served=True),  # by its liveness probe
        killed(1800.0, owner=objects.replica_set("ranker", hardware_class="gpu-t4")),
        objects.pod("p", ready=False, container={"state": CRASH_LOOP, "lastState": {"terminated": {"exitCode": 143}}}),
        objects.pod("p", ready=False, since="2025-11-22T07:59:01Z", container={"state": LOST, "lastState": {}}),
    ],
)
def test_nothing_else_changes_it(pod: dict[str, Any]) -> None:
    assert budget_seconds(deployment(), [pod]) == HALF_AN_HOUR
    assert budget_seconds(deployment(3600), [pod]) == 3600


@pytest.mark.parametrize(
    ("told", "granted"),
    [
        (None, 1800),
        (1, 1800),
        (1800, 1800),
        (3599, 1800),
        (7200, 7200),
        (9999, 7200),
        (14_400, 14_400),
        (10**6, 14_400),
    ],
)
def test_what_somebody_else_wrote_is_brought_to_a_step(told: int | None, granted: int) -> None:
    assert budget_seconds(deployment(told), []) == granted <= LONGEST_SECONDS


def test_it_ends_at_four_hours() -> None:
    seconds = HALF_AN_HOUR
    for _ in range(9):
        seconds = budget_seconds(deployment(seconds), [killed(float(seconds))])
    assert seconds == LONGEST_SECONDS == 4 * 3600


async def test_a_killed_load_rolls_pods_with_more_time_once_and_a_restart_does_not_take_it_back() -> None:
    def given(cluster: Cluster) -> int:
        (triton,) = cluster.deployment()["spec"]["template"]["spec"]["containers"]
        return int(triton["startupProbe"]["failureThreshold"])

    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service())
    assert given(cluster) == HALF_AN_HOUR
    cluster.seen(killed(1800.0))
    await cluster.reconcile()
    assert given(cluster) == 3600
    assert cluster.deployment()["spec"]["progressDeadlineSeconds"] > 3600
    writes = len(cluster.written("apply"))
    cluster.start_operator()
    cluster.seen(killed(1800.0))
    for _ in range(3):
        await cluster.reconcile()
    assert given(cluster) == 3600
    assert writes == 1
