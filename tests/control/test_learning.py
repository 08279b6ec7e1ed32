"""Batch statistics: read from a few pods a tick, each in its turn, and counted once."""

from __future__ import annotations

from foretide.adapters.resources import POD
from foretide.adapters.triton import BatchCount
from foretide.control.learning import PODS_A_TICK, BatchReader
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import API_DOWN

MINE = (key(), "cpu-16")


async def serving(replicas: int = 1) -> tuple[Cluster, BatchReader]:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(scaling={"maxReplicas": 200}), replicas=replicas)
    return cluster, BatchReader(cluster.triton, cluster.world)


def counted(executions: int, seconds: float, *, size: int = 4) -> tuple[BatchCount, ...]:
    return (BatchCount(batch_size=size, executions=executions, compute_seconds=seconds),)


async def test_what_was_executed_since_the_last_reading_is_handed_on() -> None:
    cluster, reader = await serving()
    cluster.triton.counts["10.0.0.0:8000"] = counted(10, 1.0)
    assert await reader.read() == {MINE: [{4: (10, 1.0)}]}
    cluster.triton.counts["10.0.0.0:8000"] = counted(25, 2.5)
    assert await reader.read() == {MINE: [{4: (15, 1.5)}]}
    assert await reader.read() == {MINE: [{}]}
    cluster.triton.counts["10.0.0.0:8000"] = counted(3, 0.3)  # the container was restarted
    assert await reader.read() == {MINE: [{4: (3, 0.3)}]}


async def test_a_pod_that_does_not_answer_is_read_next_time() -> None:
    cluster, reader = await serving()
    cluster.triton.counts["10.0.0.0:8000"] = counted(10, 1.0)
    await reader.read()
    cluster.triton.down = API_DOWN
    assert await reader.read() == {MINE: [{}]}
    cluster.triton.down = None
    cluster.triton.counts["10.0.0.0:8000"] = counted(30, 3.0)
    assert await reader.read() == {MINE: [{4: (20, 2.0)}]}


async def test_each_pod_has_its_turn() -> None:
    cluster, reader = await serving(replicas=100)
    for _ in range(4):
        before = len(cluster.triton.asked)
        await reader.read()
        assert len(cluster.triton.asked) - before == PODS_A_TICK
    assert len(set(cluster.triton.asked[:100])) == 100


async def test_only_pods_that_serve_are_asked() -> None:
    cluster, reader = await serving(replicas=0)
    newest = cluster.deployment()["spec"]["template"]
    cluster.world.seen(POD, objects.pod("starting", ready=False, address="10.1.0.1", template=newest))
    cluster.world.seen(POD, objects.pod("leaving", terminating=True, address="10.1.0.2", template=newest))
    cluster.world.seen(POD, objects.pod("without an address yet", template=newest))
    cluster.world.seen(POD, objects.pod("theirs", service="other", address="10.1.0.3", template=newest))
    assert await reader.read() == {}
    cluster.world.seen(POD, objects.pod("serving", address="10.1.0.4", template=newest))
    assert await reader.read() == {MINE: [{}]}
    assert cluster.triton.asked == ["10.1.0.4:8000"]


async def test_pods_of_an_earlier_template_teach_nothing() -> None:
    """They run the model, image or configuration of before."""
    cluster, reader = await serving()
    cluster.add(objects.hardware_class(triton={"image": "tritonserver:2.60"}))
    await cluster.reconcile()
    assert await reader.read() == {}
    cluster.pods.clear()
    cluster.settle()
    await reader.read()
    assert len(cluster.triton.asked) == 1


async def test_an_address_of_ipv6_is_put_in_brackets() -> None:
    cluster, reader = await serving()
    (pod,) = cluster.world.pods(key())
    cluster.world.seen(POD, {**pod, "status": {**pod["status"], "podIP": "fd00::7"}})
    await reader.read()
    assert cluster.triton.asked == ["[fd00::7]:8000"]


async def test_a_pod_that_is_gone_is_forgotten() -> None:
    cluster, reader = await serving()
    cluster.triton.counts["10.0.0.0:8000"] = counted(10, 1.0)
    await reader.read()
    (pod,) = cluster.world.pods(key())
    cluster.world.seen(POD, pod, deleted=True)
    await reader.read()
    # the name and address come back with another pod
    cluster.world.seen(POD, {**pod, "metadata": {**pod["metadata"], "uid": "another"}})
    assert await reader.read() == {MINE: [{4: (10, 1.0)}]}
    assert len(reader._last) == 1
