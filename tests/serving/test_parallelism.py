"""Instances and threads fit the CPUs of a class, and /dev/shm the tensors of a model."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.hardwareclass import HardwareClass
from foretide.api.model import Model
from foretide.serving.backends import RUNS
from foretide.serving.model_config import model_config
from foretide.serving.parallelism import instances, threads
from foretide.serving.shared_memory import limit_mib
from tests.serving.strategies import hardware, service


def model(backend: str = "onnxruntime", **said: Any) -> Model:
    return service(model={"backend": backend, "source": {"configMap": {"name": "x"}}, **said}).spec.model


def of_class(cpu: str = "", *, family: str = "CPU", count: object = "Auto", request: str = "") -> HardwareClass:
    resources = {"limits": {"cpu": cpu} if cpu else {}, "requests": {"cpu": request} if request else {}}
    return hardware(family=family, resources=resources, triton={"image": "x", "instances": count})


@pytest.mark.parametrize(
    ("hardware_class", "backend", "expected"),
    [
        (of_class("4"), "onnxruntime", 4),
        (of_class("3500m"), "python", 3),
        (of_class("200m"), "python", 1),
        (of_class("128"), "python", 64),
        (of_class(request="2"), "python", 2),
        (of_class(), "python", 1),
        (of_class("8", family="GPU"), "tensorrt", 2),
        (of_class("8", family="GPU"), "vllm", 1),
        (of_class("8", family="GPU"), "dali", 1),
        (of_class("8", family="Inferentia"), "python", 1),
        (of_class("4", count=7), "python", 7),
        (of_class("4", count="7"), "vllm", 7),
        (hardware(triton={"image": "x"}), "python", 1),
    ],
)
def test_instances_are_as_many_as_the_hardware_runs_at_once(
    hardware_class: HardwareClass, backend: str, expected: int
) -> None:
    assert instances(model(backend), hardware_class) == expected


@given(st.integers(1, 64_000), st.sampled_from(["Auto", 1, 3, 64]), st.sampled_from(["python", "onnxruntime"]))
def test_threads_never_take_more_than_the_limit_unless_each_instance_has_only_one(
    millis: int, count: object, backend: str
) -> None:
    hardware_class = of_class(f"{millis}m", count=count)
    number, each = instances(model(backend), hardware_class), threads(model(backend), hardware_class)
    assert each is not None
    assert each == 1 or number * each * 1000 <= millis


def test_threads_are_left_to_the_backend_where_nothing_limits_them() -> None:
    assert threads(model(), of_class(request="2")) is None
    assert threads(model(), of_class("4", family="GPU")) is None


@pytest.mark.parametrize("backend", [name for name, runs in RUNS.items() if runs.threads])
def test_each_backend_is_told_its_threads_and_the_user_wins(backend: str) -> None:
    name = RUNS[backend].threads
    asked = {"backend": backend, "source": {"configMap": {"name": "x"}}}
    text = model_config(service(model=asked), of_class("4", count=2))
    assert f'key: "{name}" value {{ string_value: "2" }}' in text
    text = model_config(service(model={**asked, "parameters": {name: "3"}}), of_class("4", count=2))
    assert f'key: "{name}" value {{ string_value: "3" }}' in text


# /dev/shm

FIXED: Final[dict[str, Any]] = {
    "inputs": [{"name": "X", "dataType": "FP32", "shape": [1024, 256]}],  # 1 MiB
    "outputs": [{"name": "Y", "dataType": "INT64", "shape": [1024, 128]}],  # 1 MiB
}


def memory(limit: str = "", count: int = 1) -> HardwareClass:
    limits = {"memory": limit} if limit else {}
    return hardware(resources={"limits": limits}, triton={"image": "x", "instances": count})


@pytest.mark.parametrize(
    ("one", "hardware_class", "mebibytes"),
    [
        (model(**FIXED), memory(), 128 + 2 * 2),
        (model(**FIXED, maxBatchSize=0), memory(), 128 + 2 * 2),
        (model(**FIXED, maxBatchSize=32), memory(count=4), 128 + 4 * 2 * 32 * 2),
        (model(), memory("8Gi"), 4096),
        (model(), memory("100Mi"), 128),
        (model(), memory(), 1024),
        (model(inputs=[{"name": "X", "dataType": "STRING", "shape": [1]}], outputs=FIXED["outputs"]), memory(), 1024),
        (model(inputs=[{"name": "X", "dataType": "FP32", "shape": [-1]}], outputs=FIXED["outputs"]), memory(), 1024),
        (model("vllm"), memory("64Gi"), 32 * 1024),
        (model("vllm"), memory("1Gi"), 2048),
    ],
)
def test_shared_memory_holds_two_largest_batches_of_each_instance(
    one: Model, hardware_class: HardwareClass, mebibytes: int
) -> None:
    assert limit_mib(one, hardware_class) == mebibytes
