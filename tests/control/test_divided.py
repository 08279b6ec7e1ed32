"""Services that list several hardware classes: who gets how many, what is told of it, and what outlives a restart."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.adapters.errors import Rejected
from foretide.adapters.resources import POD
from foretide.adapters.triton import BatchCount
from foretide.serving.naming import deployment_name
from tests.control import objects
from tests.control.cluster import Cluster
from tests.control.fakes import DOWN

GPU, CPU = deployment_name("ranker", "gpu-t4"), deployment_name("ranker", "cpu-16")
BOTH = {"classes": ["gpu-t4", "cpu-16"], "choose": "InOrder"}
# Nothing is learned of batch times: a replica of either class is counted on for 4.5 items a second.
ONE_REPLICA = 4.0


def quota(most: int) -> dict[str, Any]:
    return {"quota": {"maxReplicas": most}}


async def up(replicas: int = 2, *, hardware: dict[str, Any] = BOTH, gpu: dict[str, Any] | None = None) -> Cluster:
    """A service that lists a GPU class before a CPU class, all of whose replicas are of the first."""
    cluster = Cluster(objects.hardware_class("gpu-t4", **(gpu or {})), objects.hardware_class("cpu-16"))
    scaling = {"minReplicas": replicas, "maxReplicas": 20}
    cluster.add(objects.service(hardware=hardware, scaling=scaling))
    await step(cluster, 2)
    return cluster


async def step(cluster: Cluster, ticks: int = 1, rps: float | None = None, **room: int) -> dict[str, int]:
    """Both loops, in a cluster that obeys; the replicas asked for of each class."""
    for _ in range(ticks):
        await cluster.reconcile()
        cluster.settle(**room)
        await cluster.reconcile()
        cluster.load(ranker=rps if rps is not None else 1.0)
        await cluster.tick()
    return asked(cluster)


def asked(cluster: Cluster) -> dict[str, int]:
    return {
        obj["metadata"]["labels"]["foretide.dev/hardware-class"]: obj["spec"].get("replicas", 1)
        for (kind, _, _), obj in cluster.kubernetes.objects.items()
        if kind == "Deployment"
    }


def told(cluster: Cluster) -> dict[str, tuple[int, int, str]]:
    """Replicas, of them counted on, and why, by class."""
    entries = cluster.status()["hardware"]
    return {entry["class"]: (entry["replicas"], entry["counted"], entry["reason"]) for entry in entries}


async def test_the_first_class_has_all_and_the_others_not_even_a_deployment() -> None:
    cluster = await up(2)
    assert await step(cluster, 3, rps=10.0) == {"gpu-t4": 3}
    assert told(cluster) == {"gpu-t4": (3, 3, "InUse"), "cpu-16": (0, 0, "NotNeeded")}


async def test_the_next_class_takes_what_the_quota_of_the_first_leaves() -> None:
    cluster = await up(2, gpu=quota(3))
    assert await step(cluster, 4, rps=5 * ONE_REPLICA) == {"gpu-t4": 3, "cpu-16": 2}
    assert told(cluster) == {"gpu-t4": (3, 3, "AtQuota"), "cpu-16": (2, 2, "InUse")}
    assert cluster.status()["desiredReplicas"] == 5
    assert cluster.condition("ScalingLimited")[0] == "False"
    (hardware,) = (await cluster.tick()).hardware
    assert [(one.name, replicas) for one, replicas in hardware] == [("gpu-t4", 3), ("cpu-16", 2)]


async def test_status_is_written_before_the_deployment_that_it_makes_necessary() -> None:
    cluster = await up(2, gpu=quota(2))
    cluster.kubernetes.writes.clear()
    cluster.load(ranker=4 * ONE_REPLICA)
    await cluster.tick()
    assert [write.what for write in cluster.kubernetes.writes] == ["status InferenceService"]
    cluster.start_operator()  # it died between the two
    await cluster.reconcile()
    assert asked(cluster) == {"gpu-t4": 2, "cpu-16": 2}


async def test_a_service_that_needs_a_class_without_a_deployment_waits_for_no_later_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("foretide.control.autoscale.PATIENCE", 0.0)
    cluster = await up(2, gpu=quota(2))
    assert (await cluster.tick()).postponed == 1, "for what is not urgent there is no time"
    cluster.load(ranker=4 * ONE_REPLICA)
    assert (await cluster.tick()).postponed == 0
    await cluster.reconcile()
    assert asked(cluster) == {"gpu-t4": 2, "cpu-16": 2}


async def test_what_a_quota_takes_away_waits_for_no_later_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else has it already."""
    monkeypatch.setattr("foretide.control.autoscale.PATIENCE", 0.0)
    cluster = await up(2)
    assert await step(cluster, 3, rps=5 * ONE_REPLICA) == {"gpu-t4": 5}
    cluster.add(objects.hardware_class("gpu-t4", **quota(3)))
    assert (await step(cluster, 1, rps=5 * ONE_REPLICA))["gpu-t4"] == 3


async def test_what_has_no_room_is_filled_into_the_next_class_in_the_words_of_the_scheduler() -> None:
    cluster = await up(2)
    found = await step(cluster, 14, rps=5 * ONE_REPLICA, gpu_t4=2)
    assert found == {"gpu-t4": 5, "cpu-16": 3}
    assert told(cluster) == {"gpu-t4": (5, 2, "Unschedulable"), "cpu-16": (3, 3, "InUse")}
    entry = cluster.status()["hardware"][0]
    assert objects.NO_ROOM["message"] in entry["message"]
    assert cluster.status()["desiredReplicas"] == 5
    assert cluster.condition("Ready")[0] == "True"


async def test_with_room_again_the_first_class_takes_over_and_the_other_leaves_only_then() -> None:
    cluster = await up(2)
    await step(cluster, 14, rps=5 * ONE_REPLICA, gpu_t4=2)
    # the nodes are there; three pods start
    await cluster.reconcile()
    starting = [pod for pod, shown in cluster.pods.items() if not shown["status"].get("podIP")]
    assert len(starting) == 3
    for pod in starting:
        shown = objects.pod(pod.name, ready=False, owner=objects.replica_set("ranker", hardware_class="gpu-t4"))
        cluster.pods[pod] = shown
        cluster.world.seen(POD, shown)
    cluster.load(ranker=5 * ONE_REPLICA)
    await cluster.tick()
    assert asked(cluster) == {"gpu-t4": 5, "cpu-16": 3}, "nothing is taken away before the new ones are ready"
    assert told(cluster)["cpu-16"] == (3, 0, "HandingOver")
    assert await step(cluster, 3, rps=5 * ONE_REPLICA) == {"gpu-t4": 5}
    assert told(cluster) == {"gpu-t4": (5, 5, "InUse"), "cpu-16": (0, 0, "NotNeeded")}
    kinds = [name for kind, _, name in cluster.kubernetes.objects if kind in ("Deployment", "PodDisruptionBudget")]
    assert kinds == [GPU, GPU]


async def test_a_restart_while_pods_wait_changes_nothing() -> None:
    cluster = await up(2)
    before = await step(cluster, 14, rps=5 * ONE_REPLICA, gpu_t4=2)
    cluster.start_operator()
    cluster.prometheus.down = DOWN
    for _ in range(5):
        await cluster.reconcile()
        await cluster.tick()
        assert asked(cluster) == before
    assert cluster.status()["desiredReplicas"] == 5


async def test_a_class_that_is_gone_hands_over_to_the_next() -> None:
    cluster = await up(3)
    cluster.remove("HardwareClass", "gpu-t4", "")
    await step(cluster, 1)
    assert told(cluster)["gpu-t4"] == (3, 0, "HardwareClassNotFound")
    assert (
        "3 of its replicas serve until those of other classes are ready" in cluster.status()["hardware"][0]["message"]
    )
    assert asked(cluster)["gpu-t4"] == 3
    assert await step(cluster, 4) == {"cpu-16": 3}
    assert told(cluster) == {"gpu-t4": (0, 0, "HardwareClassNotFound"), "cpu-16": (3, 3, "InUse")}
    cluster.add(objects.hardware_class("gpu-t4"))
    assert await step(cluster, 5) == {"gpu-t4": 3}


async def test_a_class_that_is_gone_serves_while_the_next_has_no_room() -> None:
    cluster = await up(3)
    cluster.remove("HardwareClass", "gpu-t4", "")
    assert (await step(cluster, 14, cpu_16=1))["gpu-t4"] == 3
    assert await step(cluster, 4) == {"cpu-16": 3}


async def test_a_class_whose_instances_are_left_to_the_operator_is_one_of_several() -> None:
    cluster = await up(2, gpu={"triton": {"image": "tritonserver:2.51", "instances": "Auto"}, **quota(3)})
    assert await step(cluster, 4, rps=5 * ONE_REPLICA) == {"gpu-t4": 3, "cpu-16": 2}


async def test_a_class_that_leaves_the_list_serves_until_the_others_have_taken_over() -> None:
    cluster = await up(2, gpu=quota(3))
    await step(cluster, 4, rps=5 * ONE_REPLICA)
    only = {"classes": ["cpu-16"]}
    scaling = {"minReplicas": 2, "maxReplicas": 20}
    cluster.add(objects.service(hardware=only, scaling=scaling, generation=2, status=cluster.status()))
    await cluster.reconcile()
    assert asked(cluster) == {"gpu-t4": 3, "cpu-16": 2}
    cluster.load(ranker=5 * ONE_REPLICA)
    await cluster.tick()
    await cluster.reconcile()
    assert asked(cluster) == {"gpu-t4": 3, "cpu-16": 5}
    assert await step(cluster, 2, rps=5 * ONE_REPLICA) == {"cpu-16": 5}


async def test_a_class_that_was_just_given_up_does_not_come_back_with_the_replicas_of_another() -> None:
    cluster = await up(1, gpu=quota(9))
    cluster.add(
        objects.service(
            hardware=BOTH,
            generation=2,
            status={
                **cluster.status(),
                "desiredReplicas": 5,
                "hardware": [
                    {"class": "gpu-t4", "replicas": 0, "counted": 0},
                    {"class": "cpu-16", "replicas": 5, "counted": 5},
                ],
            },
        )
    )
    await cluster.reconcile()  # before the tick has written the zero
    assert asked(cluster)["gpu-t4"] <= 1
    assert asked(cluster)["cpu-16"] == 5


async def test_what_the_log_of_a_download_holds_of_secrets_is_not_told() -> None:
    cluster = await up(2)
    await step(cluster, 2, rps=5 * ONE_REPLICA)
    said = '2026/11/28 20:16:50 ERROR : a: Failed to copy: Get "https://models.example.com/a?sig=secret": denied\n'
    for place, pod in enumerate([pod for pod in cluster.pods if pod.name.startswith(GPU)]):
        ended = {"terminated": {"exitCode": 3, "reason": "Error", "message": said}}
        if place > 1:
            shown = objects.pod(
                pod.name,
                ready=False,
                owner=objects.replica_set("ranker", hardware_class="gpu-t4"),
                container={"state": {"waiting": {"reason": "PodInitializing"}}},
                download={"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended, "restartCount": 2},
                since="2025-11-22T07:59:00Z",
            )
            cluster.seen(shown)
    gpu = cluster.object("Deployment", GPU)
    cluster.add({**gpu, "status": {**gpu["status"], "readyReplicas": 2}})
    cluster.load(ranker=5 * ONE_REPLICA)
    await cluster.tick()
    (message,) = [one["message"] for one in cluster.status()["hardware"] if one["class"] == "gpu-t4"]
    assert "Failed to copy" in message
    assert "secret" not in message


async def test_a_class_whose_variant_is_in_an_image_is_passed_over_where_the_cluster_takes_none() -> None:
    cluster = Cluster(objects.hardware_class("gpu-t4"), objects.hardware_class("cpu-16"))
    cluster.kubernetes.image_volumes = False
    image = {"image": {"reference": "registry.example.com/models@sha256:00"}}
    model = {
        "backend": "python",
        "source": {"configMap": {"name": "code"}},
        "variants": [{"hardwareClass": "gpu-t4", "source": image}],
    }
    cluster.add(objects.service(hardware=BOTH, model=model, scaling={"minReplicas": 2, "maxReplicas": 20}))
    assert await step(cluster, 1, gpu_t4=0) == {"gpu-t4": 0}
    for _ in range(3):
        assert await step(cluster, 2) == {"gpu-t4": 0, "cpu-16": 2}
        assert told(cluster) == {"gpu-t4": (0, 0, "ImageVolumesUnavailable"), "cpu-16": (2, 2, "InUse")}
    assert cluster.condition("Ready")[0] == "True"
    cluster.start_operator()
    assert await step(cluster, 2) == {"gpu-t4": 0, "cpu-16": 2}
    cluster.kubernetes.image_volumes = True
    assert await step(cluster, 6) == {"gpu-t4": 2}


async def test_with_less_load_the_last_class_gives_up_first() -> None:
    cluster = await up(1, gpu=quota(3))
    assert await step(cluster, 4, rps=6 * ONE_REPLICA) == {"gpu-t4": 3, "cpu-16": 3}
    seen = []
    for _ in range(60):
        found = await step(cluster, 1, rps=2 * ONE_REPLICA)
        seen.append((found.get("gpu-t4", 0), found.get("cpu-16", 0)))
    assert seen == sorted(seen, reverse=True)
    assert (3, 0) in seen
    assert seen[-1] == (2, 0)


async def test_pinned_replicas_are_divided_and_paused_ones_are_left_alone() -> None:
    cluster = await up(1, gpu=quota(3))
    status = cluster.status()
    cluster.add(objects.service(hardware=BOTH, scaling={"replicas": 5}, generation=2, status=status))
    assert await step(cluster, 3) == {"gpu-t4": 3, "cpu-16": 2}
    paused = {"replicas": 9, "paused": True}
    cluster.add(objects.service(hardware=BOTH, scaling=paused, generation=3, status=cluster.status()))
    assert await step(cluster, 3) == {"gpu-t4": 3, "cpu-16": 2}


async def test_what_the_api_server_refuses_is_told_and_nothing_that_follows_is_written() -> None:
    cluster = await up(2, gpu=quota(3))
    await step(cluster, 3, rps=5 * ONE_REPLICA)
    cluster.kubernetes.writes.clear()
    refusal = Rejected("denied request: few", reason="Invalid")
    cluster.kubernetes.fail = lambda _, verb, __: refusal if verb == "scale" else None
    await step(cluster, 2, rps=8 * ONE_REPLICA)
    assert cluster.condition("ScalingActive") == ("False", "ScaleRefused")
    cluster.kubernetes.fail = lambda *_: None
    assert await step(cluster, 2, rps=8 * ONE_REPLICA) == {"gpu-t4": 3, "cpu-16": 5}


def measure(cluster: Cluster, of: str, seconds: float) -> None:
    """All pods of the class tell how long their batches take."""
    for pod, shown in cluster.pods.items():
        if pod.name.startswith(of) and (address := shown["status"].get("podIP")):
            cluster.triton.counts[f"{address}:8000"] = tuple(
                BatchCount(batch_size=size, executions=500, compute_seconds=500 * (seconds + 0.0001 * size))
                for size in (1, 4, 8)
            )


async def test_each_class_has_its_own_law_and_the_slowest_in_use_sets_the_pace() -> None:
    cluster = await up(1, gpu=quota(2))
    await step(cluster, 4, rps=4 * ONE_REPLICA)  # on both
    measure(cluster, GPU, 0.002)
    measure(cluster, CPU, 0.02)
    await step(cluster, 1, rps=4 * ONE_REPLICA)
    slow = float(cluster.status()["capacity"]["perReplica"])
    memory = cluster.status()["memory"]
    assert len(memory) < 4096
    await step(cluster, 60, rps=1.0)  # back on the first class alone
    fast = float(cluster.status()["capacity"]["perReplica"])
    assert told(cluster)["cpu-16"][0] == 0
    assert fast > 2 * slow
    # what was learned of both outlives a restart
    cluster.start_operator()
    await step(cluster, 2, rps=fast)
    assert float(cluster.status()["capacity"]["perReplica"]) == pytest.approx(fast, rel=0.05)


async def test_with_another_class_in_the_list_nothing_is_forgotten() -> None:
    only = {"classes": ["gpu-t4"]}
    cluster = await up(1, hardware=only)
    measure(cluster, GPU, 0.002)
    await step(cluster, 2)
    before = cluster.status()["capacity"]
    assert before["source"] == "Measured"
    for generation, hardware in ((2, BOTH), (3, only)):
        scaling = {"minReplicas": 1, "maxReplicas": 20}
        service = objects.service(hardware=hardware, scaling=scaling, generation=generation, status=cluster.status())
        cluster.add(service)
        await step(cluster, 2)
        assert cluster.status()["capacity"] == before


@pytest.mark.parametrize("manager", ["kubectl", "kube-controller-manager"])
async def test_a_number_set_by_hand_is_answered_as_of_one_class(manager: str) -> None:
    cluster = await up(4)
    gpu = cluster.object("Deployment", GPU)
    metadata = {**gpu["metadata"], "generation": gpu["metadata"]["generation"] + 1}
    metadata["managedFields"] = [{"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    cluster.add({**gpu, "metadata": metadata, "spec": {**gpu["spec"], "replicas": 1}})
    assert await step(cluster, 2) == {"gpu-t4": 4}
    assert "ManualScale" in [reason for _, reason, _ in cluster.events.emitted]
