"""The models that are measured, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from e2e.demo.model import INPUT, OUTPUT, model_file
from e2e.load import Target, request
from e2e.load.infer import infer_body
from e2e.scenarios import sleeper

HERE: Final = Path(__file__).resolve().parent
PAYLOADS: Final = 32


@dataclass(frozen=True, slots=True)
class Measurable:
    """A model: what a team would write of it, its files, and the latency that it is asked to keep."""

    name: str
    about: str
    model: Mapping[str, Any]  # spec.model without its source
    files: tuple[Path, ...]
    inputs: tuple[Mapping[str, np.ndarray[Any, np.dtype[Any]]], ...]  # of one request each
    outputs: tuple[str, ...]
    slo_seconds: float
    first_rps: float  # where the search begins

    def requests(self, target: Target) -> tuple[bytes, ...]:
        """Whole requests, ready for the wire."""
        bodies = (infer_body(tensors, self.outputs) for tensors in self.inputs)
        return tuple(request(target, body, headers) for body, headers in bodies)


def measurables() -> tuple[Measurable, ...]:
    """One with a known law, one of ONNX that ships in a package, one that computes in numpy."""
    random = np.random.default_rng(1)
    wide = {"dataType": "FP32", "shape": [1024]}
    return (
        Measurable(
            name="sleeper",
            about="8 ms a batch and 1 ms an item, without the processor",
            model={
                "backend": "python",
                "inputs": [{"name": "X", "dataType": "FP32", "shape": [sleeper.WIDTH]}],
                "outputs": [{"name": "Y", "dataType": "FP32", "shape": [sleeper.WIDTH]}],
                "maxBatchSize": 16,
                "parameters": {"fixed_seconds": "0.008", "item_seconds": "0.001"},
            },
            files=(sleeper.MODELS / "sleeper" / "model.py",),
            inputs=tuple({"X": sleeper.question(index)} for index in range(PAYLOADS)),
            outputs=("Y",),
            slo_seconds=0.05,
            first_rps=40.0,
        ),
        Measurable(
            name="filetype",
            about="magika's file-type classifier in ONNX; a batch of n takes n times as long",
            model={
                "backend": "onnxruntime",
                "inputs": [{"name": INPUT, "dataType": "INT32", "shape": [2048]}],
                "outputs": [{"name": OUTPUT, "dataType": "FP32", "shape": [214]}],
                "maxBatchSize": 4,
            },
            files=(model_file(),),
            inputs=tuple({INPUT: random.integers(0, 257, (1, 2048), dtype=np.int32)} for _ in range(PAYLOADS)),
            outputs=(OUTPUT,),
            slo_seconds=0.2,
            first_rps=5.0,
        ),
        Measurable(
            name="mlp",
            about="four dense layers of 1,024 in numpy; weights are read once a batch",
            model={
                "backend": "python",
                "inputs": [{"name": "X", **wide}],
                "outputs": [{"name": "Y", **wide}],
                "maxBatchSize": 32,
            },
            files=(HERE / "mlp" / "model.py",),
            inputs=tuple({"X": random.standard_normal((1, 1024), dtype=np.float32)} for _ in range(PAYLOADS)),
            outputs=("Y",),
            slo_seconds=0.05,
            first_rps=40.0,
        ),
    )
