"""A service that moves to another hardware class: the new Deployment serves before the old one goes."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.serving.naming import deployment_name
from tests.control import objects
from tests.control.cluster import Cluster

MOVED = {"classes": ["gpu-t4"]}
NEW = deployment_name("ranker", "gpu-t4")


@pytest.fixture
async def cluster() -> Cluster:
    """A service with three replicas whose class was just changed."""
    cluster = Cluster(objects.hardware_class(), objects.hardware_class("gpu-t4"))
    await cluster.serve(objects.service(), replicas=3)
    status = {**cluster.object("InferenceService", "ranker").get("status", {}), "desiredReplicas": 3}
    cluster.add(objects.service(hardware=MOVED, generation=2, status=status))
    await cluster.reconcile()
    return cluster


def _deployments(cluster: Cluster) -> dict[str, dict[str, Any]]:
    return {name: obj for (kind, _, name), obj in cluster.kubernetes.objects.items() if kind == "Deployment"}


async def test_the_old_deployment_serves_until_the_new_one_is_complete(cluster: Cluster) -> None:
    assert set(_deployments(cluster)) == {objects.DEPLOYMENT, NEW}
    assert cluster.written("delete") == []
    cluster.settle()
    await cluster.reconcile()
    assert set(_deployments(cluster)) == {NEW}


async def test_the_service_is_ready_throughout_and_the_move_is_told_as_a_roll_out(cluster: Cluster) -> None:
    def told() -> tuple[dict[str, str], int]:
        status = cluster.status()
        return {entry["type"]: entry["status"] for entry in status["conditions"]}, status["readyReplicas"]

    during, ready = told()
    assert (during["Ready"], during["Reconciling"], during["ModelLoaded"], ready) == ("True", "True", "True", 3)
    cluster.settle()
    await cluster.reconcile()
    await cluster.reconcile()
    after, ready = told()
    assert (after["Ready"], after["Reconciling"], ready) == ("True", "False", 3)


async def test_the_new_deployment_starts_with_the_replicas_of_the_old_one(cluster: Cluster) -> None:
    assert _deployments(cluster)[NEW]["spec"]["replicas"] == 3


async def test_only_our_own_deployment_of_that_very_uid_is_deleted(cluster: Cluster) -> None:
    old = cluster.object("Deployment", objects.DEPLOYMENT)
    stranger = {**old, "metadata": {**old["metadata"], "name": "ranker-by-hand", "ownerReferences": []}}
    cluster.add(stranger)
    cluster.settle()
    await cluster.reconcile()
    deleted = {write.what: (write.name, write.body["uid"]) for write in cluster.written("delete")}
    assert deleted.keys() == {"delete Deployment", "delete PodDisruptionBudget"}
    assert deleted["delete Deployment"] == (objects.DEPLOYMENT, old["metadata"]["uid"])
    assert deleted["delete PodDisruptionBudget"][0] == objects.DEPLOYMENT
    assert "ranker-by-hand" in _deployments(cluster)


async def test_an_earlier_configuration_goes_when_no_pod_needs_it_any_more(cluster: Cluster) -> None:
    def files() -> list[str]:
        return [name for kind, _, name in cluster.kubernetes.objects if kind == "ConfigMap"]

    cluster.settle()
    await cluster.reconcile()
    (before,) = files()
    model = {"backend": "python", "source": {"configMap": {"name": "code"}}, "maxBatchSize": 16}
    cluster.add(objects.service(hardware=MOVED, model=model, generation=3, status=cluster.status()))
    await cluster.reconcile()
    assert before in files()
    assert len(files()) == 2
    cluster.settle()
    await cluster.reconcile()
    assert before not in files()
    assert len(files()) == 1
