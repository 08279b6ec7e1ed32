"""Parameters of the backend and its accelerators: what follows from spec and class, and over it what users write."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.model import Model
from foretide.serving.backends import RUNS
from foretide.serving.parallelism import threads

# FIL must be told what is in a file; people name them after it.
_FIL_TYPES: Final = {
    ".json": "xgboost_json",
    ".ubj": "xgboost_ubj",
    ".model": "xgboost",
    ".txt": "lightgbm",
    ".tl": "treelite_checkpoint",
}
# In `trt_profile_*_shapes` a name ends at a colon and a shape at a comma.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_./-]+")


def parameters(model: Model, hardware_class: HardwareClass, *, folder: str) -> dict[str, str]:
    """All parameters by name; `folder` holds the files of the version."""
    return {**_derived(model, hardware_class, folder=folder), **model.parameters}


def _derived(model: Model, hardware_class: HardwareClass, *, folder: str) -> dict[str, str]:
    derived: dict[str, str] = {}
    if (name := RUNS[model.backend].threads) and (count := threads(model, hardware_class)) is not None:
        derived[name] = str(count)
    if model.backend == "openvino" and model.precision == "BF16":
        derived["HINT_BF16"] = "YES"
    if model.backend == "fil" and (kind := _FIL_TYPES.get(PurePosixPath(model.file_name or "").suffix)):
        derived["model_type"] = kind
    if model.backend == "tensorrtllm":
        # Without a path the backend loads nothing; requests join a batch that runs, which is what it is for.
        derived |= {"gpt_model_path": folder, "gpt_model_type": "inflight_fused_batching"}
    return derived


def tensorrt(model: Model) -> dict[str, str]:
    """Parameters of the accelerator that computes in the asked precision on a GPU; none where none was asked for.

    Where the shapes are fixed the engine is built once, for every batch up to the largest. Otherwise onnxruntime builds
    another one, for minutes, at the first request of each new shape.
    """
    if model.precision is None or model.backend not in ("onnxruntime", "tensorflow"):
        return {}
    given: dict[str, str] = {"precision_mode": model.precision}
    if model.backend == "onnxruntime" and _has_fixed_shapes(model):
        smallest, largest = (_shapes(model, size) for size in (1, model.largest_batch))
        given |= {
            "trt_profile_min_shapes": smallest,
            "trt_profile_opt_shapes": largest,
            "trt_profile_max_shapes": largest,
        }
    return given


def _has_fixed_shapes(model: Model) -> bool:
    names = all(_PLAIN_NAME.fullmatch(tensor.name) for tensor in model.inputs)
    return bool(model.inputs) and names and all(size > 0 for tensor in model.inputs for size in tensor.shape)


def _shapes(model: Model, batch: int) -> str:
    leading = (batch,) if model.largest_batch else ()
    return ",".join(f"{tensor.name}:{'x'.join(map(str, (*leading, *tensor.shape)))}" for tensor in model.inputs)
