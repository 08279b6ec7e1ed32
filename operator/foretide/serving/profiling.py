"""A Job that measures how fast a model is: a replica of its own that no client reaches, and beside it in the same pod
a generator of load, so that requests go over loopback and not through the API server.

One object, so that nothing is left behind: it ends by itself, is deleted some minutes later, and with its service.
Triton is a sidecar: the generator starts when the model is loaded, and Triton ends with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from foretide.api import group
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving import naming, security
from foretide.serving.deployment import deployment
from foretide.serving.lifecycle import STARTUP_SECONDS
from foretide.serving.manifests import Manifest, ServingSettings, owner_reference
from foretide.serving.model_config import model_config

GENERATOR: Final = "load"
ORDER_VARIABLE: Final = "FORETIDE_PROFILE_ORDER"
CONFIG_ANNOTATION: Final = f"{group.GROUP}/config"
PROFILE: Final = "foretide-profile"
# A plugin that was killed takes nothing with it; this is how long others still see what came of it.
KEPT_SECONDS: Final = 300
# Little, so that a class that fills a node still finds room; requests of a model that is worth a profile are few.
_RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
# Of a replica: no client is sent to this one, and under a load that fills it a probe must not end it.
_OF_CLIENTS: Final = ("readinessProbe", "livenessProbe", "lifecycle")
_NAME_LIMIT: Final = 40


def job_name(service: str, suffix: str) -> str:
    """`profile-<service>-<suffix>`; without two dashes in a row, which the name of every Deployment has: Prometheus'
    history is by the Deployment that a pod's name tells, and none must be taken for the one that made this pod."""
    return f"profile-{re.sub('-+', '-', service)[:_NAME_LIMIT].strip('-')}-{suffix}"


def profiling_job(
    service: InferenceService,
    hardware_class: HardwareClass,
    *,
    name: str,
    image: str,
    order: str,
    deadline_seconds: int,
    settings: ServingSettings,
) -> Manifest:
    """The Job with a replica as `deployment` makes it, but for what is there for clients; `image` has the generator.

    Without a response cache: the same item sent again and again would be computed once, and nothing measured. And
    without a limit of the queue: twice the largest batch of clients, each waiting for its answer, may wait for longer
    than half of the SLO.
    """
    service = replace(service, spec=service.spec.model_copy(update={"response_cache": None}))
    config = model_config(service, hardware_class, refuses=False)
    made = deployment(
        service,
        hardware_class,
        config=config,
        drain_seconds=settings.drain_seconds,
        download=settings.download,
        startup_seconds=STARTUP_SECONDS,
    )
    pod: dict[str, Any] = {**made["template"]["spec"]}
    pod.pop("topologySpreadConstraints")
    (replica,) = pod["containers"]
    triton = {key: value for key, value in replica.items() if key not in _OF_CLIENTS} | {"restartPolicy": "Always"}
    # From an annotation: a ConfigMap would be a second object to leave behind.
    field = {"fieldPath": f"metadata.annotations['{CONFIG_ANNOTATION}']"}
    text = {"downwardAPI": {"items": [{"path": "config.pbtxt", "fieldRef": field}]}}
    pod["volumes"] = [
        {"name": volume["name"], **text} if volume["name"] == "config" else volume for volume in pod["volumes"]
    ]
    pod["initContainers"] = [*pod.get("initContainers", ()), triton]
    return _job(
        service,
        pod,
        name=name,
        image=image,
        order=order,
        deadline_seconds=deadline_seconds,
        annotations={CONFIG_ANNOTATION: config},
    )


def generator_job(service: InferenceService, *, name: str, image: str, order: str, deadline_seconds: int) -> Manifest:
    """The Job with the generator alone, for a replica that is there already."""
    pod: dict[str, Any] = {
        "serviceAccountName": naming.service_account_name(service.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security.pod_security_context(),
        "terminationGracePeriodSeconds": 5,
    }
    return _job(service, pod, name=name, image=image, order=order, deadline_seconds=deadline_seconds, annotations={})


def _job(
    service: InferenceService,
    pod: Mapping[str, Any],
    *,
    name: str,
    image: str,
    order: str,
    deadline_seconds: int,
    annotations: Mapping[str, str],
) -> Manifest:
    # Neither of the labels by which Services, Deployments, PodMonitors and the operator find a replica.
    labels = {
        group.NAME_LABEL: PROFILE,
        group.INSTANCE_LABEL: service.name,
        group.COMPONENT_LABEL: "profile",
    }
    generator = {
        "name": GENERATOR,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "foretide.cli.profile.generator"],
        "env": [{"name": ORDER_VARIABLE, "value": order}],
        "resources": _RESOURCES,
        "securityContext": security.container_security_context(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": service.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(service)],
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": deadline_seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels, "annotations": dict(annotations)},
                "spec": {**pod, "restartPolicy": "Never", "containers": [generator]},
            },
        },
    }
