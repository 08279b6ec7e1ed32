"""Reconcile: from any state the same spec ends in the same children, and status says what keeps it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from foretide.adapters.errors import NAMESPACE_TERMINATING, AdapterError, Conflict, Rejected, Unavailable
from foretide.adapters.resources import DEPLOYMENT, resource_of
from foretide.api import group
from foretide.control.children import ForeignChild
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import API_DOWN
from tests.control.test_download_log import NO_BUCKET, NOTHING
from tests.control.test_pods import CRASH_LOOP, INITIALIZING, LAST_LINES, ended
from tests.control.test_triton_log import LAST, NOISE, RAISED

FORBIDDEN = Rejected('deployments.apps is forbidden: User "x" cannot patch resource "deployments"', reason="Forbidden")


@pytest.fixture
async def cluster() -> Cluster:
    """One service that is up with 3 replicas."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=3)
    return cluster


def failing(verb: str, kind: str, error: AdapterError) -> Callable[[int, str, str], AdapterError | None]:
    return lambda _, at, of: error if (at, of) == (verb, kind) else None


def crashed(cluster: Cluster, *, restarts: int, log: str | AdapterError = NOISE + RAISED + LAST) -> None:
    """The newest pod does not load its model."""
    dead = ended(1, message=LAST_LINES)
    state = {"state": CRASH_LOOP, "lastState": dead} if restarts else {"state": dead, "lastState": {}}
    container = {**state, "restartCount": restarts}
    cluster.kubernetes.log = log
    cluster.seen(objects.pod("newest", ready=False, created="2025-11-22T08:20:00Z", container=container))


async def test_a_service_becomes_ready() -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    await cluster.reconcile()
    assert cluster.condition("Ready") == ("False", "Creating")
    assert cluster.condition("Reconciling") == ("True", "Creating")
    cluster.settle()
    await cluster.reconcile()
    assert cluster.condition("Ready") == ("True", "Available")
    assert cluster.condition("ModelLoaded") == ("True", "ModelLoaded")
    assert cluster.status()["url"] == "http://ranker.shop.svc:8000"
    assert (cluster.status()["replicas"], cluster.status()["readyReplicas"]) == (1, 1)
    assert cluster.status()["observedGeneration"] == 1


async def test_the_reconcile_loop_writes_only_its_own_fields_of_status() -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    await cluster.reconcile()
    cluster.settle()
    await cluster.reconcile()
    for write in cluster.written("status"):
        assert write.manager == group.RECONCILE_MANAGER
        assert write.body["metadata"]["uid"] == "uid-of-ranker"
        assert set(write.body["status"]) <= {"observedGeneration", "conditions", "url", "replicas", "readyReplicas"}
        types = [entry["type"] for entry in write.body["status"]["conditions"]]
        assert types == ["Ready", "Reconciling", "Stalled", "ModelLoaded"]


async def test_an_invalid_spec_leaves_what_runs_and_says_why(cluster: Cluster) -> None:
    cluster.add(objects.service(generation=2, slo={"objective": "99", "latency": "soon"}, status=cluster.status()))
    await cluster.reconcile()
    assert [write.what for write in cluster.kubernetes.writes] == ["status InferenceService"]
    assert cluster.condition("Stalled") == ("True", "InvalidSpec")
    assert cluster.condition("Ready") == ("True", "InvalidSpec")
    assert cluster.status()["observedGeneration"] == 2
    assert "spec.slo.latency" in str(cluster.status()["conditions"])
    assert cluster.world.served[key()].service.generation == 1  # and goes on being scaled as it was
    cluster.add(objects.service(generation=3, status=cluster.status()))
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("False", "NotStalled")
    assert cluster.condition("Ready") == ("True", "Available")


async def test_a_missing_class_is_waited_for() -> None:
    cluster = Cluster(objects.service(), objects.hardware_class("gpu-t4"))
    await cluster.reconcile()
    assert [write.what for write in cluster.kubernetes.writes] == ["status InferenceService"]
    assert cluster.condition("Stalled") == ("True", "HardwareClassNotFound")
    assert "known: gpu-t4" in str(cluster.status()["conditions"])
    assert cluster.world.seen(*_event(objects.hardware_class())) == {key()}
    await cluster.reconcile()
    assert cluster.condition("Ready") == ("False", "Creating")
    assert cluster.replicas() == 1


def _event(raw: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return resource_of(raw), raw


async def test_a_class_that_cannot_run_the_backend_is_told_and_what_runs_goes_on(cluster: Cluster) -> None:
    cluster.add(objects.hardware_class(family="GPU"))
    openvino = {"backend": "openvino", "source": {"configMap": {"name": "code"}}, "maxBatchSize": 8}
    cluster.add(objects.service(model=openvino, generation=2))
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "HardwareUnfit")
    assert 'HardwareClass \\"cpu-16\\" is of family GPU' in json.dumps(cluster.status()["conditions"])
    assert cluster.condition("Ready")[0] == "True"
    assert cluster.written("apply") == []
    cluster.add(objects.hardware_class())
    await cluster.reconcile()
    assert cluster.condition("Stalled")[0] == "False"


async def test_a_class_that_goes_or_breaks_leaves_what_runs(cluster: Cluster) -> None:
    cluster.add(objects.hardware_class(triton={}))
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "HardwareClassInvalid")
    cluster.remove("HardwareClass", "cpu-16", namespace="")
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "HardwareClassNotFound")
    assert cluster.condition("Ready")[0] == "True"
    assert cluster.written("apply") == []
    assert cluster.replicas() == 3


async def test_a_step_of_the_autoscaler_is_no_roll_out_before_its_controller_has_seen_it(cluster: Cluster) -> None:
    cluster.resize("ranker", 5)
    await cluster.reconcile()
    assert cluster.condition("Reconciling") == ("False", "UpToDate")
    assert cluster.condition("Ready") == ("True", "MinimumReplicasAvailable")
    cluster.settle()
    cluster.resize("ranker", 2)
    await cluster.reconcile()
    assert cluster.condition("Reconciling") == ("False", "UpToDate")


async def test_another_template_is_a_roll_out_before_its_controller_has_seen_it(cluster: Cluster) -> None:
    cluster.resize("ranker", 5)
    cluster.add(objects.hardware_class(triton={"image": "tritonserver:2.52"}))
    await cluster.reconcile()
    assert cluster.condition("Reconciling") == ("True", "RolloutInProgress")


async def test_a_changed_class_rolls_new_pods_out(cluster: Cluster) -> None:
    cluster.add(objects.hardware_class(triton={"image": "tritonserver:2.60"}))
    await cluster.reconcile()
    assert [write.kind for write in cluster.written("apply")] == ["Deployment"]
    assert "tritonserver:2.60" in str(cluster.deployment())
    assert cluster.replicas() == 3


async def test_a_service_that_went_without_an_event_gets_no_new_children(cluster: Cluster) -> None:
    """The garbage collector takes the children, which the watch tells; that of the service it has lost."""
    del cluster.kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"]
    child = next(name for kind, _, name in cluster.kubernetes.objects if kind == "Service")
    cluster.remove("Service", child)
    with pytest.raises(Conflict):
        await cluster.reconcile()
    await cluster.reconcile()
    assert cluster.kubernetes.writes == []
    assert key() not in cluster.world.services


async def test_nor_does_its_successor_of_which_no_event_told(cluster: Cluster) -> None:
    successor = objects.service(uid="another", slo={"objective": "99", "latency": "200ms"})
    successor["metadata"]["resourceVersion"] = "99"
    cluster.kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"] = successor
    child = next(name for kind, _, name in cluster.kubernetes.objects if kind == "Service")
    cluster.remove("Service", child)
    with pytest.raises(Conflict):
        await cluster.reconcile()
    assert cluster.kubernetes.writes == []
    assert cluster.world.services[key()]["metadata"]["uid"] == "another"


@pytest.mark.parametrize("deleted", [True, False])
async def test_nothing_is_written_for_a_service_that_goes(cluster: Cluster, deleted: bool) -> None:
    if deleted:
        cluster.remove("InferenceService", "ranker")
    else:
        cluster.add(objects.service(deleted=True, status=cluster.status()))
    await cluster.reconcile()
    cluster.load(ranker=1000.0)
    await cluster.tick()
    assert cluster.kubernetes.writes == []
    assert cluster.world.served == {}


async def test_a_service_made_again_under_the_same_name_starts_anew(cluster: Cluster) -> None:
    """The old children still carry the uid of the old service until the garbage collector has taken them."""
    cluster.remove("InferenceService", "ranker")
    cluster.add(objects.service(uid="another"))
    with pytest.raises(ForeignChild):
        await cluster.reconcile()
    assert cluster.world.served == {}
    assert cluster.condition("Stalled") == ("True", "ForeignChild")
    for kind, namespace, name in list(cluster.kubernetes.objects):
        if kind not in ("InferenceService", "HardwareClass"):
            cluster.remove(kind, name, namespace)
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("False", "NotStalled")
    owners = cluster.deployment()["metadata"]["ownerReferences"]
    assert [owner["uid"] for owner in owners] == ["another"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FORBIDDEN, "Forbidden"),
        (Rejected('Deployment.apps "ranker-cpu-16" is invalid: spec.template: x', reason="Invalid"), "ChildRefused"),
    ],
)
async def test_a_refusal_of_the_api_server_is_told_and_tried_again(error: Rejected, reason: str) -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    cluster.kubernetes.fail = failing("apply", "Deployment", error)
    with pytest.raises(Rejected):
        await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", reason)
    assert str(error) in str(cluster.status()["conditions"])
    cluster.kubernetes.fail = lambda *_: None
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("False", "NotStalled")


@pytest.mark.parametrize("error", [API_DOWN, Conflict("the object has been modified", reason="Conflict")])
async def test_an_answer_that_may_come_later_is_waited_for_without_a_word(error: AdapterError) -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    cluster.kubernetes.fail = failing("apply", "Service", error)
    with pytest.raises(type(error)):
        await cluster.reconcile()
    assert "status" not in cluster.object("InferenceService", "ranker")
    cluster.kubernetes.fail = lambda *_: None
    await cluster.reconcile()
    assert len(cluster.written("apply")) == 2 + 3  # those that were there are not applied again


async def test_a_kill_at_any_call_ends_in_the_same_cluster() -> None:
    async def life(killed_at: int, *, done: bool = False) -> tuple[Cluster, int]:
        """The operator dies in its k-th call, before or after the API server did what it asked for."""
        cluster = Cluster(objects.hardware_class(), objects.service(scaling={"minReplicas": 3}))
        if done:
            cluster.kubernetes.lose = lambda call: API_DOWN if call == killed_at else None
        else:
            cluster.kubernetes.fail = lambda call, *_: API_DOWN if call == killed_at else None
        try:
            await cluster.reconcile()
        except Unavailable:
            cluster.start_operator()
            await cluster.reconcile()
        calls = cluster.kubernetes.calls
        for _ in range(2):  # the autoscale loop holds the minimum, the cluster obeys
            cluster.settle()
            cluster.load(ranker=1.0)
            await cluster.tick()
            await cluster.reconcile()
        return cluster, calls

    undisturbed, calls = await life(killed_at=0)
    assert undisturbed.replicas() == 3
    for call in range(1, calls + 1):
        for done in (False, True):
            cluster, _ = await life(call, done=done)
            assert _in_the_end(cluster) == _in_the_end(undisturbed), (call, done)


def _in_the_end(cluster: Cluster) -> dict[Any, Any]:
    """What must not depend on the way: all but the ids and times of objects, and the memory of decisions."""

    def plain(obj: dict[str, Any]) -> dict[str, Any]:
        metadata = {name: value for name, value in obj["metadata"].items() if name not in ("uid", "generation")}
        status = {name: value for name, value in obj.get("status", {}).items() if name not in ("decisions", "memory")}
        if "capacity" in status:
            status["conditions"] = sorted((c["type"], c["status"], c["reason"]) for c in status["conditions"])
        return {**obj, "metadata": metadata, "status": status}

    return {key: plain(obj) for key, obj in cluster.kubernetes.objects.items()}


# A Deployment deleted by hand


@pytest.mark.parametrize(
    ("desired", "scaling", "restored"),
    [
        (8, {"minReplicas": 1, "maxReplicas": 20}, 8),
        (8, {"minReplicas": 1, "maxReplicas": 5}, 5),
        (2, {"minReplicas": 4, "maxReplicas": 20}, 2),  # a changed minimum is the tick's business
        (8, {"replicas": 3}, 3),
        (None, {"minReplicas": 4, "maxReplicas": 20}, 4),
        ("8", {"minReplicas": 4, "maxReplicas": 20}, 4),  # status edited by hand
        (None, {"minReplicas": 1, "maxReplicas": 20}, 1),
    ],
)
async def test_a_deployment_that_comes_back_has_its_replicas_back(
    desired: object, scaling: dict[str, int], restored: int
) -> None:
    status = {} if desired is None else {"desiredReplicas": desired}
    cluster = Cluster(objects.hardware_class(), objects.service(scaling=scaling, status=status))
    await cluster.reconcile()
    assert cluster.replicas() == restored
    assert {write.manager for write in cluster.written("scale")} <= {group.AUTOSCALE_MANAGER}
    assert len(cluster.written("scale")) == (restored != 1)


async def test_a_tick_does_not_undo_the_replicas_that_came_back() -> None:
    """The event of the /scale may arrive after the next tick: the tick must not decide on the 1 it started with."""
    cluster = Cluster(objects.hardware_class())
    scaling = {"minReplicas": 2, "maxReplicas": 20}
    await cluster.serve(objects.service(scaling=scaling, status={"desiredReplicas": 8}))
    assert cluster.replicas() == 8
    cluster.remove("Deployment", objects.DEPLOYMENT)
    cluster.kubernetes.written = lambda obj: None if obj["kind"] == "Deployment" else cluster.seen(obj)
    await cluster.reconcile()
    await cluster.tick()
    assert cluster.replicas() == 8


@pytest.mark.parametrize("kind", ["ServiceAccount", "Deployment"])
async def test_a_service_whose_namespace_is_being_deleted_is_told_of_nothing(cluster: Cluster, kind: str) -> None:
    """Its children go first: making them anew is refused, which was told as a right that is missing."""
    (child,) = cluster.world.children(key(), kind)
    cluster.remove(kind, child["metadata"]["name"])
    before = cluster.status()
    cluster.kubernetes.fail = failing("apply", kind, Rejected("forbidden", reason=NAMESPACE_TERMINATING))
    with pytest.raises(Rejected):  # tried again: an API server may believe it of a namespace that was made anew
        await cluster.reconcile()
    assert cluster.status() == before


async def test_replicas_come_back_although_the_first_attempt_failed() -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(status={"desiredReplicas": 8}))
    cluster.remove("Deployment", objects.DEPLOYMENT)
    cluster.kubernetes.fail = failing("scale", "Deployment", API_DOWN)
    with pytest.raises(Unavailable):
        await cluster.reconcile()
    cluster.kubernetes.fail = lambda *_: None
    await cluster.reconcile()
    assert cluster.replicas() == 8


async def test_a_deployment_replaced_behind_our_back_has_its_replicas_back(cluster: Cluster) -> None:
    """Deleted, and the apply of a new image comes before the event: the API server creates it with one replica."""
    cluster.add(objects.service(status={**cluster.status(), "desiredReplicas": 3}))
    del cluster.kubernetes.objects["Deployment", objects.NAMESPACE, objects.DEPLOYMENT]
    cluster.add(objects.hardware_class(triton={"image": "tritonserver:2.60"}))
    with pytest.raises(Conflict):  # there is none of the uid that was looked at
        await cluster.reconcile()
    cluster.world.seen(DEPLOYMENT, cluster.world.children(key(), "Deployment")[0], deleted=True)
    await cluster.reconcile()
    assert cluster.replicas() == 3


# A model that does not load


async def test_tritons_own_words_reach_the_status(cluster: Cluster) -> None:
    crashed(cluster, restarts=2)
    await cluster.reconcile()
    messages = {c["type"]: c["message"] for c in cluster.status()["conditions"]}
    assert "ValueError: weights of 'bad' are missing" in messages["Stalled"]
    assert "CudaDriverHelper" not in messages["Stalled"]
    assert cluster.condition("ModelLoaded") == ("False", "ModelLoadFailed")
    assert cluster.condition("Ready") == ("True", "ModelLoadFailed")  # the old pods still serve


async def test_the_log_is_that_of_the_dead_container(cluster: Cluster) -> None:
    """At the first death it still is the current one; later a new one has taken its place."""
    for restarts in (0, 1):
        crashed(cluster, restarts=restarts)
        await cluster.reconcile()
    assert cluster.kubernetes.logs_read == ["newest triton previous=False", "newest triton previous=True"]


async def test_the_log_of_a_death_is_read_once(cluster: Cluster) -> None:
    for restarts, reads in ((1, 1), (1, 1), (2, 2), (2, 2)):
        crashed(cluster, restarts=restarts)
        await cluster.reconcile()
        assert len(cluster.kubernetes.logs_read) == reads


async def test_without_the_log_the_kubelets_copy_has_to_do(cluster: Cluster) -> None:
    crashed(cluster, restarts=1, log=Rejected("pods/log is forbidden", reason="Forbidden"))
    await cluster.reconcile()
    assert "weights of 'bad' are missing" in str(cluster.status()["conditions"])
    crashed(cluster, restarts=2, log="")
    await cluster.reconcile()
    assert "weights of 'bad' are missing" in str(cluster.status()["conditions"])


async def test_a_crash_without_any_words_still_has_a_message(cluster: Cluster) -> None:
    container = {"state": CRASH_LOOP, "lastState": ended(137, "OOMKilled"), "restartCount": 1}
    cluster.seen(objects.pod("newest", ready=False, created="2025-11-22T08:20:00Z", container=container))
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "OutOfMemory")
    assert "exit code 137 (OOMKilled)" in str(cluster.status()["conditions"])


async def test_a_download_that_fails_is_told_in_rclones_words(cluster: Cluster) -> None:
    download = {"state": CRASH_LOOP, "lastState": ended(3, message="x"), "restartCount": 1}
    newest: dict[str, Any] = {"ready": False, "created": "2025-11-22T08:20:00Z"}
    cluster.kubernetes.log = NO_BUCKET
    cluster.seen(objects.pod("newest", container=INITIALIZING, download=download, **newest))
    await cluster.reconcile()
    assert cluster.kubernetes.logs_read == ["newest download previous=True"]
    assert cluster.condition("ModelLoaded") == ("False", "DownloadFailed")
    assert cluster.condition("Stalled") == ("True", "DownloadFailed")
    messages = {c["type"]: c["message"] for c in cluster.status()["conditions"]}
    assert messages["ModelLoaded"] == (
        "pod newest: S3 bucket missing path ranker/3: error reading source root directory: directory not found"
    )


@pytest.mark.parametrize(
    ("log", "reason", "words"),
    [
        (NOTHING, "DownloadFailed", "spec.model.source.uri: no file was found there"),
        (NOISE + RAISED + LAST, "ModelLoadFailed", "weights of 'bad' are missing"),
        (Rejected("gone", reason="NotFound"), "ModelLoadFailed", "weights of 'bad' are missing"),
    ],
)
async def test_a_model_that_does_not_load_because_nothing_was_there_to_download(
    cluster: Cluster, log: str | AdapterError, reason: str, words: str
) -> None:
    download = {"state": ended(0, "Completed"), "lastState": {}, "restartCount": 0}
    container = {"state": CRASH_LOOP, "lastState": ended(1, message=LAST_LINES), "restartCount": 1}
    newest: dict[str, Any] = {"ready": False, "created": "2025-11-22T08:20:00Z"}
    cluster.kubernetes.log = log
    cluster.seen(objects.pod("newest", container=container, download=download, **newest))
    await cluster.reconcile()
    assert cluster.kubernetes.logs_read[0] == "newest download previous=False"
    assert cluster.condition("ModelLoaded") == ("False", reason)
    assert words in str(cluster.status()["conditions"])


@pytest.mark.parametrize("kept", [True, False])
async def test_a_cluster_that_drops_image_volumes_is_told(kept: bool) -> None:
    """Its API server takes the Deployment without them, and without a word."""
    model = {"backend": "python", "source": {"image": {"reference": "registry.example.com/models@sha256:00"}}}
    cluster = Cluster(objects.hardware_class(), objects.service(model=model))
    cluster.kubernetes.image_volumes = kept
    await cluster.reconcile()
    if kept:
        assert cluster.condition("Ready") == ("False", "Creating")
    else:
        assert cluster.condition("Stalled") == ("True", "ImageVolumesUnavailable")
        assert "spec.model.source.image: this cluster takes no image volumes" in str(cluster.status()["conditions"])
        assert cluster.world.served == {}, "nobody scales what cannot load"
