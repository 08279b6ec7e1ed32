"""All children of one InferenceService, as they should be: the one entry point of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from foretide.api import group
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving import naming
from foretide.serving.deployment import deployment
from foretide.serving.download import DownloadSettings
from foretide.serving.lifecycle import STARTUP_SECONDS
from foretide.serving.model_config import model_config

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """What the operator's administrator decides for all services."""

    drain_seconds: int = 5
    download: DownloadSettings = field(default_factory=DownloadSettings)


def build(
    service: InferenceService,
    *hardware_classes: HardwareClass,
    settings: ServingSettings,
    startup_seconds: Mapping[str, int] = MappingProxyType({}),
) -> tuple[Manifest, ...]:
    """The manifests in the order in which they must exist, with a Deployment for each of these classes of the service;
    none of them sets `spec.replicas`.

    `startup_seconds`: by the name of a class how long Triton may load; STARTUP_SECONDS where nothing is said.
    """
    configs = {one.name: model_config(service, one) for one in hardware_classes}

    def child(
        api_version: str, kind: str, name: str, *, of_class: HardwareClass | None = None, **content: Any
    ) -> Manifest:
        metadata = {
            "name": name,
            "namespace": service.namespace,
            "labels": naming.labels(service.name, None if of_class is None else of_class.name),
            "ownerReferences": [owner_reference(service)],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}

    def disruption_budget(one: HardwareClass) -> Manifest:
        return child(
            "policy/v1",
            "PodDisruptionBudget",
            naming.deployment_name(service.name, one.name),
            of_class=one,
            spec={
                "maxUnavailable": 1,
                # By class: replicas of one that wait for a node for days would forbid every eviction of the others.
                "selector": {"matchLabels": naming.selector(service.name, one.name)},
                # A pod that never became ready must not block the drain of its node.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        )

    def replicas(one: HardwareClass) -> Manifest:
        return child(
            "apps/v1",
            "Deployment",
            naming.deployment_name(service.name, one.name),
            of_class=one,
            spec=deployment(
                service,
                one,
                config=configs[one.name],
                drain_seconds=settings.drain_seconds,
                startup_seconds=startup_seconds.get(one.name, STARTUP_SECONDS),
                download=settings.download,
            ),
        )

    return (
        child(
            "v1",
            "ServiceAccount",
            naming.service_account_name(service.name),
            automountServiceAccountToken=False,
        ),
        # Classes whose texts are the same share one.
        *(
            child(
                "v1",
                "ConfigMap",
                naming.config_map_name(service.name, config),
                data={"config.pbtxt": config},
                immutable=True,
            )
            for config in dict.fromkeys(configs.values())
        ),
        child("v1", "Service", service.name, spec=_service(service)),
        *map(disruption_budget, hardware_classes),
        *map(replicas, hardware_classes),
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


def _service(service: InferenceService) -> dict[str, Any]:
    ports = ((naming.HTTP_PORT_NAME, naming.HTTP_PORT), (naming.GRPC_PORT_NAME, naming.GRPC_PORT))
    return {
        "type": "ClusterIP",
        "selector": {group.SERVICE_LABEL: service.name},
        "ports": [
            {"name": name, "port": port, "targetPort": name, "protocol": "TCP", "appProtocol": protocol}
            for (name, port), protocol in zip(ports, ("http", "kubernetes.io/h2c"), strict=True)
        ],
    }
