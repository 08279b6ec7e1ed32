"""GPU (whole and a MIG slice), Inferentia and CPU: what each asks of its node and tells Triton, side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

from foretide.serving.manifests import ServingSettings, build
from foretide.serving.model_config import model_config
from tests.serving.strategies import hardware, service
from tests.serving.test_model_config import read

DEVICES = {
    "whole GPU": ("GPU", {"nvidia.com/gpu": "1"}),
    "MIG slice": ("GPU", {"nvidia.com/mig-1g.10gb": "1"}),
    "Inferentia chip": ("Inferentia", {"aws.amazon.com/neuron": "1"}),
    "Inferentia core": ("Inferentia", {"aws.amazon.com/neuroncore": "2"}),
    "CPU": ("CPU", {}),
}
# The one backend that runs on each of them, and a home in the only place that can be written to.
PYTHON = {"backend": "python", "source": {"configMap": {"name": "files"}}}
HOME = {"HOME": "/tmp"}
KEPT_OFF_GPUS = {"TRITON_SERVER_CPU_ONLY": "1", "NVIDIA_VISIBLE_DEVICES": "void"}


def of(kind: str) -> Any:
    family, devices = DEVICES[kind]
    limits = {"memory": "16Gi", **devices}
    taints = [{"key": name, "operator": "Exists", "effect": "NoSchedule"} for name in devices]
    return hardware(
        family=family,
        resources={"requests": {"cpu": "4", "memory": "16Gi"}, "limits": limits},
        placement={"nodeSelector": {"pool": family.lower()}, "tolerations": taints},
    )


def pod(kind: str) -> dict[str, Any]:
    (deployment,) = (
        one for one in build(service(model=PYTHON), of(kind), settings=ServingSettings()) if one["kind"] == "Deployment"
    )
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("kind", DEVICES)
def test_the_scheduler_is_asked_for_the_device_and_tolerates_its_taint(kind: str) -> None:
    family, devices = DEVICES[kind]
    (container,) = pod(kind)["containers"]
    assert devices.items() <= container["resources"]["limits"].items()
    assert not set(devices) & set(container["resources"]["requests"]), "the API server copies the limit of a device"
    assert pod(kind)["nodeSelector"] == {"pool": family.lower()}
    assert [one["key"] for one in pod(kind).get("tolerations", ())] == list(devices)


@pytest.mark.parametrize("kind", DEVICES)
def test_only_who_has_a_gpu_sees_gpus_and_none_measures_them(kind: str) -> None:
    (container,) = pod(kind)["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment == HOME | ({} if kind in ("whole GPU", "MIG slice") else KEPT_OFF_GPUS)
    assert "--allow-gpu-metrics=false" in container["args"]


@pytest.mark.parametrize(
    ("kind", "placed"),
    list(zip(DEVICES, ("KIND_GPU", "KIND_GPU", "KIND_MODEL", "KIND_MODEL", "KIND_CPU"), strict=True)),
)
def test_triton_places_the_model_where_the_family_says(kind: str, placed: str) -> None:
    (group,) = read(model_config(service(model=PYTHON), of(kind))).instance_group
    assert ModelInstanceGroup.Kind.Name(group.kind) == placed


@pytest.mark.parametrize("kind", DEVICES)
def test_a_pod_of_any_family_keeps_the_restricted_level(kind: str) -> None:
    made = pod(kind)
    assert made["securityContext"]["runAsNonRoot"] is True
    assert made["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(made)
    assert not any("hostPath" in volume for volume in made["volumes"]), "devices come by the device plugin"
    for container in (*made["containers"], *made.get("initContainers", ())):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not context.get("privileged", False)


def test_each_class_of_a_service_has_its_own_deployment_and_budget_and_all_share_one_service() -> None:
    several = [of(kind) for kind in ("whole GPU", "Inferentia chip", "CPU")]
    named = [_named(one, f"class-{number}") for number, one in enumerate(several)]
    made = build(service(model=PYTHON), *named, settings=ServingSettings())
    kinds = [one["kind"] for one in made]
    assert kinds == [
        "ServiceAccount",
        *["ConfigMap"] * 3,
        "Service",
        *["PodDisruptionBudget"] * 3,
        *["Deployment"] * 3,
    ]
    (shared,) = (one for one in made if one["kind"] == "Service")
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in made if one["kind"] == "Deployment"]
    assert all(shared["spec"]["selector"].items() <= labels.items() for labels in pods)
    budgets = [one["spec"]["selector"]["matchLabels"] for one in made if one["kind"] == "PodDisruptionBudget"]
    # The eviction API refuses a pod that two budgets match.
    assert [sum(budget.items() <= labels.items() for budget in budgets) for labels in pods] == [1, 1, 1]


def test_classes_with_the_same_configuration_share_its_text() -> None:
    same = [_named(of("CPU"), name) for name in ("cpu-8", "cpu-16")]
    assert [one["kind"] for one in build(service(), *same, settings=ServingSettings())].count("ConfigMap") == 1


def _named(one: Any, name: str) -> Any:
    return replace(one, name=name)
