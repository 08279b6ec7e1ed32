"""Of several hardware classes one that the API server, or the model's own crash, keeps out harms no other."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from foretide.adapters.errors import AdapterError, Rejected, Unavailable
from foretide.adapters.resources import POD
from foretide.api import group
from foretide.control.children import ForeignChild
from tests.control import objects
from tests.control.cluster import Cluster
from tests.control.test_divided import BOTH, CPU, GPU, ONE_REPLICA, asked, told, up
from tests.control.test_pods import CRASH_LOOP, LAST_LINES, ended

DENIED = Rejected('admission webhook "images" denied the request: not a known registry', reason="Forbidden")
INVALID = Rejected('Deployment.apps "x" is invalid: spec.template.spec.containers[0].image: x', reason="Invalid")


async def step(cluster: Cluster, ticks: int = 1, rps: float = 1.0, **room: int) -> dict[str, int]:
    """As `test_divided.step`, with a work queue that tries again what failed."""
    for _ in range(ticks):
        for _ in range(2):
            with suppress(Rejected):
                await cluster.reconcile()
            cluster.settle(**room)
        cluster.load(ranker=rps)
        await cluster.tick()
    return asked(cluster)


def new() -> Cluster:
    """A service that lists a GPU class before a CPU class, before anything of it was made."""
    cluster = Cluster(objects.hardware_class("gpu-t4"), objects.hardware_class("cpu-16"))
    cluster.add(objects.service(hardware=BOTH, scaling={"minReplicas": 2, "maxReplicas": 20}))
    return cluster


@pytest.mark.parametrize(("error", "reason"), [(DENIED, "Forbidden"), (INVALID, "ChildRefused")])
async def test_a_first_class_that_is_refused_leaves_all_to_the_next_and_is_tried_again(
    error: Rejected, reason: str
) -> None:
    cluster = new()
    cluster.kubernetes.denied[GPU] = error
    assert await step(cluster, 3) == {"cpu-16": 2}
    assert told(cluster) == {"gpu-t4": (0, 0, reason), "cpu-16": (2, 2, "InUse")}
    assert str(error) in cluster.status()["hardware"][0]["message"]
    assert cluster.condition("Ready") == ("True", "Available")
    assert cluster.condition("Stalled")[0] == "False"
    with pytest.raises(Rejected):  # so that the queue tries again
        await cluster.reconcile()
    assert await step(cluster, 3, rps=5 * ONE_REPLICA) == {"cpu-16": 5}
    cluster.kubernetes.denied.clear()
    await cluster.reconcile()
    assert asked(cluster) == {"gpu-t4": 0, "cpu-16": 5}
    assert await step(cluster, 6, rps=5 * ONE_REPLICA) == {"gpu-t4": 5}


async def test_a_deployment_of_somebody_else_with_the_name_of_one_class_keeps_no_other_from_serving() -> None:
    cluster = new()
    labels = {**objects.manifests()[-1]["metadata"]["labels"], group.HARDWARE_CLASS_LABEL: "gpu-t4"}
    metadata = {"name": GPU, "namespace": objects.NAMESPACE, "uid": "x", "labels": labels, "generation": 3}
    theirs: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": 7, "template": {"metadata": {}, "spec": {}}},
    }
    cluster.kubernetes.objects["Deployment", objects.NAMESPACE, GPU] = theirs
    cluster.seen(theirs)
    for _ in range(3):
        with pytest.raises(ForeignChild):
            await cluster.reconcile()
        cluster.settle(gpu_t4=0)
        cluster.load(ranker=1.0)
        await cluster.tick()
    assert cluster.object("Deployment", CPU)["spec"]["replicas"] == 2
    assert cluster.object("Deployment", GPU)["spec"] == theirs["spec"]
    assert [write for write in cluster.kubernetes.writes if write.name == GPU and write.kind == "Deployment"] == []
    assert told(cluster) == {"gpu-t4": (0, 0, "ForeignChild"), "cpu-16": (2, 2, "InUse")}


async def test_a_change_that_one_class_may_not_take_is_served_by_the_next_and_the_old_pods_leave() -> None:
    cluster = await up(3)
    cluster.kubernetes.denied[GPU] = INVALID
    model = {"version": "2", "backend": "python", "source": {"configMap": {"name": "code"}}, "maxBatchSize": 8}
    scaling = {"minReplicas": 3, "maxReplicas": 20}
    cluster.add(objects.service(hardware=BOTH, scaling=scaling, model=model, generation=2, status=cluster.status()))
    earlier = {name for kind, _, name in cluster.kubernetes.objects if kind == "ConfigMap"}
    with suppress(Rejected):
        await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "ChildRefused"), "an earlier version serves"
    assert cluster.condition("Ready") == ("True", "ChildRefused")
    await step(cluster, 1)
    assert asked(cluster)["gpu-t4"] == 3, "the others are not there yet"
    assert earlier <= {name for kind, _, name in cluster.kubernetes.objects if kind == "ConfigMap"}
    assert await step(cluster, 5) == {"gpu-t4": 0, "cpu-16": 3}
    assert told(cluster) == {"gpu-t4": (0, 0, "ChildRefused"), "cpu-16": (3, 3, "InUse")}
    assert cluster.condition("Stalled")[0] == "False"
    image = cluster.object("Deployment", CPU)["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]
    assert image["mountPath"].endswith("/2")


@pytest.mark.parametrize("name", ["ranker", "ranker-triton"])
async def test_what_all_classes_need_is_needed_by_all(name: str) -> None:
    cluster = new()
    cluster.kubernetes.denied[name] = DENIED
    with pytest.raises(Rejected):
        await cluster.reconcile()
    assert asked(cluster) == {}
    assert cluster.condition("Stalled") == ("True", "Forbidden")


async def test_where_every_class_is_refused_the_service_is() -> None:
    cluster = new()
    cluster.kubernetes.denied |= {GPU: INVALID, CPU: DENIED}
    for _ in range(3):
        with pytest.raises(Rejected):
            await cluster.reconcile()
    assert cluster.condition("Stalled")[0] == "True"
    assert cluster.condition("Ready")[0] == "False"
    cluster.kubernetes.denied.clear()
    assert await step(cluster, 2) == {"gpu-t4": 2}


async def test_a_refusal_that_may_pass_is_waited_for() -> None:
    cluster = await up(2)
    down: AdapterError = Unavailable("webhook timed out", reason="InternalError")
    cluster.kubernetes.denied[GPU] = down
    cluster.start_operator()
    model = {"version": "2", "backend": "python", "source": {"configMap": {"name": "code"}}, "maxBatchSize": 8}
    scaling = {"minReplicas": 2, "maxReplicas": 20}
    cluster.add(objects.service(hardware=BOTH, scaling=scaling, model=model, generation=2, status=cluster.status()))
    cluster.kubernetes.denied[GPU] = down
    with pytest.raises(Unavailable):
        await cluster.reconcile()
    assert asked(cluster) == {"gpu-t4": 2}


def crashing(cluster: Cluster) -> None:
    """Triton ends at the start in each pod of the GPU class."""
    for pod, shown in cluster.pods.items():
        if pod.name.startswith(GPU):
            dead = {"state": CRASH_LOOP, "lastState": ended(1, message=LAST_LINES), "restartCount": 4}
            owner = objects.replica_set("ranker", hardware_class="gpu-t4")
            since = "2025-11-22T07:59:00Z"
            cluster.pods[pod] = objects.pod(pod.name, ready=False, owner=owner, container=dead, since=since)
            cluster.world.seen(POD, cluster.pods[pod])
            assert shown is not None
    gpu = cluster.object("Deployment", GPU)
    cluster.add({**gpu, "status": {**gpu["status"], "readyReplicas": 0}})


async def test_a_class_whose_pods_crash_stalls_a_service_until_others_carry_all() -> None:
    cluster = new()
    await cluster.reconcile()
    cluster.settle()
    crashing(cluster)
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "ModelLoadFailed")
    for _ in range(4):
        cluster.load(ranker=1.0)
        await cluster.tick()
        await cluster.reconcile()
        cluster.settle()
        crashing(cluster)
    await cluster.reconcile()
    assert asked(cluster)["cpu-16"] == 2
    assert told(cluster)["gpu-t4"][2] == "ReplicasCrashing"
    assert cluster.condition("Ready") == ("True", "MinimumReplicasAvailable")
    assert cluster.condition("Stalled")[0] == "False"
    assert cluster.condition("ModelLoaded")[0] == "True"
    cpu = cluster.object("Deployment", CPU)
    cluster.add({**cpu, "status": {**cpu["status"], "readyReplicas": 1}})
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "ModelLoadFailed"), "one of two"
