"""Pods that do not start, from the API server's objects to what is asked for (F22 to F26, F35)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from foretide.adapters.resources import DEPLOYMENT, POD
from foretide.api.conditions import rfc3339
from foretide.control.stuck import UNSCHEDULABLE_SECONDS, hindered, without_age
from foretide.scaling.decision import Hindrance
from tests.control import objects
from tests.control.cluster import TICK_SECONDS, Cluster
from tests.control.fakes import FakeClock

ONE_REPLICA = 4.0  # items a second, with some room
NOW = FakeClock().seconds
NO_NODE = {"status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu."}
BACKOFF = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}
QUOTA = 'pods "ranker--cpu-16-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4'


def at(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def deployment(*, replicas: int, existing: int | None = None, ready: int = 0, refusal: str = "") -> dict[str, Any]:
    there = replicas if existing is None else existing
    status: dict[str, Any] = {"replicas": there, "updatedReplicas": there, "readyReplicas": ready}
    if refusal:
        status["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": refusal}]
    return {"metadata": {"name": objects.DEPLOYMENT}, "spec": {"replicas": replicas}, "status": status}


def waiting(name: str, *, since: float) -> dict[str, Any]:
    return objects.pod(name, ready=False, scheduled={**NO_NODE, "lastTransitionTime": at(since)})


def crashing(name: str, *, restarts: int = 2, served: bool = False, created: float = NOW - 300.0) -> dict[str, Any]:
    since = created + (200.0 if served else 2.0)
    container = {**BACKOFF, "restartCount": restarts}
    return objects.pod(name, ready=False, created=at(created), since=at(since), container=container)


def uncreated(name: str, why: str = "ImagePullBackOff", *, placed: float = NOW - 120.0) -> dict[str, Any]:
    """A pod that no image was ever pulled for, say."""
    container = {"state": {"waiting": {"reason": why}}}
    return objects.pod(name, ready=False, created=at(placed), since=at(placed + 1.0), container=container)


NO_TIME = {"lastTransitionTime": None}
LONG = NOW - UNSCHEDULABLE_SECONDS
FOREIGN = objects.pod("x", owner=objects.replica_set("other"), scheduled={**NO_NODE, "lastTransitionTime": at(LONG)})


@pytest.mark.parametrize(
    ("shown", "pods", "expected"),
    [
        (deployment(replicas=2), [objects.pod("a"), objects.pod("b")], (Hindrance.NONE, 0, 2)),
        (deployment(replicas=2), [objects.pod("a"), waiting("b", since=LONG)], (Hindrance.UNSCHEDULABLE, 1, 1)),
        # A node is just being added, perhaps.
        (deployment(replicas=2), [objects.pod("a"), waiting("b", since=LONG + 1.0)], (Hindrance.NONE, 0, 2)),
        (deployment(replicas=2), [objects.pod("a"), crashing("b")], (Hindrance.CRASHING, 1, 1)),
        # Once is an accident, and who served before needs more beside it.
        (deployment(replicas=2), [objects.pod("a"), crashing("b", restarts=0)], (Hindrance.NONE, 0, 2)),
        (deployment(replicas=2), [objects.pod("a"), crashing("b", served=True)], (Hindrance.NONE, 0, 2)),
        (deployment(replicas=2), [objects.pod("a"), uncreated("b")], (Hindrance.UNCREATED, 1, 1)),
        (
            deployment(replicas=3),
            [objects.pod("a"), uncreated("b", "ErrImagePull"), uncreated("c", "CreateContainerConfigError")],
            (Hindrance.UNCREATED, 2, 1),
        ),
        # A registry that fails once, and an image that is just being pulled.
        (deployment(replicas=2), [objects.pod("a"), uncreated("b", placed=NOW - 119.0)], (Hindrance.NONE, 0, 2)),
        (deployment(replicas=2), [objects.pod("a"), uncreated("b", "ContainerCreating")], (Hindrance.NONE, 0, 2)),
        # A roll-out whose new pods crash beside four old ones that serve.
        (
            deployment(replicas=4, existing=6, ready=4),
            [*(objects.pod(name) for name in "abcd"), crashing("e"), crashing("f")],
            (Hindrance.CRASHING, 2, 4),
        ),
        (
            deployment(replicas=6),
            [objects.pod("a"), crashing("b"), waiting("c", since=LONG), waiting("d", since=LONG)],
            (Hindrance.UNSCHEDULABLE, 2, 1),
        ),
        (deployment(replicas=6, existing=4, refusal=QUOTA), [objects.pod("a")], (Hindrance.REFUSED, 2, 1)),
        (deployment(replicas=4, existing=4, refusal=QUOTA), [objects.pod("a")], (Hindrance.NONE, 0, 1)),
        # What the watch has not shown, the Deployment counts.
        (deployment(replicas=6, ready=5), [crashing("b")], (Hindrance.CRASHING, 1, 5)),
        # Leaving, ended, somebody else's.
        (deployment(replicas=1), [objects.pod("a"), objects.pod("b", terminating=True)], (Hindrance.NONE, 0, 1)),
        (deployment(replicas=1), [objects.pod("a"), FOREIGN], (Hindrance.NONE, 0, 1)),
        (deployment(replicas=1), [], (Hindrance.NONE, 0, 0)),
        # Times that are left out are none.
        (deployment(replicas=1), [objects.pod("a", ready=False, scheduled=NO_NODE | NO_TIME)], (Hindrance.NONE, 0, 1)),
    ],
)
def test_what_keeps_replicas_from_starting(
    shown: dict[str, Any], pods: list[dict[str, Any]], expected: tuple[Hindrance, int, int]
) -> None:
    assert hindered(shown, pods, now_seconds=NOW) == expected


def test_pods_that_do_not_start_have_no_age() -> None:
    """How long they will take nobody knows, and one that just starts is as old as it is."""
    starting = objects.pod("d", ready=False)
    pods = [objects.pod("a"), waiting("b", since=LONG), crashing("c"), starting, uncreated("e")]
    assert without_age(deployment(replicas=5), pods, now_seconds=NOW) == {"b", "c", "e"}
    assert without_age(deployment(replicas=2), [waiting("b", since=LONG + 1.0)], now_seconds=NOW) == frozenset()


async def up(*, replicas: int = 4) -> Cluster:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=replicas)
    await cluster.live(1, ranker=3.5 * replicas)
    cluster.kubernetes.writes.clear()
    return cluster


def only_serve(cluster: Cluster, count: int, *, spoilt: Any) -> None:
    """Of the pods of the Deployment so many serve; the rest is what `spoilt` makes of a name."""
    cluster.settle()
    for number, pod in enumerate(list(cluster.pods)):
        if number >= count:
            cluster.world.seen(POD, spoilt(pod.name))
            del cluster.pods[pod]
    shown = objects.running(cluster.deployment(), ready=count)
    cluster.world.seen(DEPLOYMENT, shown)


async def live(cluster: Cluster, ticks: int, rps: float, *, serving: int, spoilt: Any) -> list[int]:
    sizes = []
    for _ in range(ticks):
        only_serve(cluster, serving, spoilt=spoilt)
        cluster.load(ranker=rps)
        await cluster.tick()
        sizes.append(cluster.replicas())
    return sizes


def message(cluster: Cluster, kind: str) -> str:
    return next(str(one["message"]) for one in cluster.status()["conditions"] if one["type"] == kind)


async def test_where_no_node_has_room_no_more_is_asked_for_until_one_has() -> None:
    """F24."""
    cluster = await up()
    since = NOW + TICK_SECONDS

    def unplaced(name: str) -> dict[str, Any]:
        return waiting(name, since=since)

    sizes = await live(cluster, 30, 6 * ONE_REPLICA, serving=4, spoilt=unplaced)
    assert set(sizes) == {6}, "what the load asks for is asked for once"
    assert cluster.condition("ScalingLimited") == ("True", "Unschedulable")
    sizes = await live(cluster, 20, 15 * ONE_REPLICA, serving=4, spoilt=unplaced)
    assert set(sizes) == {6}, "more of them would only wait, too"
    assert message(cluster, "ScalingLimited") == (
        "of the replicas no node has room for 2 of 6, so no more than 6 are asked for until they start"
    )
    writes = len(cluster.kubernetes.writes)
    await live(cluster, 20, 15 * ONE_REPLICA, serving=4, spoilt=unplaced)
    assert len(cluster.kubernetes.writes) == writes, "a status at rest is written no more"
    assert (await cluster.live(2, ranker=15 * ONE_REPLICA))[-1] == 14, "with the nodes growth goes on by itself"
    assert cluster.condition("ScalingLimited") == ("False", "WithinLimits")


async def test_pods_without_a_node_make_no_start_look_long() -> None:
    """In a full cluster a lead time of as long as they wait would ask for all that comes until then, and keep it."""
    cluster = await up()
    usual = float((await cluster.tick()).decisions.plan.lead_seconds[0])
    since = NOW + TICK_SECONDS
    await live(cluster, 60, 6 * ONE_REPLICA, serving=4, spoilt=lambda name: waiting(name, since=since))
    assert float((await cluster.tick()).decisions.plan.lead_seconds[0]) <= usual


async def test_new_pods_that_crash_are_not_answered_with_more_and_may_go() -> None:
    """F23, k8s#87199."""
    cluster = await up()
    sizes = await live(cluster, 40, 9 * ONE_REPLICA, serving=4, spoilt=crashing)
    assert set(sizes) == {9}
    assert set(await live(cluster, 20, 18 * ONE_REPLICA, serving=4, spoilt=crashing)) == {9}
    assert cluster.condition("ScalingLimited") == ("True", "ReplicasCrashing")
    assert (await live(cluster, 60, 3 * ONE_REPLICA, serving=4, spoilt=crashing))[-1] <= 4, "shrinking is allowed"


async def test_new_pods_whose_image_is_gone_are_not_answered_with_more() -> None:
    cluster = await up()

    def pullless(name: str) -> dict[str, Any]:
        return uncreated(name, placed=NOW)

    assert set(await live(cluster, 20, 9 * ONE_REPLICA, serving=4, spoilt=pullless)) == {9}
    assert set(await live(cluster, 20, 18 * ONE_REPLICA, serving=4, spoilt=pullless)) == {9}
    assert cluster.condition("ScalingLimited") == ("True", "ContainersNotCreated")


async def test_a_quota_of_the_namespace_is_told_in_its_own_words_and_not_asked_against_for_ever() -> None:
    """F35."""
    cluster = await up()
    for tick in range(30):
        shown = objects.running(cluster.deployment(), ready=4)
        there = {**shown["status"], "replicas": 4, "updatedReplicas": 4}
        refused = {"type": "ReplicaFailure", "status": "True", "message": QUOTA}
        cluster.world.seen(DEPLOYMENT, {**shown, "status": {**there, "conditions": [refused] if tick else []}})
        cluster.load(ranker=(6 if tick < 3 else 15) * ONE_REPLICA)
        await cluster.tick()
    assert cluster.replicas() == 6
    assert cluster.condition("ScalingLimited") == ("True", "QuotaExceeded")
    assert QUOTA in message(cluster, "ScalingLimited")
    assert len(cluster.written("scale")) == 1
    assert len(cluster.kubernetes.writes) < 8


def test_a_second_death_counts_from_when_it_is_seen_to_when_it_is_counted() -> None:
    """The states of a container that crashes at each start, in the order in which the kubelet shows them."""
    ended: dict[str, Any] = {"terminated": {"exitCode": 1}}
    back_off: dict[str, Any] = {"waiting": {"reason": "CrashLoopBackOff"}}
    running: dict[str, Any] = {"running": {}}
    states = [(running, {}, 0), (ended, {}, 0), (back_off, ended, 0), (running, ended, 1)]
    states += [(ended, ended, 1), (back_off, ended, 1), (running, ended, 2), (ended, ended, 2), (back_off, ended, 2)]
    counts = []
    for state, last, restarts in states:
        pod = crashing("a")
        pod["status"]["containerStatuses"][0] |= {"state": state, "lastState": last, "restartCount": restarts}
        counts.append(hindered(deployment(replicas=1), [pod], now_seconds=NOW).stuck)
    assert counts == [0] * 4 + [1] * 5


@pytest.mark.parametrize("poison", ["container", "time", "managed fields"])
async def test_an_object_that_is_not_as_it_should_be_fails_no_other_service(
    poison: str, caplog: pytest.LogCaptureFixture
) -> None:
    """P9."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), objects.service("aardvark"), replicas=4)
    cluster.load(ranker=8 * ONE_REPLICA, aardvark=ONE_REPLICA)
    pod = waiting("x", since=NOW) if poison == "time" else crashing("x")
    pod = {**pod, "metadata": {**pod["metadata"], "ownerReferences": [objects.replica_set("aardvark")]}}
    pod["metadata"]["labels"] = {**pod["metadata"]["labels"], "foretide.dev/service": "aardvark"}
    if poison == "container":
        del pod["status"]["containerStatuses"][0]["state"]
    elif poison == "time":
        pod["status"]["conditions"][0]["lastTransitionTime"] = "yesterday"
    shown = objects.running(cluster.deployment("aardvark"), ready=3)
    if poison == "managed fields":
        shown = {**shown, "metadata": {**shown["metadata"], "generation": 99, "managedFields": [{}]}}
    cluster.world.seen(DEPLOYMENT, shown)
    cluster.world.seen(POD, pod)
    outcome = await cluster.tick()
    assert outcome.failed_writes == 0
    assert cluster.replicas() == 8
    assert f"{objects.NAMESPACE}/aardvark" in next(one.getMessage() for one in caplog.records if one.exc_info)


async def test_a_model_that_loads_for_minutes_is_not_asked_for_twice() -> None:
    """F22: pods that start are capacity to come."""
    cluster = await up()

    def loading(name: str) -> dict[str, Any]:
        return objects.pod(name, ready=False, created=at(NOW), since=at(NOW))

    assert set(await live(cluster, 20, 9 * ONE_REPLICA, serving=4, spoilt=loading)) == {9}
    assert cluster.condition("ScalingLimited") == ("False", "WithinLimits")


async def test_the_surge_of_a_roll_out_makes_no_ratchet() -> None:
    """F25, k8s#72775: 383 -> 479 -> 589 -> 664 pods."""
    cluster = await up(replicas=8)
    for tick in range(20):
        cluster.settle()
        surge = [objects.pod(f"{objects.DEPLOYMENT}-new-{number}", ready=tick % 2 == 0) for number in range(2)]
        for pod in surge:
            cluster.world.seen(POD, pod)
        shown = objects.running(cluster.deployment())
        rolling = {**shown["status"], "replicas": 10, "updatedReplicas": 2 + tick % 6}
        cluster.world.seen(DEPLOYMENT, {**shown, "status": rolling})
        cluster.load(ranker=7.5 * ONE_REPLICA)
        await cluster.tick()
    assert cluster.replicas() == 8
    assert cluster.written("scale") == []


async def test_pods_that_take_half_an_hour_to_leave_are_neither_capacity_nor_awaited() -> None:
    """F26, k8s#83561."""
    cluster = await up()
    for number in range(6):
        leaving = objects.pod(f"{objects.DEPLOYMENT}-old-{number}", terminating=True)
        cluster.world.seen(POD, leaving)
    sizes = await cluster.live(120, ranker=3.5 * ONE_REPLICA)
    assert set(sizes) == {4}
    assert cluster.condition("MetricsAvailable") == ("True", "MetricsComplete")
    assert (await cluster.live(1, ranker=6 * ONE_REPLICA)) == [6]


async def test_a_pod_that_is_ready_without_its_model_is_no_idle_one() -> None:
    """F21: Triton without a loaded model has no series of it, which is not a load of 0 (server#2755)."""
    cluster = await up()
    sizes = []
    for _ in range(60):
        cluster.load(ranker=4 * 3.5)
        for series in cluster.prometheus.samples.values():
            for pod in list(series)[2:]:
                del series[pod]
        await cluster.tick()
        cluster.settle()
        sizes.append(cluster.replicas())
    assert set(sizes) == {4}
    assert cluster.condition("MetricsAvailable") == ("False", "PartialSeries")
