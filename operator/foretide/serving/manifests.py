"""All children of one InferenceService, as they should be: the one entry point of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foretide.api import group
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving import naming
from foretide.serving.deployment import deployment
from foretide.serving.download import DownloadSettings
from foretide.serving.model_config import model_config

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """What the operator's administrator decides for all services."""

    drain_seconds: int = 5
    download: DownloadSettings = field(default_factory=DownloadSettings)


def build(
    service: InferenceService, hardware_class: HardwareClass, *, settings: ServingSettings
) -> tuple[Manifest, ...]:
    """The manifests in the order in which they must exist; none of them sets `spec.replicas`."""
    config = model_config(service, hardware_class)
    labels = naming.labels(service.name, hardware_class.name)

    def child(api_version: str, kind: str, name: str, **content: Any) -> Manifest:
        metadata = {
            "name": name,
            "namespace": service.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(service)],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}

    return (
        child(
            "v1",
            "ServiceAccount",
            naming.service_account_name(service.name),
            automountServiceAccountToken=False,
        ),
        child(
            "v1",
            "ConfigMap",
            naming.config_map_name(service.name, config),
            data={"config.pbtxt": config},
            immutable=True,
        ),
        child("v1", "Service", service.name, spec=_service(service, hardware_class)),
        child(
            "policy/v1",
            "PodDisruptionBudget",
            service.name,
            spec={
                "maxUnavailable": 1,
                # By service, not by class: while it moves to another class, the old pods are the ones that serve.
                "selector": {"matchLabels": {group.SERVICE_LABEL: service.name}},
                # A pod that never became ready must not block the drain of its node.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        ),
        child(
            "apps/v1",
            "Deployment",
            naming.deployment_name(service.name, hardware_class.name),
            spec=deployment(
                service,
                hardware_class,
                config=config,
                drain_seconds=settings.drain_seconds,
                download=settings.download,
            ),
        ),
    )


def owner_reference(service: InferenceService) -> dict[str, Any]:
    """Makes the garbage collector delete the child with its service, whether or not the operator lives.

    Without blockOwnerDeletion, which matters only to foreground deletion: with it the API server asks who may set it,
    and for ten seconds after the CRD is created it answers "no matches for kind InferenceService" to that.
    """
    return {
        "apiVersion": group.API_VERSION,
        "kind": group.INFERENCE_SERVICE_KIND,
        "name": service.name,
        "uid": service.uid,
        "controller": True,
    }


def _service(service: InferenceService, hardware_class: HardwareClass) -> dict[str, Any]:
    ports = ((naming.HTTP_PORT_NAME, naming.HTTP_PORT), (naming.GRPC_PORT_NAME, naming.GRPC_PORT))
    return {
        "type": "ClusterIP",
        "selector": {group.SERVICE_LABEL: service.name},
        "ports": [
            {"name": name, "port": port, "targetPort": name, "protocol": "TCP", "appProtocol": protocol}
            for (name, port), protocol in zip(ports, ("http", "kubernetes.io/h2c"), strict=True)
        ],
    }
