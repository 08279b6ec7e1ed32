"""One model, built for several classes: what the replicas of each run."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api import parse
from foretide.api.backends import PRECISIONS
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


members = st.fixed_dictionaries(
    {},
    optional={
        "backend": st.sampled_from(["onnxruntime", "tensorrt", "openvino", "tensorflow", "python", "fil"]),
        "fileName": st.sampled_from(["a.onnx", "b.json"]),
        "precision": st.sampled_from(sorted({one for each in PRECISIONS.values() for one in each})),
        "parameters": st.dictionaries(st.sampled_from(["a", "b"]), st.just("1"), max_size=1),
    },
)
wholes = st.fixed_dictionaries(
    {"backend": st.sampled_from(["onnxruntime", "openvino", "tensorflow", "python", "fil", "vllm", "tensorrtllm"])},
    optional={
        "fileName": st.just("m.py"),
        "precision": st.sampled_from(["FP16", "BF16"]),
        "decoupled": st.booleans(),
        "maxBatchSize": st.sampled_from([0, 1, 8]),
        "warmup": st.booleans(),
    },
)


@given(wholes, members)
def test_what_a_class_runs_keeps_every_rule_that_a_model_keeps(model: dict[str, Any], variant: dict[str, Any]) -> None:
    """A variant that is accepted never makes a model that would be refused if it were written out."""
    raw = {
        "metadata": {"name": "ranker"},
        "spec": {
            "model": {"source": MODEL["source"], **model, "variants": [{"hardwareClass": "gpu-t4", **variant}]},
            "hardware": {"classes": ["gpu-t4"]},
            "slo": {"objective": "99", "latency": "100ms"},
        },
    }
    parsed = parse.inference_service(raw)
    if isinstance(parsed, InferenceService):
        found = parsed.model_on("gpu-t4")
        assert Model.model_validate(found.model_dump(exclude_defaults=True)) == found
