"""A service with the annotation foretide.dev/paused: nothing of it is changed, and all of it is still told."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.adapters.errors import Conflict
from foretide.api import group
from foretide.api.group import PAUSED_ANNOTATION
from tests.control import objects
from tests.control.cluster import Cluster
from tests.control.test_pods import CRASH_LOOP, LAST_LINES, ended
from tests.gitops.health import kstatus


@pytest.fixture
async def cluster() -> Cluster:
    """One service that is up with 3 replicas."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=3)
    return cluster


def pause(cluster: Cluster, value: str | None = "true", **changes: Any) -> None:
    """A person annotates the service, and changes its spec as well where `changes` says so."""
    generation = cluster.object("InferenceService", "ranker")["metadata"]["generation"] + bool(changes)
    raw = objects.service(generation=generation, status=cluster.status(), **changes)
    if value is not None:
        raw["metadata"]["annotations"] = {PAUSED_ANNOTATION: value}
    cluster.add(raw)


def written(cluster: Cluster) -> list[str]:
    """What was written but status."""
    return [write.what for write in cluster.kubernetes.writes if write.verb != "status"]


OTHER_IMAGE = objects.hardware_class(triton={"image": "tritonserver:2.60"})
SLOWER: dict[str, Any] = {"slo": {"objective": "99", "latency": "200ms"}}


async def test_no_child_follows_its_spec_or_its_class(cluster: Cluster) -> None:
    pause(cluster, **SLOWER)
    cluster.add(OTHER_IMAGE)
    await cluster.reconcile()
    assert written(cluster) == []
    pause(cluster, value=None)
    await cluster.reconcile()
    assert "tritonserver:2.60" in str(cluster.deployment())


async def test_what_somebody_deletes_or_changes_stays_as_they_left_it(cluster: Cluster) -> None:
    pause(cluster)
    service = next(name for kind, _, name in cluster.kubernetes.objects if kind == "Service")
    cluster.remove("Service", service)
    await cluster.reconcile()
    assert written(cluster) == []
    pause(cluster, value="false")
    await cluster.reconcile()
    assert cluster.object("Service", service)["metadata"]["labels"][group.SERVICE_LABEL] == "ranker"


async def test_no_tick_scales_it_also_after_a_restart(cluster: Cluster) -> None:
    pause(cluster)
    await cluster.reconcile()
    await cluster.live(4, ranker=1000.0)
    assert cluster.replicas() == 3
    assert cluster.condition("ScalingActive") == ("False", "ScalingPaused")
    cluster.start_operator()
    await cluster.reconcile()
    assert await cluster.live(4, ranker=1000.0) == [3, 3, 3, 3]
    assert written(cluster) == []
    assert cluster.condition("ScalingActive") == ("False", "ScalingPaused")
    pause(cluster, value=None)
    await cluster.reconcile()
    assert (await cluster.live(4, ranker=1000.0))[-1] > 3


async def test_status_tells_what_serves_and_what_would_have_to_be_removed(cluster: Cluster) -> None:
    pause(cluster)
    await cluster.reconcile()
    assert cluster.condition("Ready") == ("True", "ReconcilePaused")
    assert cluster.condition("Stalled") == ("False", "NotStalled")
    assert PAUSED_ANNOTATION in str(cluster.status()["conditions"])
    assert cluster.status()["readyReplicas"] == 3


async def test_who_waits_for_a_spec_waits_until_it_is_in_force(cluster: Cluster) -> None:
    pause(cluster)
    await cluster.reconcile()
    assert kstatus(cluster.object("InferenceService", "ranker")) == "Current"
    pause(cluster, **SLOWER)
    await cluster.reconcile()
    await cluster.reconcile()
    assert cluster.status()["observedGeneration"] == 1
    assert kstatus(cluster.object("InferenceService", "ranker")) == "InProgress"
    pause(cluster, value=None, **SLOWER)
    await cluster.reconcile()
    assert cluster.status()["observedGeneration"] == 3


async def test_one_that_is_paused_from_its_birth_has_no_children(cluster: Cluster) -> None:
    raw = objects.service("new")
    raw["metadata"]["annotations"] = {PAUSED_ANNOTATION: "True"}
    cluster.add(raw)
    await cluster.reconcile("new")
    assert written(cluster) == []
    assert cluster.condition("Ready", "new") == ("False", "ReconcilePaused")
    assert kstatus(cluster.object("InferenceService", "new")) == "InProgress"


@pytest.mark.parametrize(("value", "is_paused"), [("true", True), ("yes", True), ("", True), ("False", False)])
async def test_who_mistypes_the_order_has_stopped_it(cluster: Cluster, value: str, is_paused: bool) -> None:
    pause(cluster, value)
    cluster.add(OTHER_IMAGE)
    await cluster.reconcile()
    assert (written(cluster) == []) is is_paused


async def test_a_spec_that_was_refused_is_not_called_done(cluster: Cluster) -> None:
    pause(cluster, value=None, hardware={"classes": ["none"]})
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "HardwareClassNotFound")
    pause(cluster)
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("True", "HardwareClassNotFound")
    assert kstatus(cluster.object("InferenceService", "ranker")) == "Failed"
    pause(cluster, **SLOWER)
    await cluster.reconcile()
    assert kstatus(cluster.object("InferenceService", "ranker")) == "InProgress"
    pause(cluster, value=None, **SLOWER)
    await cluster.reconcile()
    assert cluster.condition("Ready") == ("True", "Available")


async def test_a_roll_out_that_was_cut_short_is_not_complete(cluster: Cluster) -> None:
    cluster.add(OTHER_IMAGE)
    await cluster.reconcile()
    pause(cluster)
    await cluster.reconcile()
    assert cluster.condition("Ready") == ("True", "ReconcilePaused")
    assert cluster.condition("Reconciling") == ("True", "ReconcilePaused")


async def test_what_becomes_of_pods_is_told(cluster: Cluster) -> None:
    pause(cluster)
    await cluster.reconcile()
    container = {"state": CRASH_LOOP, "lastState": ended(1, message=LAST_LINES), "restartCount": 3}
    cluster.seen(objects.pod("newest", ready=False, created="2025-11-22T08:20:00Z", container=container))
    await cluster.reconcile()
    assert cluster.condition("Stalled")[0] == "True"
    cluster.seen(objects.pod("newest", created="2025-11-22T08:20:00Z"))
    await cluster.reconcile()
    assert cluster.condition("Stalled") == ("False", "NotStalled")
    assert cluster.condition("Ready") == ("True", "ReconcilePaused")


async def test_an_annotation_that_no_event_has_told_yet_counts(cluster: Cluster) -> None:
    raw = objects.service(status=cluster.status())
    raw["metadata"] |= {"annotations": {PAUSED_ANNOTATION: "true"}, "resourceVersion": "99"}
    cluster.kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"] = raw
    cluster.remove("Service", next(name for kind, _, name in cluster.kubernetes.objects if kind == "Service"))
    with pytest.raises(Conflict):
        await cluster.reconcile()
    await cluster.reconcile()
    assert written(cluster) == []
    assert cluster.condition("Ready") == ("True", "ReconcilePaused")
