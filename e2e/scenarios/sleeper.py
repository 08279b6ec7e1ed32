"""The test model from outside: its files, its spec, its requests and what their answers must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from e2e.load import Answer
from e2e.load.infer import infer_body, tensors

MODELS: Final = Path(__file__).resolve().parents[1] / "models"
WIDTH: Final = 4
PAYLOADS: Final = 16
HARDWARE_CLASS: Final = "e2e-cpu"


def files(model: str = "sleeper") -> dict[str, str]:
    """The files of a model as the data of a ConfigMap."""
    return {path.name: path.read_text() for path in (MODELS / model).iterdir() if path.is_file()}


def hardware_class(image: str, *, name: str = HARDWARE_CLASS, cpu: str = "50m", instances: int = 1) -> dict[str, Any]:
    """A class whose replicas cost little, so that twenty of them fit on two cores."""
    return {
        "metadata": {"name": name},
        "spec": {
            "family": "CPU",
            "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
            "triton": {"image": image, "instances": str(instances)},
        },
    }


def spec(
    *,
    milliseconds: float = 8.0,
    item_milliseconds: float = 0.0,
    load_seconds: float = 0.0,
    offset: float = 0.0,
    version: str = "1",
    max_batch: int = 1,
    latency: str = "5s",
    config_map: str = "sleeper",
    hardware_class: str = HARDWARE_CLASS,
    failure: str = "",
    **scaling: object,
) -> dict[str, Any]:
    """The spec of an InferenceService for the model; `scaling` in the words of the API (minReplicas=2).

    The SLO is long beside 8 ms of work: a second in which the machine is busy with other things makes nothing late.
    """
    parameters = {"fixed_seconds": f"{milliseconds / 1e3:g}", "offset": f"{offset:g}"}
    if item_milliseconds:
        parameters["item_seconds"] = f"{item_milliseconds / 1e3:g}"
    if load_seconds:
        parameters["load_seconds"] = f"{load_seconds:g}"
    if failure:
        parameters["failure"] = failure
    return {
        "model": {
            "version": version,
            "backend": "python",
            "source": {"configMap": {"name": config_map}},
            "inputs": [{"name": "X", "dataType": "FP32", "shape": [WIDTH]}],
            "outputs": [{"name": "Y", "dataType": "FP32", "shape": [WIDTH]}],
            "maxBatchSize": max_batch,
            "parameters": parameters,
        },
        "hardware": {"classes": [hardware_class]},
        "slo": {"objective": "99", "latency": latency},
        "scaling": scaling,
    }


def question(index: int) -> NDArray[np.float32]:
    """The input with this number, one item; the next has other values."""
    return np.arange(index, index + WIDTH, dtype=np.float32).reshape(1, WIDTH)


def body(index: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the request with this number."""
    return infer_body({"X": question(index)}, ["Y"])


@dataclass(frozen=True, slots=True)
class RightAnswers:
    """Judges answers; during a roll-out those of the old and of the new version are both right."""

    offsets: tuple[float, ...] = (0.0,)

    def __call__(self, index: int, answer: Answer) -> bool:
        try:
            y = tensors(answer)["Y"]
        except (ValueError, KeyError):
            return False
        return any(np.array_equal(y, 2 * question(index) + offset) for offset in self.offsets)


def offset_of(index: int, y: Sequence[float] | NDArray[Any]) -> float:
    """Which version answered: what was added to twice the input; NaN when the elements disagree."""
    added = np.asarray(y, dtype=np.float64).reshape(1, WIDTH) - 2 * question(index)
    return float(added.flat[0]) if np.all(added == added.flat[0]) else float("nan")
