"""Several hardware classes of one service: the real scheduler places pods of all three families, and fills the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from e2e.cluster import Cluster
from e2e.cluster.target import image
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import holds
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, none_failed
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, POD_DISRUPTION_BUDGET, Object
from foretide.api import group
from foretide.control.stuck import UNSCHEDULABLE_SECONDS

DEVICES: Final = {"GPU": "nvidia.com/gpu", "Inferentia": "aws.amazon.com/neuron", "CPU": ""}


@pytest.fixture
def node(cluster: Cluster) -> Iterator[Node]:
    """The first node, without devices of ours at the end."""
    node = Node(cluster)
    yield node
    node.has(dict.fromkeys(filter(None, DEVICES.values())))


class Node:
    """A node that advertises accelerators as extended resources, as a device plugin makes it do; there are none."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster: Final = cluster
        self._name: Final = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}").strip()

    def has(self, devices: dict[str, str | None]) -> None:
        """So many of each; None takes the resource away."""
        patch = json.dumps({"status": {"capacity": devices, "allocatable": devices}})
        self._cluster.kubectl("patch", "node", self._name, "--subresource=status", "--type=merge", "-p", patch)


def hardware_class(family: str, name: str, *, quota: int | None = None) -> dict[str, Any]:
    """One device a replica, where the family has one; Triton runs on the CPU behind, whatever it is called."""
    made = sleeper.hardware_class(image("triton"), name=name)
    made["spec"]["family"] = family
    if DEVICES[family]:
        made["spec"]["resources"]["limits"][DEVICES[family]] = "1"
    if quota is not None:
        made["spec"]["quota"] = {"maxReplicas": quota}
    return made


def of_classes(live: Object) -> dict[str, tuple[int, int, str]]:
    """Replicas, of them counted on, and why, by class."""
    entries = live.get("status", {}).get("hardware", ())
    return {entry["class"]: (entry["replicas"], entry["counted"], entry["reason"]) for entry in entries}


def placed(service: Service) -> dict[str, int]:
    """Pods with a node, by hardware class."""
    found: dict[str, int] = {}
    for pod in service.pods():
        if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]:
            label = pod["metadata"]["labels"][group.HARDWARE_CLASS_LABEL]
            found[label] = found.get(label, 0) + 1
    return found


def test_pods_of_all_three_families_are_scheduled_and_serve_behind_one_service(
    tenant: Tenant, api: Api, node: Node
) -> None:
    gpu, neuron, cpu = names = [f"{tenant.namespace}-{kind}" for kind in ("gpu", "inf", "cpu")]
    node.has({"nvidia.com/gpu": "1", "aws.amazon.com/neuron": "1"})
    for family, name, quota in (("GPU", gpu, 1), ("Inferentia", neuron, 1), ("CPU", cpu, None)):
        api.apply(HARDWARE_CLASS, hardware_class(family, name, quota=quota))
    try:
        spec = sleeper.spec(milliseconds=2, replicas=3)
        spec["hardware"] = {"classes": names, "choose": "InOrder"}
        service = tenant.serve("ranker", spec)
        live = service.until_ready(replicas=3, within_seconds=120)
        assert placed(service) == {gpu: 1, neuron: 1, cpu: 1}
        live = service.until(
            "each class is told",
            lambda live: of_classes(live) == {gpu: (1, 1, "AtQuota"), neuron: (1, 1, "AtQuota"), cpu: (1, 1, "InUse")},
        )
        assert live["status"]["desiredReplicas"] == 3
        service.until_answers()
        with Traffic(service.load(30.0, seconds=30)) as load:
            load.until_sent(200)
            none_failed(load.end(), "of three families", at_least=200)
        assert len(service.children(POD_DISRUPTION_BUDGET)) == 3
    finally:
        for name in names:
            api.delete(HARDWARE_CLASS, name)


def test_what_finds_no_node_is_filled_into_the_next_class_and_comes_back(tenant: Tenant, api: Api, node: Node) -> None:
    gpu, cpu = names = [f"{tenant.namespace}-{kind}" for kind in ("gpu", "cpu")]
    node.has({"nvidia.com/gpu": "1"})
    for family, name in (("GPU", gpu), ("CPU", cpu)):
        api.apply(HARDWARE_CLASS, hardware_class(family, name))
    try:
        spec = sleeper.spec(milliseconds=2, replicas=2)
        spec["hardware"] = {"classes": names, "choose": "InOrder"}
        service = tenant.serve("ranker", spec)
        live = service.until(
            "the CPU takes what the GPUs cannot",
            lambda live: of_classes(live) == {gpu: (2, 1, "Unschedulable"), cpu: (1, 1, "InUse")},
            within_seconds=UNSCHEDULABLE_SECONDS + 90.0,
        )
        (message,) = (entry["message"] for entry in live["status"]["hardware"] if entry["class"] == gpu)
        assert "Insufficient nvidia.com/gpu" in message, "in the scheduler's own words"
        service.until("two serve", lambda live: live["status"].get("readyReplicas") == 2)
        assert placed(service) == {gpu: 1, cpu: 1}
        assert holds(service.live(), "Ready")
        service.until_answers()

        with Traffic(service.load(30.0, seconds=240)) as load:
            load.until_sent(50)
            node.has({"nvidia.com/gpu": "2"})
            service.until(
                "both are on GPUs again",
                lambda live: of_classes(live) == {gpu: (2, 2, "InUse"), cpu: (0, 0, "NotNeeded")},
                within_seconds=90,
            )
            service.until("the CPU's Deployment is gone", lambda _: len(service.children(DEPLOYMENT)) == 1)
            load.until_sent(load.sent + 100)
            none_failed(load.end(), "while one class handed over to another", at_least=150)
        assert placed(service) == {gpu: 2}
    finally:
        for name in names:
            api.delete(HARDWARE_CLASS, name)
