"""The Deployment: one Triton container a pod, one model a container."""

from __future__ import annotations

import json
from typing import Any, Final

from foretide.api import group
from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving import latency_metrics, lifecycle, naming, security
from foretide.serving.download import DownloadSettings
from foretide.serving.model_source import ModelFiles, model_files

REPOSITORY: Final = "/models"
# The Python backend takes 1 MiB an instance at start and grows with the largest tensors; it counts against the
# memory limit of the container.
SHARED_MEMORY_LIMIT: Final = "128Mi"
_CONFIG: Final = "config"


def deployment(
    service: InferenceService,
    hardware_class: HardwareClass,
    *,
    config: str,
    drain_seconds: int,
    download: DownloadSettings,
) -> dict[str, Any]:
    """The Deployment's spec without `replicas`, which the autoscale loop alone writes."""
    times = lifecycle.shutdown(
        drain_seconds=drain_seconds,
        slo_latency_seconds=service.latency_seconds,
        instances=hardware_class.spec.triton.instances,
    )
    files = model_files(service.spec.model, hardware_class, download)
    placement = hardware_class.spec.placement
    selector = naming.selector(service.name, hardware_class.name)
    pod: dict[str, Any] = {
        "serviceAccountName": naming.service_account_name(service.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # With Triton as PID 1 a SIGTERM during model load is lost (still alive 25 s later): the pause process is
        # PID 1 instead, and the default action of the signal ends Triton at once.
        "shareProcessNamespace": True,
        "securityContext": security.pod_security_context(),
        "terminationGracePeriodSeconds": times.grace_seconds,
        **({"initContainers": files.init_containers} if files.init_containers else {}),
        "containers": [_container(service, hardware_class, times, files)],
        "volumes": [
            *files.volumes,
            {"name": _CONFIG, "configMap": {"name": naming.config_map_name(service.name, config)}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": SHARED_MEMORY_LIMIT}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }
        ],
    }
    if placement.node_selector:
        pod["nodeSelector"] = dict(placement.node_selector)
    if placement.tolerations:
        pod["tolerations"] = [
            toleration.model_dump(by_alias=True, exclude_none=True) for toleration in placement.tolerations
        ]
    if placement.priority_class_name:
        pod["priorityClassName"] = placement.priority_class_name
    return {
        "selector": {"matchLabels": selector},
        # A new pod is Ready before an old one leaves: no roll-out takes capacity away.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": lifecycle.STARTUP_SECONDS + 60,
        "template": {
            "metadata": {
                "labels": naming.labels(service.name, hardware_class.name),
                "annotations": {
                    group.TEMPLATE_DIGEST_ANNOTATION: naming.digest(json.dumps(pod, sort_keys=True)),
                    "kubectl.kubernetes.io/default-container": naming.CONTAINER,
                },
            },
            "spec": pod,
        },
    }


def _container(
    service: InferenceService, hardware_class: HardwareClass, times: lifecycle.Shutdown, files: ModelFiles
) -> dict[str, Any]:
    folder = f"{REPOSITORY}/{service.model_name}"
    return {
        "name": naming.CONTAINER,
        "image": hardware_class.spec.triton.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["tritonserver"],
        "args": _arguments(service, hardware_class, times),
        "env": _environment(hardware_class),
        "ports": [
            {"name": naming.HTTP_PORT_NAME, "containerPort": naming.HTTP_PORT, "protocol": "TCP"},
            {"name": naming.GRPC_PORT_NAME, "containerPort": naming.GRPC_PORT, "protocol": "TCP"},
            {"name": naming.METRICS_PORT_NAME, "containerPort": naming.METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": hardware_class.spec.resources.model_dump(exclude_none=True),
        "securityContext": security.container_security_context(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "lifecycle": lifecycle.pre_stop(times.drain_seconds),
        **lifecycle.probes(service.model_name),
        "volumeMounts": [
            {**files.mount, "mountPath": f"{folder}/{service.spec.model.version}"},
            {
                "name": _CONFIG,
                "mountPath": f"{folder}/config.pbtxt",
                "subPath": "config.pbtxt",
                "readOnly": True,
            },
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - paths inside the container
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }


def _arguments(service: InferenceService, hardware_class: HardwareClass, times: lifecycle.Shutdown) -> list[str]:
    """Flags of tritonserver; none of them holds a user's text."""
    arguments = [
        f"--model-repository={REPOSITORY}",
        "--model-control-mode=none",
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={times.exit_timeout_seconds}",
        *latency_metrics.flags(hardware_class),
        "--allow-gpu-metrics=false",  # one DCGM exporter a node instead of one in each pod
        "--log-format=ISO8601",
    ]
    if service.spec.model.inputs:
        # Tensors are given: a model file that says otherwise must fail at load, not be served differently.
        arguments.append("--disable-auto-complete-config")
    return arguments


def _environment(hardware_class: HardwareClass) -> list[dict[str, str]]:
    if hardware_class.spec.family is Family.GPU:
        return []
    # A container that asks for no GPU sees all GPUs of its node; these two keep it off them.
    return [
        {"name": "TRITON_SERVER_CPU_ONLY", "value": "1"},
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"},
    ]
