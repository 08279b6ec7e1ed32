"""Children: applied when they changed or drifted, left alone when nothing did or when they are somebody else's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from foretide.api import group
from foretide.control.children import ForeignChild, Manifests
from tests.control import objects
from tests.control.cluster import Cluster, key

KINDS = ("ServiceAccount", "ConfigMap", "Service", "PodDisruptionBudget", "Deployment")
NAMES = {manifest["kind"]: manifest["metadata"]["name"] for manifest in objects.manifests()}


@pytest.fixture
async def cluster() -> Cluster:
    """One service that is up."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=3)
    return cluster


async def test_all_children_are_applied_in_the_order_in_which_they_need_each_other() -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    await cluster.reconcile()
    applied = cluster.written("apply")
    assert [(write.kind, write.name) for write in applied] == list(NAMES.items())
    assert {write.manager for write in applied} == {group.RECONCILE_MANAGER}
    assert all("replicas" not in write.body.get("spec", {}) for write in applied)


async def test_nothing_is_written_when_nothing_changed(cluster: Cluster) -> None:
    for _ in range(3):
        await cluster.reconcile()
    assert cluster.kubernetes.writes == []


async def test_a_new_process_writes_no_child(cluster: Cluster) -> None:
    before = dict(cluster.kubernetes.objects)
    cluster.start_operator()
    await cluster.reconcile()
    await cluster.reconcile()
    assert cluster.written("apply") == []
    assert cluster.written("scale") == []
    assert before.keys() == cluster.kubernetes.objects.keys()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_version_takes_back_what_it_no_longer_intends(cluster: Cluster, kind: str) -> None:
    """A field that only the old version set is no drift of the new one's; the digest of the whole says that it goes."""
    child = cluster.object(kind, NAMES[kind])
    (theirs,) = Manifests.of([{**child, "spec": {**child.get("spec", {}), "old": True}}]).load()
    cluster.add(theirs)
    cluster.start_operator()
    await cluster.reconcile()
    (write,) = cluster.written("apply")
    assert write.kind == kind
    assert "old" not in write.body.get("spec", {})
    await cluster.reconcile()
    assert len(cluster.written("apply")) == 1


async def test_a_class_without_resources_is_no_eternal_drift() -> None:
    """The API server drops `resources: {requests: {}, limits: {}}`; each pod event would apply the Deployment anew."""
    cluster = Cluster(objects.hardware_class(resources={}))
    await cluster.serve(objects.service())
    deployment = cluster.deployment()
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {}
    cluster.add(deployment)
    await cluster.reconcile()
    assert cluster.written("apply") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_that_was_edited_by_hand_is_repaired_alone(cluster: Cluster, kind: str) -> None:
    child = cluster.object(kind, NAMES[kind])
    labels = {**child["metadata"]["labels"], "app.kubernetes.io/component": "mine"}
    cluster.add({**child, "metadata": {**child["metadata"], "labels": labels}})
    await cluster.reconcile()
    assert [write.kind for write in cluster.written("apply")] == [kind]
    repaired = cluster.object(kind, NAMES[kind])
    assert repaired["metadata"]["labels"] == child["metadata"]["labels"]
    assert cluster.replicas() == 3


@pytest.mark.parametrize(
    ("part", "added", "compared"),
    [
        ("status", {"readyReplicas": 1}, False),
        ("metadata", {"resourceVersion": "9999", "generation": 7}, False),
        ("annotations", {"deployment.kubernetes.io/revision": "2"}, True),
        ("labels", {"team": "b"}, True),
        ("spec", {"paused": True}, True),
    ],
)
async def test_children_are_held_against_their_manifests_where_more_than_their_status_changed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, part: str, added: dict[str, Any], compared: bool
) -> None:
    await cluster.reconcile()
    loads, load = [], Manifests.load

    def counted(self: Manifests) -> list[Any]:
        loads.append(self)
        return load(self)

    monkeypatch.setattr(Manifests, "load", counted)
    child = copy.deepcopy(cluster.object("Deployment", objects.DEPLOYMENT))
    whose = child["metadata"] if part in ("labels", "annotations") else child
    whose[part] = {**whose.get(part, {}), **added}
    cluster.add(child)
    await cluster.reconcile()
    assert bool(loads) == compared
    assert cluster.written("apply") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_that_was_deleted_comes_back(cluster: Cluster, kind: str) -> None:
    cluster.remove(kind, NAMES[kind])
    await cluster.reconcile()
    assert [write.kind for write in cluster.written("apply")] == [kind]
    assert cluster.replicas() == 3 or kind == "Deployment"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "owners",
    [
        [],
        [{"kind": "Deployment", "name": "x", "uid": "theirs", "controller": True}],
        # the service of that name before it was deleted and made again
        [{"kind": group.INFERENCE_SERVICE_KIND, "name": "ranker", "uid": "an earlier one", "controller": True}],
        # an owner, but not the controller
        [{"kind": group.INFERENCE_SERVICE_KIND, "name": "ranker", "uid": "uid-of-ranker"}],
    ],
)
async def test_an_object_of_somebody_else_is_never_written(kind: str, owners: list[dict[str, Any]]) -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    metadata = {"name": NAMES[kind], "namespace": objects.NAMESPACE, "uid": "x", "ownerReferences": owners}
    theirs = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": "theirs"}
    cluster.kubernetes.objects[kind, objects.NAMESPACE, NAMES[kind]] = theirs  # without our labels no watch shows it
    with pytest.raises(ForeignChild):  # nothing tells of its end, so the queue tries again
        await cluster.reconcile()
    # Refused by its precondition was the last of these, which is an apply that asks for a new object.
    until_it = [f"apply {each}" for each in KINDS[: KINDS.index(kind) + 1]]
    assert [write.what for write in cluster.kubernetes.writes] == [*until_it, "status InferenceService"]
    assert cluster.object(kind, NAMES[kind]) == theirs
    cluster.kubernetes.writes.clear()
    assert cluster.condition("Stalled") == ("True", "ForeignChild")
    assert f"{kind} shop/{NAMES[kind]}" in str(cluster.status()["conditions"])
    del cluster.kubernetes.objects[kind, objects.NAMESPACE, NAMES[kind]]
    await cluster.reconcile()
    assert len(cluster.written("apply")) == len(KINDS) - KINDS.index(kind)
    assert cluster.condition("Stalled") == ("False", "NotStalled")


async def test_a_child_that_the_watch_has_not_shown_yet_is_not_taken_for_absent() -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    await cluster.reconcile()
    cluster.resize("ranker", 7)
    theirs = dict(cluster.kubernetes.objects)
    cluster.kubernetes.objects = {k: v for k, v in theirs.items() if k[0] in ("InferenceService", "HardwareClass")}
    cluster.start_operator()
    cluster.kubernetes.objects = theirs
    cluster.kubernetes.writes.clear()
    await cluster.reconcile()
    assert cluster.written("scale") == []  # not created by us: its replicas are what somebody made them
    assert cluster.replicas() == 7


async def test_an_answer_that_comes_late_brings_no_deleted_child_back(cluster: Cluster) -> None:
    """Deleted right after it was repaired, and the DELETED event is processed before the answer."""
    account = cluster.object("ServiceAccount", "ranker-triton")
    cluster.add({**account, "metadata": {**account["metadata"], "labels": {}}})
    cluster.kubernetes.written = lambda obj: cluster.remove(obj["kind"], obj["metadata"]["name"])
    await cluster.reconciler._children.apply(key(), Manifests.of([account]))
    assert cluster.world.child(key(), "ServiceAccount", "ranker-triton") is None
