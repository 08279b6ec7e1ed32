"""Every field that says how a model is served changes what is made of it; one that does not has no place in the API.

tests/control/test_every_field.py has those that say how it is scaled, and counts that none is missing."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest

from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.backends import unfit
from foretide.serving.manifests import ServingSettings, build

TENSOR: Final = {"name": "X", "dataType": "FP32", "shape": [8]}
FILES: Final = {"configMap": {"name": "files"}}
SERVICE: Final[dict[str, Any]] = {
    "model": {"backend": "python", "source": FILES, "inputs": [TENSOR], "outputs": [TENSOR], "maxBatchSize": 8},
    "hardware": {"classes": ["gpu-t4"]},
    "slo": {"objective": "99", "latency": "100ms"},
    "scaling": {},
    "batching": {"mode": "Manual"},
}
HARDWARE: Final[dict[str, Any]] = {
    "family": "GPU",
    "resources": {"limits": {"nvidia.com/gpu": 1}},
    "placement": {"tolerations": [{"key": "pool"}]},
    "triton": {"image": "tritonserver:x"},
}
ONNX: Final = {"model.backend": "onnxruntime"}
DOWNLOADED: Final = {"model.source": {"uri": "s3://models/ranker/3"}}

# The path of each field of the schema that the serving side reads -> changes after which it must have been read.
# A path of an earlier change on the same line is what the field needs beside it.
FIELDS: Final[dict[str, dict[str, Any]]] = {
    "model.name": {"model.name": "other"},
    "model.version": {"model.version": "2"},
    "model.backend": {"model.backend": "onnxruntime"},
    "model.source": {"model.source": {"configMap": {"name": "others"}}},
    "model.inputs": {"model.inputs": [{**TENSOR, "name": "Z"}]},
    "model.outputs": {"model.outputs": [{**TENSOR, "name": "Z"}]},
    "model.maxBatchSize": {"model.maxBatchSize": 16},
    "model.parameters": {"model.parameters": {"a": "b"}},
    "model.fileName": {"model.fileName": "other.py"},
    "model.precision": {**ONNX, "model.precision": "FP16"},
    "model.decoupled": {"model.decoupled": True},
    "model.warmup": {"model.warmup": True},
    "model.variants": {"model.variants": [{"hardwareClass": "gpu-t4", "parameters": {"a": "b"}}]},
    "model.credentialsSecret": {**DOWNLOADED, "model.credentialsSecret": {"name": "models-read"}},
    "batching.mode": {"batching.mode": "None"},
    "batching.maxQueueDelay": {"batching.maxQueueDelay": "2ms"},
    "batching.preferredSizes": {"batching.preferredSizes": [8]},
    "responseCache.size": {"responseCache.size": "64Mi"},
    "slo.latency": {"slo.latency": "20s"},  # beyond the slack of the exit timeout
}
OF_A_VARIANT: Final[dict[str, Any]] = {
    "backend": "onnxruntime",
    "source": {"configMap": {"name": "others"}},
    "fileName": "other.py",
    "precision": "FP16",
    "parameters": {"a": "b"},
}
OF_A_CLASS: Final[dict[str, Any]] = {
    "family": "Inferentia",
    "resources.requests": {"cpu": "1"},
    "resources.limits": {"cpu": "1", "nvidia.com/gpu": 1},
    "placement.nodeSelector": {"pool": "a"},
    "placement.tolerations": [],
    "placement.priorityClassName": "high",
    "triton.image": "tritonserver:y",
    "triton.instances": "Auto",
}
TOLERATION: Final = {"key": "pool", "operator": "Equal", "value": "a", "effect": "NoExecute", "tolerationSeconds": 60}


def _tensors(**change: Any) -> tuple[Any, Any]:
    return [TENSOR], [{**TENSOR, **change}]


def _tolerations(**change: Any) -> tuple[Any, Any]:
    return [TOLERATION], [{**TOLERATION, **change}]


# What is deeper than a field of the tables above -> two values of that field which differ in it alone.
LEAVES: Final[dict[str, tuple[Any, Any]]] = {
    "model.source.uri": ({"uri": "s3://models/a"}, {"uri": "s3://models/b"}),
    "model.source.image.reference": ({"image": {"reference": "a/b:1"}}, {"image": {"reference": "a/b:2"}}),
    "model.source.image.path": ({"image": {"reference": "a/b:1"}}, {"image": {"reference": "a/b:1", "path": "c"}}),
    "model.source.persistentVolumeClaim.claimName": (
        {"persistentVolumeClaim": {"claimName": "a", "path": "c"}},
        {"persistentVolumeClaim": {"claimName": "b", "path": "c"}},
    ),
    "model.source.persistentVolumeClaim.path": (
        {"persistentVolumeClaim": {"claimName": "a", "path": "c"}},
        {"persistentVolumeClaim": {"claimName": "a", "path": "d"}},
    ),
    "model.source.configMap.name": (FILES, {"configMap": {"name": "others"}}),
    **{f"model.{tensors}[].name": _tensors(name="Z") for tensors in ("inputs", "outputs")},
    **{f"model.{tensors}[].dataType": _tensors(dataType="INT64") for tensors in ("inputs", "outputs")},
    **{f"model.{tensors}[].shape": _tensors(shape=[9]) for tensors in ("inputs", "outputs")},
    "placement.tolerations[].key": _tolerations(key="other"),
    "placement.tolerations[].operator": ([{"operator": "Exists", "key": "a"}], [{"operator": "Equal", "key": "a"}]),
    "placement.tolerations[].value": _tolerations(value="b"),
    "placement.tolerations[].effect": (
        [{"key": "pool", "effect": "NoSchedule"}],
        [{"key": "pool", "effect": "PreferNoSchedule"}],
    ),
    "placement.tolerations[].tolerationSeconds": _tolerations(tolerationSeconds=61),
}


def changed(raw: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(raw)
    for path, value in changes.items():
        *parents, last = path.split(".")
        at = result
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return result


def made(service: dict[str, Any], hardware: dict[str, Any]) -> object:
    one = parse.inference_service({"kind": group.INFERENCE_SERVICE_KIND, "metadata": {"name": "r"}, "spec": service})
    other = parse.hardware_class({"kind": group.HARDWARE_CLASS_KIND, "metadata": {"name": "gpu-t4"}, "spec": hardware})
    assert isinstance(one, InferenceService), one
    assert isinstance(other, HardwareClass), other
    assert unfit(one.model_on("gpu-t4"), other) == ""
    return build(one, other, settings=ServingSettings())


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_a_service_changes_its_children(field: str) -> None:
    *needed, last = FIELDS[field].items()
    assert last[0] == field
    before = changed(SERVICE, dict(needed))
    assert made(changed(before, dict([last])), HARDWARE) != made(before, HARDWARE)


@pytest.mark.parametrize("field", OF_A_VARIANT)
def test_a_field_of_a_variant_changes_the_children_of_its_class(field: str) -> None:
    base = changed(SERVICE, ONNX if field == "precision" else {})
    variant = {"hardwareClass": "gpu-t4", field: OF_A_VARIANT[field]}
    assert made(changed(base, {"model.variants": [variant]}), HARDWARE) != made(base, HARDWARE)


@pytest.mark.parametrize("field", OF_A_CLASS)
def test_a_field_of_a_class_changes_the_children(field: str) -> None:
    assert made(SERVICE, changed(HARDWARE, {field: OF_A_CLASS[field]})) != made(SERVICE, HARDWARE)


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_part_of_a_field_changes_the_children(leaf: str) -> None:
    field = ".".join(leaf.replace("[]", "").split(".")[:2])
    one, other = LEAVES[leaf]
    if leaf.startswith("model."):
        assert made(changed(SERVICE, {field: one}), HARDWARE) != made(changed(SERVICE, {field: other}), HARDWARE)
    else:
        assert made(SERVICE, changed(HARDWARE, {field: one})) != made(SERVICE, changed(HARDWARE, {field: other}))
