"""The Python-based onnxruntime backend: one run for a batch of requests, and a bad request fails alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from e2e.demo.model import model_file
from tests.triton_backend.stub import Doubling, InferenceResponse, ModelConfig, Request, arguments, backend, config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copyfile(model_file(), tmp_path / "model.onnx")
    return tmp_path


@pytest.fixture
def module(folder: Path) -> Iterator[ModuleType]:
    with backend(folder) as loaded:
        yield loaded


def doubling(module: ModuleType, *, batched: bool = True) -> Any:
    model = module.TritonPythonModel()
    model.batched, model.session, model.outputs = batched, Doubling(), ["y", "size"]
    return model


def ask(model: Any, *arrays: NDArray[Any], outputs: tuple[str, ...] = ("y",)) -> list[InferenceResponse]:
    answers: list[InferenceResponse] = model.execute([Request({"x": array}, outputs) for array in arrays])
    return answers


def test_requests_share_one_run_and_get_their_own_rows_back(module: ModuleType) -> None:
    model = doubling(module)
    first, second, third = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([[7.0, 8.0]])
    answers = ask(model, first, second, third)
    assert model.session.sizes == [4]
    for answer, array in zip(answers, (first, second, third), strict=True):
        np.testing.assert_array_equal(answer.outputs["y"], array * 2)


def test_only_what_can_be_joined_is_joined(module: ModuleType) -> None:
    model = doubling(module)
    answers = ask(model, np.ones((1, 2)), np.ones((1, 3)), np.ones((2, 2)), np.ones((1, 2), dtype=np.float32))
    assert sorted(model.session.sizes) == [1, 1, 3]
    assert [answer.outputs["y"].shape for answer in answers] == [(1, 2), (1, 3), (2, 2), (1, 2)]


def test_a_bad_request_fails_alone(module: ModuleType) -> None:
    model = doubling(module)
    good, bad, fine = ask(model, np.array([[1.0]]), np.array([[-1.0]]), np.array([[3.0]]))
    assert (good.error, bad.error, fine.error) == (None, "negative", None)
    assert bad.outputs == {}
    assert (good.outputs["y"].item(), fine.outputs["y"].item()) == (2.0, 6.0)


def test_only_the_outputs_that_were_asked_for_are_sent(module: ModuleType) -> None:
    (answer,) = ask(doubling(module), np.array([[1.0]]), outputs=("size",))
    assert answer.outputs.keys() == {"size"}


def test_a_model_without_batch_dimension_runs_each_request_by_itself(module: ModuleType) -> None:
    model = doubling(module, batched=False)
    ask(model, np.ones((2,)), np.ones((2,)))
    assert model.session.sizes == [2, 2]


def test_texts_reach_the_model_as_str(module: ModuleType) -> None:
    request = Request({"x": np.array([["é".encode()]], dtype=np.object_)}, ["y"])
    fed = doubling(module).feed(request)["x"]
    assert fed.tolist() == [["é"]]


def test_a_real_model_answers_as_when_run_directly(module: ModuleType, folder: Path) -> None:
    described = {"input": [{"name": "bytes"}], "output": [{"name": "target_label"}]}
    model = module.TritonPythonModel()
    model.initialize(arguments(config(max_batch_size=8, **described)))
    random = np.random.default_rng(1)
    rows = [random.integers(0, 257, (size, 2048), dtype=np.int32) for size in (1, 2, 1)]
    wrong = np.zeros((1, 2000), dtype=np.int32)
    *answers, refused = model.execute([Request({"bytes": row}, ["target_label"]) for row in [*rows, wrong]])
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    expected = session.run(["target_label"], {"bytes": np.concatenate(rows)})[0]
    given = np.concatenate([answer.outputs["target_label"] for answer in answers])
    np.testing.assert_allclose(given, expected, atol=1e-6)
    assert "2000" in refused.error
    model.finalize()


def test_a_configuration_without_tensors_is_completed_from_the_model(module: ModuleType) -> None:
    completed = module.TritonPythonModel.auto_complete_config(ModelConfig(config())).as_dict()
    assert completed["max_batch_size"] == 4
    assert completed["dynamic_batching"] == {}
    assert completed["input"] == [{"name": "bytes", "data_type": "TYPE_INT32", "dims": [2048]}]
    assert completed["output"] == [{"name": "target_label", "data_type": "TYPE_FP32", "dims": [214]}]


def test_what_the_configuration_says_is_left_as_it_is(module: ModuleType) -> None:
    given = config(max_batch_size=16, input=[{"name": "bytes", "data_type": "TYPE_INT32", "dims": [-1]}])
    completed = module.TritonPythonModel.auto_complete_config(ModelConfig(given)).as_dict()
    assert completed["max_batch_size"] == 16
    assert completed["input"] == [{"name": "bytes", "data_type": "TYPE_INT32", "dims": [-1]}]
    assert "dynamic_batching" not in completed


def threads(module: ModuleType, **parameters: str) -> tuple[int, int]:
    given = config(parameters={name: {"string_value": value} for name, value in parameters.items()})
    names = ("intra_op_thread_count", "inter_op_thread_count")
    first, second = (module.threads(given, name) for name in names)
    return first, second


def test_one_thread_unless_the_parameters_say_more(module: ModuleType) -> None:
    assert threads(module) == (1, 1)
    assert threads(module, intra_op_thread_count="4") == (4, 1)
    assert threads(module, intra_op_thread_count="0", inter_op_thread_count="2") == (0, 2)


@pytest.mark.parametrize("text", ["many", "-1", "1.5", ""])
def test_a_thread_count_that_is_no_number_is_refused(module: ModuleType, text: str) -> None:
    with pytest.raises(Exception, match=f"m: parameter intra_op_thread_count is '{text}'"):
        threads(module, intra_op_thread_count=text)


def test_a_missing_file_is_named_with_what_is_there_instead(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"x")
    with (
        backend(tmp_path) as module,
        pytest.raises(Exception, match=r"m: no file model.onnx in .* \(found: model.pt\)"),
    ):
        module.TritonPythonModel().initialize(arguments(config()))


def test_a_broken_file_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(model_file().read_bytes()[:100_000])
    with (
        backend(tmp_path) as module,
        pytest.raises(Exception, match=r"m: cannot load .*model.onnx: .*INVALID_PROTOBUF"),
    ):
        module.TritonPythonModel().initialize(arguments(config()))


def test_another_file_name_is_honoured(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "net.onnx")
    with backend(folder) as module:
        module.TritonPythonModel().initialize(arguments(config(default_model_filename="net.onnx")))


@pytest.mark.parametrize(("kind", "known"), [("input", "bytes"), ("output", "target_label")])
def test_a_tensor_the_model_does_not_have_is_refused(module: ModuleType, kind: str, known: str) -> None:
    with pytest.raises(Exception, match=f"names the {kind} 'nope', the model has {known}"):
        module.TritonPythonModel().initialize(arguments(config(**{kind: [{"name": "nope"}]})))


def test_a_gpu_instance_is_refused(module: ModuleType) -> None:
    with pytest.raises(Exception, match="runs on the CPU only"):
        module.TritonPythonModel().initialize(arguments(config(), kind="GPU"))
