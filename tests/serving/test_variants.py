"""One model, built for several classes: what the replicas of each run."""

from __future__ import annotations

from typing import Any, Final

import pytest

from foretide.api import parse
from foretide.api.inferenceservice import InferenceService
from foretide.api.model import Model

TENSOR: Final = {"name": "X", "dataType": "FP32", "shape": [8]}
MODEL: Final[dict[str, Any]] = {
    "backend": "onnxruntime",
    "source": {"configMap": {"name": "onnx"}},
    "inputs": [TENSOR],
    "outputs": [TENSOR],
    "maxBatchSize": 16,
    "fileName": "net.onnx",
    "precision": "FP16",
    "parameters": {"level": "1"},
}


def on(name: str, *variants: dict[str, Any], classes: tuple[str, ...] = ("gpu-t4",), **model: Any) -> Model:
    parsed = parse.inference_service(
        {
            "metadata": {"name": "ranker"},
            "spec": {
                "model": {**MODEL, **model, "variants": variants},
                "hardware": {"classes": classes},
                "slo": {"objective": "99", "latency": "100ms"},
            },
        }
    )
    assert isinstance(parsed, InferenceService), parsed
    return parsed.model_on(name)


def test_a_class_without_a_variant_runs_the_model() -> None:
    found = on("cpu-4", {"hardwareClass": "gpu-t4", "backend": "tensorrt"})
    assert (found.backend, found.file_name, found.precision, found.parameters) == (
        "onnxruntime", "net.onnx", "FP16", {"level": "1"},
    )  # fmt: skip
    assert found.variants == ()


@pytest.mark.parametrize(
    ("said", "field", "expected"),
    [
        ({"backend": "openvino"}, "backend", "openvino"),
        ({"fileName": "other.onnx"}, "file_name", "other.onnx"),
        ({"precision": "INT8"}, "precision", "INT8"),
        ({"parameters": {"level": "2"}}, "parameters", {"level": "2"}),
        ({"parameters": {}}, "parameters", {}),
    ],
)
def test_each_member_of_a_variant_takes_the_place_of_the_models(
    said: dict[str, Any], field: str, expected: object
) -> None:
    assert getattr(on("gpu-t4", {"hardwareClass": "gpu-t4", **said}), field) == expected


def test_a_source_of_its_own() -> None:
    found = on("gpu-t4", {"hardwareClass": "gpu-t4", "source": {"configMap": {"name": "plan"}}})
    assert found.source.config_map is not None
    assert found.source.config_map.name == "plan"


def test_a_variant_of_the_same_backend_inherits_what_it_does_not_say() -> None:
    found = on("gpu-t4", {"hardwareClass": "gpu-t4", "backend": "onnxruntime"})
    assert (found.file_name, found.precision, found.parameters) == ("net.onnx", "FP16", {"level": "1"})


def test_what_is_said_for_one_backend_is_not_for_another() -> None:
    found = on("gpu-t4", {"hardwareClass": "gpu-t4", "backend": "tensorrt"})
    assert (found.backend, found.file_name, found.precision, found.parameters) == ("tensorrt", None, None, {})
    assert (found.largest_batch, [tensor.name for tensor in found.inputs]) == (16, ["X"])
