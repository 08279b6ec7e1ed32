"""A peer's objects: the pods that Foretide would render, under labels of their own, and the scaler's own object."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from bench.live.loads import Load
from bench.live.peers.install import OWN_MANAGER, PROMETHEUS_URL
from bench.live.peers.queries import METRIC, rate
from bench.live.systems import Scaler, System
from foretide.api import group
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.manifests import ServingSettings, build
from foretide.simulate.workload import QueueName

OWN_DOMAIN: Final = "bench.invalid"
SERVICE_LABEL: Final = group.SERVICE_LABEL.replace(group.GROUP, OWN_DOMAIN)
MOST_REPLICAS: Final = 10
_BATCHING: Final = re.compile(r"^dynamic_batching \{.*\}$", re.MULTILINE)


def objects(
    system: System, load: Load, service: InferenceService, hardware_class: HardwareClass
) -> list[dict[str, Any]]:
    """All that a team applies that has Triton and a scaler, but no Foretide; the Deployment last but for the scaler."""
    rendered = build(service, hardware_class, settings=ServingSettings())
    mine = [json.loads(_relabelled(json.dumps(entry))) for entry in rendered]
    for entry in mine:
        entry["metadata"].pop("ownerReferences")
        if entry["kind"] == "ConfigMap":
            entry["data"] = {name: _with_queue(system.queue, text, load) for name, text in entry["data"].items()}
        if entry["kind"] == "Deployment":
            entry["spec"]["replicas"] = 1
    (name,) = (entry["metadata"]["name"] for entry in mine if entry["kind"] == "Deployment")
    return [*mine, _scaler(system, load, namespace=service.namespace, deployment=name)]


def _relabelled(text: str) -> str:
    """Not the operator's: it neither counts these pods nor touches them."""
    managed = f'"{group.MANAGED_BY_LABEL}": "{group.MANAGED_BY}"'
    assert managed in text, f"no {managed} in what the operator renders"
    return text.replace(managed, f'"{group.MANAGED_BY_LABEL}": "{OWN_MANAGER}"').replace(
        f'"{group.GROUP}/', f'"{OWN_DOMAIN}/'
    )


def _with_queue(queue: QueueName, config: str, load: Load) -> str:
    """config.pbtxt with the queue of a peer in place of ours: Triton's own, or one that refuses what cannot be in time,
    by somebody who knows how long a full batch takes."""
    assert len(_BATCHING.findall(config)) == 1, f"no one dynamic_batching in config.pbtxt:\n{config}"
    limits = load.service(queue).limits
    policy = (
        f"default_queue_policy {{ timeout_action: REJECT "
        f"default_timeout_microseconds: {round(1e6 * limits.timeout_seconds)} max_queue_size: {limits.max_size:.0f} }} "
        if limits.limited
        else ""
    )
    return _BATCHING.sub(f"dynamic_batching {{ {policy}}}", config)


def _scaler(system: System, load: Load, *, namespace: str, deployment: str) -> dict[str, Any]:
    assert system.target is not None, f"{system.name} has no target"
    threshold = system.target * load.model.law.saturation_rps
    metadata = {"name": system.name, "namespace": namespace}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
    if system.scaler is Scaler.KEDA:
        query = rate(system.queue, f'namespace="{namespace}",pod=~"{deployment}-.*"')
        trigger = {"serverAddress": PROMETHEUS_URL, "query": query, "threshold": f"{threshold:.3f}"}
        return {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": metadata,
            "spec": {
                "scaleTargetRef": target,
                "minReplicaCount": 1,
                "maxReplicaCount": MOST_REPLICAS,
                "triggers": [{"type": "prometheus", "metadata": trigger}],
            },
        }
    average = {"type": "AverageValue", "averageValue": f"{round(1e3 * threshold)}m"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": 1,
            "maxReplicas": MOST_REPLICAS,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": METRIC[system.queue]}, "target": average}}],
        },
    }
