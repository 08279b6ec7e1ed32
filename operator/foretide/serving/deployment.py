"""The Deployment: one Triton container a pod, one model a container."""

from __future__ import annotations

import json
from typing import Any, Final

from foretide.api import group
from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.model import Model
from foretide.serving import latency_metrics, lifecycle, naming, response_cache, security, shared_memory
from foretide.serving.backends import RUNS
from foretide.serving.download import DownloadSettings
from foretide.serving.model_source import ModelFiles, model_files
from foretide.serving.parallelism import instances, threads

_CONFIG: Final = "config"


def deployment(
    service: InferenceService,
    hardware_class: HardwareClass,
    *,
    config: str,
    drain_seconds: int,
    startup_seconds: int,
    download: DownloadSettings,
) -> dict[str, Any]:
    """The Deployment's spec without `replicas`, which the autoscale loop alone writes."""
    model = service.model_on(hardware_class.name)
    times = lifecycle.shutdown(
        drain_seconds=drain_seconds,
        slo_latency_seconds=service.latency_seconds,
        instances=instances(model, hardware_class),
    )
    files = model_files(model, hardware_class, download)
    cache_bytes = response_cache.size_bytes(service)
    shared = f"{shared_memory.limit_mib(model, hardware_class, cache_bytes=cache_bytes)}Mi"
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
        "containers": [_container(service, model, hardware_class, times, files, startup_seconds)],
        "volumes": [
            *files.volumes,
            {"name": _CONFIG, "configMap": {"name": naming.config_map_name(service.name, config)}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shared}},
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
        "progressDeadlineSeconds": startup_seconds + 60,
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
    service: InferenceService,
    model: Model,
    hardware_class: HardwareClass,
    times: lifecycle.Shutdown,
    files: ModelFiles,
    startup_seconds: int,
) -> dict[str, Any]:
    folder = f"{naming.version_folder(service.model_name, model.version)}/{RUNS[model.backend].folder}".rstrip("/")
    return {
        "name": naming.CONTAINER,
        "image": hardware_class.spec.triton.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["tritonserver"],
        "args": _arguments(service, model, hardware_class, times),
        "env": _environment(model, hardware_class),
        "ports": [
            {"name": naming.HTTP_PORT_NAME, "containerPort": naming.HTTP_PORT, "protocol": "TCP"},
            {"name": naming.GRPC_PORT_NAME, "containerPort": naming.GRPC_PORT, "protocol": "TCP"},
            {"name": naming.METRICS_PORT_NAME, "containerPort": naming.METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": hardware_class.spec.resources.model_dump(exclude_none=True),
        "securityContext": security.container_security_context(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "lifecycle": lifecycle.pre_stop(times.drain_seconds),
        **lifecycle.probes(service.model_name, startup_seconds=startup_seconds),
        "volumeMounts": [
            {**files.mount, "mountPath": folder},
            {
                "name": _CONFIG,
                "mountPath": f"{naming.REPOSITORY}/{service.model_name}/config.pbtxt",
                "subPath": "config.pbtxt",
                "readOnly": True,
            },
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - paths inside the container
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }


def _arguments(
    service: InferenceService, model: Model, hardware_class: HardwareClass, times: lifecycle.Shutdown
) -> list[str]:
    """Flags of tritonserver; none of them holds a user's text."""
    arguments = [
        f"--model-repository={naming.REPOSITORY}",
        "--model-control-mode=none",
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={times.exit_timeout_seconds}",
        *response_cache.flags(service),
        *latency_metrics.flags(hardware_class),
        "--allow-gpu-metrics=false",  # one DCGM exporter a node instead of one in each pod
        "--log-format=ISO8601",
    ]
    if model.inputs or model.backend == "tensorrtllm":
        # Tensors are given: a model file that says otherwise must fail at load, not be served differently.
        arguments.append("--disable-auto-complete-config")
    return arguments


def _environment(model: Model, hardware_class: HardwareClass) -> list[dict[str, str]]:
    # Engines and libraries keep caches at home, and the root file system is read-only.
    variables = {"HOME": "/tmp"}  # noqa: S108 - a path inside the container
    if hardware_class.spec.family is not Family.GPU:
        # A container that asks for no GPU sees all GPUs of its node; these two keep it off them.
        variables |= {"TRITON_SERVER_CPU_ONLY": "1", "NVIDIA_VISIBLE_DEVICES": "void"}
    if RUNS[model.backend].omp and (count := threads(model, hardware_class)) is not None:
        variables["OMP_NUM_THREADS"] = str(count)
    return [{"name": name, "value": value} for name, value in variables.items()]
