"""Runs ONNX models on the CPU where Triton has no native `onnxruntime` backend.

A Python-based backend: Triton loads this file for every model whose configuration says `backend: "onnxruntime"`. A
model repository written for the native backend (`<model>/<version>/model.onnx`, the same parameters) runs unchanged.

numpy must be older than 2 beside the stub of Triton 2.51: with numpy 2 it sends tensors of 0 bytes, without an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

# An inference server sends nothing to anybody; pods without a route would log each attempt.
onnxruntime.disable_telemetry_events()

DATA_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}
# The native backend completes max_batch_size to 4 where a model's first dimension is free (its default-max-batch-size).
COMPLETED_MAX_BATCH_SIZE = 4
# The native default is 0: one thread for each core of the *host*. Under a limit of 500m on 64 cores, 64 threads use up
# the 50 ms of a period in less than one, and the pod stands still for the other 99.
DEFAULT_THREADS = "1"

Arrays = dict[str, "np.ndarray[Any, Any]"]


class TritonPythonModel:
    """One instance of one model version."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Adds the tensors (and batching) that the configuration leaves out, read from the model."""
        config = auto_complete_model_config.as_dict()
        session = open_session(config, Path(pb_utils.get_model_dir()))
        tensors = [*session.get_inputs(), *session.get_outputs()]
        # Only a free first dimension everywhere can be a batch: ONNX gives its name or None, not a number.
        batchable = all(tensor.shape and not isinstance(tensor.shape[0], int) for tensor in tensors)
        if batchable and not config["input"] and not config["output"] and not config["max_batch_size"]:
            auto_complete_model_config.set_max_batch_size(COMPLETED_MAX_BATCH_SIZE)
            auto_complete_model_config.set_dynamic_batching()
        batched = auto_complete_model_config.as_dict()["max_batch_size"] > 0
        if not config["input"]:
            for tensor in session.get_inputs():
                auto_complete_model_config.add_input(described(tensor, batched=batched))
        if not config["output"]:
            for tensor in session.get_outputs():
                auto_complete_model_config.add_output(described(tensor, batched=batched))
        return auto_complete_model_config

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the model, or says in one sentence why it cannot be served."""
        config = json.loads(args["model_config"])
        if args["model_instance_kind"] != "CPU":
            raise pb_utils.TritonModelException(
                f"{config['name']}: this onnxruntime backend runs on the CPU only, use an instance group of KIND_CPU"
            )
        self.batched: bool = config["max_batch_size"] > 0
        self.session = open_session(config, Path(pb_utils.get_model_dir()))
        self.inputs = [tensor.name for tensor in self.session.get_inputs()]
        self.outputs = [tensor.name for tensor in self.session.get_outputs()]
        refuse_unknown(config["name"], "input", [entry["name"] for entry in config["input"]], self.inputs)
        refuse_unknown(config["name"], "output", [entry["name"] for entry in config["output"]], self.outputs)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answers every request; requests of one shape share one run, and a bad one fails alone."""
        feeds = [self.feed(request) for request in requests]
        answers: list[Arrays | Exception] = [RuntimeError("not run")] * len(requests)
        for group in batches(feeds) if self.batched else [[index] for index in range(len(requests))]:
            for index, answer in zip(group, self.run([feeds[index] for index in group]), strict=True):
                answers[index] = answer
        return [respond(request, answer) for request, answer in zip(requests, answers, strict=True)]

    def finalize(self) -> None:
        """Releases the model."""
        del self.session

    def feed(self, request: Any) -> Arrays:
        """The request's tensors by name, as onnxruntime takes them."""
        arrays = {}
        for tensor in request.inputs():
            array = tensor.as_numpy()
            if array.dtype == np.object_:  # TYPE_STRING arrives as bytes, onnxruntime takes str
                array = np.vectorize(lambda text: text.decode(), otypes=[object])(array)
            arrays[tensor.name()] = array
        return arrays

    def run(self, feeds: Sequence[Arrays]) -> list[Arrays | Exception]:
        """One outcome for each feed, from one run of the model where that succeeds."""
        joined = (
            {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]} if len(feeds) > 1 else feeds[0]
        )
        try:
            values = self.session.run(self.outputs, joined)
        except Exception as error:  # onnxruntime's errors share no base class; any of them belongs in the answer
            if len(feeds) == 1:
                return [error]
            return [self.run([feed])[0] for feed in feeds]  # one of them is at fault: find out which
        if len(feeds) == 1:
            return [dict(zip(self.outputs, values, strict=True))]
        ends = np.cumsum([next(iter(feed.values())).shape[0] for feed in feeds])[:-1]
        pieces = [np.split(value, ends) for value in values]
        return [dict(zip(self.outputs, piece, strict=True)) for piece in zip(*pieces, strict=True)]


def batches(feeds: Sequence[Arrays]) -> list[list[int]]:
    """Indexes of the feeds that can be joined: equal in everything but the first dimension."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, feed in enumerate(feeds):
        key = tuple((name, array.dtype.str, array.shape[1:]) for name, array in sorted(feed.items()))
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def respond(request: Any, answer: Arrays | Exception) -> Any:
    """The response with the outputs the request asked for, or with its error."""
    if isinstance(answer, Exception):
        return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(str(answer)))
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, answer[name]) for name in answer if name in wanted])


def open_session(config: Mapping[str, Any], folder: Path) -> Any:
    """The loaded model; a missing or broken file is an error that names it."""
    path = folder / (config.get("default_model_filename") or "model.onnx")
    if not path.is_file():
        found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        raise pb_utils.TritonModelException(
            f"{config['name']}: no file {path.name} in {folder} (found: {', '.join(found) or 'nothing'})"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads(config, "intra_op_thread_count")
    options.inter_op_num_threads = threads(config, "inter_op_thread_count")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class; each means: not a model it can run
        raise pb_utils.TritonModelException(f"{config['name']}: cannot load {path}: {error}") from error


def threads(config: Mapping[str, Any], parameter: str) -> int:
    """The thread count of a backend parameter; 0 means all cores, as in the native backend."""
    text = config["parameters"].get(parameter, {}).get("string_value", DEFAULT_THREADS)
    if not text.isdecimal():
        raise pb_utils.TritonModelException(
            f"{config['name']}: parameter {parameter} is {text!r}, not a number from 0 up"
        )
    return int(text)


def described(tensor: Any, *, batched: bool) -> dict[str, Any]:
    """A tensor of the model in the words of config.pbtxt."""
    if tensor.type not in DATA_TYPES:
        raise pb_utils.TritonModelException(f"tensor {tensor.name}: type {tensor.type} has no counterpart in Triton")
    shape = tensor.shape[1:] if batched else tensor.shape
    dims = [size if isinstance(size, int) else -1 for size in shape]
    return {"name": tensor.name, "data_type": DATA_TYPES[tensor.type], "dims": dims}


def refuse_unknown(model: str, kind: str, configured: Sequence[str], known: Sequence[str]) -> None:
    """Refuses a configuration that names tensors the model does not have."""
    for name in configured:
        if name not in known:
            raise pb_utils.TritonModelException(
                f"{model}: the configuration names the {kind} {name!r}, the model has {', '.join(known)}"
            )
