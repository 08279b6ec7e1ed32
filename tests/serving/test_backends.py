"""The configuration of every backend, beside a file to read, and in the words of Triton's own protobuf.

After a change that is meant: UPDATE_GOLDEN=1 pytest tests/serving/test_backends.py, and read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from foretide.api.backends import Backend
from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.backends import RUNS, unfit
from foretide.serving.manifests import ServingSettings, build
from foretide.serving.model_config import model_config
from tests.serving.strategies import hardware, service

GOLDEN: Final = Path(__file__).parent / "golden"
FILES: Final = {"configMap": {"name": "files"}}
IMAGE: Final = {"name": "image", "dataType": "FP32", "shape": [3, 224, 224]}
SCORES: Final = {"name": "scores", "dataType": "FP32", "shape": [1000]}
TENSORS: Final[dict[str, Any]] = {"inputs": [IMAGE], "outputs": [SCORES]}
ROW: Final = {"name": "input__0", "dataType": "FP32", "shape": [32]}
CLASS: Final = {"name": "output__0", "dataType": "FP32", "shape": [1]}
BYTES: Final = {"name": "DALI_INPUT_0", "dataType": "UINT8", "shape": [-1]}

CPU: Final = hardware("cpu-4", resources={"limits": {"cpu": "4", "memory": "8Gi"}}, triton={"image": "tritonserver:x"})
GPU: Final = hardware("gpu-t4", family="GPU", resources={"limits": {"nvidia.com/gpu": "1", "memory": "16Gi"}})
INFERENTIA: Final = hardware("inf2-xl", family="Inferentia", resources={"limits": {"aws.amazon.com/neuron": "1"}})
TWICE: Final = hardware("t4-twice", family="GPU", triton={"image": "tritonserver:2.51", "instances": "2"})
CLASSES: Final = {one.spec.family: one for one in (CPU, GPU, INFERENTIA)}

# By the name of the golden file: what a team writes of the model, and where it runs.
CASES: Final[dict[str, tuple[dict[str, Any], HardwareClass]]] = {
    "onnxruntime-cpu": ({"backend": "onnxruntime", "maxBatchSize": 32, "warmup": True, **TENSORS}, CPU),
    "onnxruntime-gpu": ({"backend": "onnxruntime", "maxBatchSize": 32, "precision": "FP16", **TENSORS}, GPU),
    "tensorrt": ({"backend": "tensorrt", "maxBatchSize": 16, "fileName": "ranker-t4.plan", **TENSORS}, GPU),
    "pytorch": ({"backend": "pytorch", "maxBatchSize": 8, **TENSORS}, CPU),
    "openvino": ({"backend": "openvino", "maxBatchSize": 8, "precision": "BF16", **TENSORS}, CPU),
    "tensorflow-cpu": ({"backend": "tensorflow", "maxBatchSize": 8}, CPU),
    "tensorflow-gpu": ({"backend": "tensorflow", "maxBatchSize": 8, "precision": "FP16"}, GPU),
    "python-cpu": ({"backend": "python", "maxBatchSize": 8, "decoupled": True, **TENSORS}, CPU),
    "python-inferentia": ({"backend": "python", "maxBatchSize": 8, **TENSORS}, INFERENTIA),
    "fil": (
        {"backend": "fil", "maxBatchSize": 4096, "fileName": "xgboost.json", "inputs": [ROW], "outputs": [CLASS]},
        CPU,
    ),
    "dali": ({"backend": "dali", "maxBatchSize": 64, "inputs": [BYTES], "outputs": [IMAGE]}, GPU),
    "vllm": ({"backend": "vllm"}, GPU),
    "vllm-inferentia": ({"backend": "vllm", "parameters": {"REPORT_CUSTOM_METRICS": "yes"}}, INFERENTIA),
    "tensorrtllm": ({"backend": "tensorrtllm", "maxBatchSize": 64, "decoupled": True}, GPU),
    "onnxruntime-cached": ({"backend": "onnxruntime", "maxBatchSize": 32, **TENSORS}, GPU),
    "onnxruntime-refusing": ({"backend": "onnxruntime", "maxBatchSize": 32, **TENSORS}, TWICE),
}
# What else is in its spec.
BESIDE: Final[dict[str, dict[str, Any]]] = {"onnxruntime-cached": {"responseCache": {"size": "64Mi"}}}


def of(model: dict[str, Any], hardware_class: HardwareClass, **spec: Any) -> InferenceService:
    return service(model={"source": FILES, **model}, hardware={"classes": [hardware_class.name]}, **spec)


def config(model: dict[str, Any], hardware_class: HardwareClass) -> ModelConfig:
    return text_format.Parse(model_config(of(model, hardware_class), hardware_class), ModelConfig())


@pytest.mark.parametrize("name", CASES)
def test_the_configuration_is_the_one_on_file(name: str) -> None:
    model, hardware_class = CASES[name]
    assert unfit(of(model, hardware_class).model_on(hardware_class.name), hardware_class) == ""
    text = model_config(of(model, hardware_class, **BESIDE.get(name, {})), hardware_class)
    text_format.Parse(text, ModelConfig())
    file = GOLDEN / f"{name}.pbtxt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_every_backend_has_a_case_and_every_file_has_one() -> None:
    assert {model["backend"] for model, _ in CASES.values()} == set(get_args(Backend)) == set(RUNS)
    assert {file.stem for file in GOLDEN.iterdir()} == set(CASES)


# What each needs to be loaded at all


@pytest.mark.parametrize(("backend", "family"), [(name, family) for name in RUNS for family in Family])
def test_a_class_either_runs_a_backend_or_the_sentence_says_what_to_do(backend: str, family: Family) -> None:
    hardware_class = CLASSES[family]
    model = {"backend": backend, **({} if backend == "vllm" else {"maxBatchSize": 4})}
    said = unfit(of(model, hardware_class).model_on(hardware_class.name), hardware_class)
    if family in RUNS[backend].kinds:
        assert said == ""
        (group,) = config(model, hardware_class).instance_group
        assert ModelInstanceGroup.Kind.Name(group.kind) == RUNS[backend].kinds[family]
    else:
        told, _, fix = said.partition("; ")
        assert told.startswith(f"spec.model.backend: {backend} runs on ")
        assert f'HardwareClass "{hardware_class.name}" is of family {family.value}' in told
        assert len(fix) > 20


def test_kinds_are_those_of_the_backends_own_configurations() -> None:
    kinds = {name: {family.value: kind for family, kind in runs.kinds.items()} for name, runs in RUNS.items()}
    both = {"CPU": "KIND_CPU", "GPU": "KIND_GPU"}
    assert kinds == {
        **dict.fromkeys(("onnxruntime", "pytorch", "tensorflow", "fil", "dali"), both),
        "python": {**both, "Inferentia": "KIND_MODEL"},
        "tensorrt": {"GPU": "KIND_GPU"},
        "openvino": {"CPU": "KIND_CPU"},
        "vllm": dict.fromkeys(("CPU", "GPU", "Inferentia"), "KIND_MODEL"),
        "tensorrtllm": {"GPU": "KIND_CPU"},
    }


@pytest.mark.parametrize(
    ("backend", "precision", "hardware_class"),
    [("onnxruntime", "FP16", CPU), ("tensorflow", "INT8", CPU), ("onnxruntime", "FP32", CPU)],
)
def test_a_precision_that_the_class_cannot_compute_in_is_told(
    backend: str, precision: str, hardware_class: HardwareClass
) -> None:
    model = {"backend": backend, "precision": precision}
    said = unfit(of(model, hardware_class).model_on(hardware_class.name), hardware_class)
    assert said.startswith(f"spec.model.precision: {backend} computes in {precision} on GPU only, but HardwareClass")
    assert "; leave precision out, or give it to a variant" in said


def test_the_page_has_every_backend_with_its_families_and_kinds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "backends.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    told = {row[1].strip().strip("`"): row for row in rows}
    assert told.keys() == RUNS.keys()
    for name, runs in RUNS.items():
        _, _, _, where, kinds, _, threads, _ = told[name]
        assert {family for family in Family if family.value in where} == set(runs.kinds), name
        assert set(re.findall("KIND_[A-Z]+", kinds)) == set(runs.kinds.values()), name
        assert threads.strip().strip("`") == (runs.threads or ("OMP_NUM_THREADS" if runs.omp else "")), name


def test_vllm_is_neither_batched_nor_answered_once() -> None:
    found = config({"backend": "vllm"}, GPU)
    assert found.max_batch_size == 0
    assert not found.HasField("dynamic_batching")
    assert found.model_transaction_policy.decoupled is True


def test_a_saved_model_is_where_triton_looks_for_one() -> None:
    """TF Serving's folder of a version is a SavedModel; Triton's holds one."""
    asked = of({"backend": "tensorflow", "version": "7"}, CPU)
    (pod,) = (one["spec"]["template"]["spec"] for one in build(asked, CPU, settings=ServingSettings()) if "spec" in one
              and "template" in one["spec"])  # fmt: skip
    assert "/models/ranker/7/model.savedmodel" in [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]


def test_fil_is_told_what_is_in_a_file_by_its_name_unless_the_user_says() -> None:
    def kind(file: str, **parameters: str) -> str:
        model = {"backend": "fil", "fileName": file, "parameters": parameters}
        return str(config(model, CPU).parameters["model_type"].string_value)

    kinds = {"m.json": "xgboost_json", "m.ubj": "xgboost_ubj", "m.txt": "lightgbm", "m.tl": "treelite_checkpoint"}
    assert {file: kind(file) for file in kinds} == kinds
    assert kind("m.json", model_type="treelite_checkpoint") == "treelite_checkpoint"
    assert kind("m.bin") == ""


def test_tensorrt_builds_one_engine_for_all_batches_where_shapes_are_fixed() -> None:
    (accelerator,) = config(
        CASES["onnxruntime-gpu"][0], GPU
    ).optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    assert dict(accelerator.parameters) == {
        "precision_mode": "FP16",
        "trt_profile_min_shapes": "image:1x3x224x224",
        "trt_profile_opt_shapes": "image:32x3x224x224",
        "trt_profile_max_shapes": "image:32x3x224x224",
    }


@pytest.mark.parametrize(
    "inputs",
    [[], [{**IMAGE, "shape": [3, -1, -1]}], [{**IMAGE, "name": "image:0"}], [{**IMAGE, "name": "a,b"}]],
)
def test_what_a_profile_cannot_say_is_left_to_the_backend(inputs: list[dict[str, Any]]) -> None:
    model = {"backend": "onnxruntime", "precision": "FP16", "inputs": inputs, "outputs": [SCORES] if inputs else []}
    model = {key: value for key, value in model.items() if value != []}
    (accelerator,) = config(model, GPU).optimization.execution_accelerators.gpu_execution_accelerator
    assert dict(accelerator.parameters) == {"precision_mode": "FP16"}


def test_warm_up_runs_the_smallest_and_the_largest_batch() -> None:
    warmups = config(CASES["onnxruntime-cpu"][0], CPU).model_warmup
    assert [warmup.batch_size for warmup in warmups] == [1, 32]
    for warmup in warmups:
        assert list(warmup.inputs["image"].dims) == [3, 224, 224]
        assert warmup.inputs["image"].zero_data is True
    for size, batches in ((0, [1]), (1, [1])):
        model = {"backend": "onnxruntime", "maxBatchSize": size, "warmup": True, **TENSORS}
        assert [warmup.batch_size for warmup in config(model, CPU).model_warmup] == batches


# Batching


def batching(max_batch: int = 32, latency: str = "100ms", **said: Any) -> ModelConfig:
    model = {"backend": "onnxruntime", "source": FILES, "maxBatchSize": max_batch, **TENSORS}
    asked = service(model=model, batching=said, slo={"objective": "99", "latency": latency})
    return text_format.Parse(model_config(asked, CPU), ModelConfig())


def test_by_default_what_waits_is_one_batch_and_nothing_waits_for_others() -> None:
    found = batching()
    assert found.HasField("dynamic_batching")
    assert found.dynamic_batching.max_queue_delay_microseconds == 0
    assert list(found.dynamic_batching.preferred_batch_size) == []
    assert batching(mode="Auto") == found


def test_manual_is_as_the_user_says() -> None:
    found = batching(mode="Manual", maxQueueDelay="2.5ms", preferredSizes=[8, 16]).dynamic_batching
    assert found.max_queue_delay_microseconds == 2_500
    assert list(found.preferred_batch_size) == [8, 16]
    assert not found.HasField("default_queue_policy")


def test_none_leaves_the_batches_of_clients() -> None:
    found = batching(mode="None")
    assert not found.HasField("dynamic_batching")
    assert found.max_batch_size == 32
