"""A stand-in for the module that Triton's stub gives to Python models, as small as the backend needs it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

BACKEND = Path(__file__).parents[2] / "e2e/cluster/images/triton/backends/onnxruntime/model.py"


class Tensor:
    def __init__(self, name: str, array: NDArray[Any]) -> None:
        self._name, self._array = name, array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> NDArray[Any]:
        return self._array


class TritonError:
    def __init__(self, message: str) -> None:
        self.message = message


class TritonModelException(Exception):
    """What Triton's own is called, too."""


class InferenceResponse:
    def __init__(self, output_tensors: Sequence[Tensor], error: TritonError | None = None) -> None:
        self.outputs = {tensor.name(): tensor.as_numpy() for tensor in output_tensors}
        self.error = error.message if error else None


class Request:
    """What a client sent."""

    def __init__(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> None:
        self._inputs, self._outputs = inputs, outputs

    def inputs(self) -> list[Tensor]:
        return [Tensor(name, array) for name, array in self._inputs.items()]

    def requested_output_names(self) -> list[str]:
        return list(self._outputs)


class ModelConfig:
    """What auto_complete_config gets and fills."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def as_dict(self) -> dict[str, Any]:
        return self.config

    def set_max_batch_size(self, size: int) -> None:
        self.config["max_batch_size"] = size

    def set_dynamic_batching(self) -> None:
        self.config["dynamic_batching"] = {}

    def add_input(self, tensor: dict[str, Any]) -> None:
        self.config["input"].append(tensor)

    def add_output(self, tensor: dict[str, Any]) -> None:
        self.config["output"].append(tensor)


def config(**changes: Any) -> dict[str, Any]:
    """A model configuration as Triton 2.51 hands it over, as far as the backend reads it."""
    base: dict[str, Any] = {"name": "m", "max_batch_size": 0, "input": [], "output": [], "parameters": {}}
    return {**base, **changes}


def arguments(model_config: dict[str, Any], *, kind: str = "CPU") -> dict[str, str]:
    """What initialize() gets."""
    return {"model_config": json.dumps(model_config), "model_instance_kind": kind}


@contextmanager
def backend(folder: Path) -> Iterator[ModuleType]:
    """The backend's module as Triton would load it for the version folder of a model."""
    utilities = ModuleType("triton_python_backend_utils")
    parts = (Tensor, TritonError, TritonModelException, InferenceResponse)
    utilities.__dict__.update({part.__name__: part for part in parts}, get_model_dir=lambda: str(folder))
    sys.modules["triton_python_backend_utils"] = utilities
    spec = importlib.util.spec_from_file_location("onnxruntime_backend", BACKEND)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(BACKEND)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["triton_python_backend_utils"]


class Doubling:
    """A session in place of onnxruntime's: y = 2 x; it fails on negative numbers and counts its runs."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.sizes.append(feed["x"].shape[0])
        if (feed["x"] < 0).any():
            raise ValueError("negative")
        return [{"y": feed["x"] * 2, "size": np.full((len(feed["x"]), 1), len(feed["x"]))}[name] for name in outputs]
