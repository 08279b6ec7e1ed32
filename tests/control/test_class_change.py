"""A service that moves to another hardware class: the new Deployment serves before the old one goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control import objects
from tests.control.cluster import Cluster

MOVED = {"classes": ["gpu-t4"]}


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
    assert set(_deployments(cluster)) == {"ranker-cpu-16", "ranker-gpu-t4"}
    assert cluster.written("delete") == []
    cluster.settle()
    await cluster.reconcile()
    assert set(_deployments(cluster)) == {"ranker-gpu-t4"}


async def test_the_new_deployment_starts_with_the_replicas_of_the_old_one(cluster: Cluster) -> None:
    assert _deployments(cluster)["ranker-gpu-t4"]["spec"]["replicas"] == 3


async def test_only_our_own_deployment_of_that_very_uid_is_deleted(cluster: Cluster) -> None:
    old = cluster.object("Deployment", "ranker-cpu-16")
    stranger = {**old, "metadata": {**old["metadata"], "name": "ranker-by-hand", "ownerReferences": []}}
    cluster.add(stranger)
    cluster.settle()
    await cluster.reconcile()
    assert [(write.name, write.body["uid"]) for write in cluster.written("delete")] == [
        ("ranker-cpu-16", old["metadata"]["uid"])
    ]
    assert "ranker-by-hand" in _deployments(cluster)
