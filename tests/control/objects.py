"""Kubernetes objects as the API server shows them, small but with the shape of real ones."""

from __future__ import annotations

from typing import Any, Final

from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.manifests import ServingSettings, build
from foretide.serving.naming import deployment_name

Raw = dict[str, Any]

SINCE: Final = "2025-11-22T08:00:00Z"  # the day of FakeClock, half an hour earlier
NAMESPACE: Final = "shop"
DEPLOYMENT: Final = deployment_name("ranker", "cpu-16")


def service(name: str = "ranker", *, namespace: str = NAMESPACE, generation: int = 1, **changes: Any) -> Raw:
    """An InferenceService; keyword arguments replace parts of its spec, `uid`, `status` and `deleted` are metadata."""
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": changes.pop("uid", f"uid-of-{name}"),
        "generation": generation,
    }
    if changes.pop("deleted", False):
        metadata["deletionTimestamp"] = SINCE
    raw: Raw = {"apiVersion": group.API_VERSION, "kind": group.INFERENCE_SERVICE_KIND, "metadata": metadata}
    if (status := changes.pop("status", None)) is not None:
        raw["status"] = status
    spec: Raw = {
        "model": {"backend": "python", "source": {"configMap": {"name": "code"}}, "maxBatchSize": 8},
        "hardware": {"classes": ["cpu-16"]},
        "slo": {"objective": "99", "latency": "100ms"},
        "scaling": {"minReplicas": 1, "maxReplicas": 20},
    }
    return {**raw, "spec": {**spec, **changes}}


def hardware_class(name: str = "cpu-16", **changes: Any) -> Raw:
    spec: Raw = {
        "family": "CPU",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "triton": {"image": "tritonserver:2.51"},
    }
    metadata = {"name": name, "uid": f"uid-of-{name}", "generation": 1}
    return {
        "apiVersion": group.API_VERSION,
        "kind": group.HARDWARE_CLASS_KIND,
        "metadata": metadata,
        "spec": {**spec, **changes},
    }


# The scheduler's words.
NO_ROOM: Final = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
}


def pod(
    name: str,
    *,
    service: str = "ranker",
    namespace: str = NAMESPACE,
    ready: bool = True,
    since: str = SINCE,
    created: str = "2025-11-22T07:59:00Z",
    address: str = "",
    terminating: bool = False,
    container: Raw | None = None,
    download: Raw | None = None,
    scheduled: Raw | None = None,
    template: Raw | None = None,
    owner: Raw | None = None,
) -> Raw:
    """A pod of a service: running and ready, unless told otherwise."""
    template = template or {"metadata": {}, "spec": {"containers": [{"name": "triton", "image": "tritonserver:2.51"}]}}
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-of-{namespace}-{name}",
        "creationTimestamp": created,
        "labels": {group.SERVICE_LABEL: service, group.MANAGED_BY_LABEL: group.MANAGED_BY},
        "annotations": template["metadata"].get("annotations", {}),
        "ownerReferences": [owner or replica_set(service)],
    }
    if terminating:
        metadata["deletionTimestamp"] = SINCE
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": created, **(scheduled or {})},
        {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since},
    ]
    status: Raw = {"phase": "Running", "conditions": conditions}
    if address:
        status["podIP"] = address
    if scheduled is None:
        running: Raw = {"state": {"running": {"startedAt": created}}, "lastState": {}, "restartCount": 0}
        status["containerStatuses"] = [{"name": "triton", **running, **(container or {})}]
        if download is not None:
            status["initContainerStatuses"] = [{"name": "download", **running, **download}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"], "status": status}


def replica_set(service: str = "ranker", *, hardware_class: str = "cpu-16") -> Raw:
    """An owner reference as the pods of a service have it."""
    name = f"{deployment_name(service, hardware_class)}-5d4f7c9b88"
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": f"uid-of-{name}", "controller": True}


def scaler(name: str, target: str, *, namespace: str = NAMESPACE, kind: str = "Deployment") -> Raw:
    """A HorizontalPodAutoscaler."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target}},
    }


def manifests() -> list[Raw]:
    """The children of the plain service on the plain class, as they should be."""
    parsed, parsed_class = parse.inference_service(service()), parse.hardware_class(hardware_class())
    assert isinstance(parsed, InferenceService)
    assert isinstance(parsed_class, HardwareClass)
    return [dict(manifest) for manifest in build(parsed, parsed_class, settings=ServingSettings())]


def running(deployment: Raw, *, ready: int | None = None) -> Raw:
    """The Deployment as its controller would report it when all wanted pods exist."""
    wanted = deployment["spec"].get("replicas", 1)
    status = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": wanted,
        "updatedReplicas": wanted,
        "readyReplicas": wanted if ready is None else ready,
    }
    return {**deployment, "spec": {**deployment["spec"], "replicas": wanted}, "status": status}
