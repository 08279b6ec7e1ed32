"""Inference requests in Triton's HTTP binary tensor extension: a JSON head and the raw bytes of the tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2e.load.wire import Answer

HEAD_LENGTH = "Inference-Header-Content-Length"
DATA_TYPES = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
NAMES = {np.dtype(kind): name for name, kind in DATA_TYPES.items()}


def infer_body(inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an inference request that asks for these outputs as raw bytes."""
    blobs = {name: np.ascontiguousarray(array).tobytes() for name, array in inputs.items()}
    head = {
        "inputs": [
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": NAMES[array.dtype],
                "parameters": {"binary_data_size": len(blobs[name])},
            }
            for name, array in inputs.items()
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/octet-stream", HEAD_LENGTH: str(len(text))}
    return text + b"".join(blobs.values()), headers


def tensors(answer: Answer) -> dict[str, NDArray[Any]]:
    """The outputs in an answer; ValueError for an answer that is not one of tensors."""
    length = answer.headers.get(HEAD_LENGTH.lower(), "")
    if answer.status != 200 or not length.isdecimal():
        raise ValueError(f"not an answer with tensors: {answer.status} {answer.body[:120]!r}")
    start = int(length)
    arrays: dict[str, NDArray[Any]] = {}
    for entry in json.loads(answer.body[:start])["outputs"]:
        end = start + int(entry["parameters"]["binary_data_size"])
        data: NDArray[Any] = np.frombuffer(answer.body[start:end], dtype=DATA_TYPES[entry["datatype"]])
        arrays[entry["name"]] = data.reshape(entry["shape"])
        start = end
    return arrays
