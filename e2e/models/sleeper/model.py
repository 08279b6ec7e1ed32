"""A model with a known law and known answers: Y = 2 X + offset, b items take fixed_seconds + b x item_seconds,
and it takes load_seconds to load.

It sleeps where others compute, so that many replicas fit on two cores and capacity can be compared with the truth.
Triton's Python backend loads this file inside a pod.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """The class that the Python backend looks for."""

    def initialize(self, args: dict[str, Any]) -> None:
        """Reads the parameters of config.pbtxt; refuses to load when told to."""
        given = {name: entry["string_value"] for name, entry in json.loads(args["model_config"])["parameters"].items()}
        if "failure" in given:
            raise ValueError(given["failure"])
        self.offset = float(given.get("offset", "0"))
        self.fixed_seconds = float(given.get("fixed_seconds", "0"))
        self.item_seconds = float(given.get("item_seconds", "0"))
        time.sleep(float(given.get("load_seconds", "0")))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One batch."""
        inputs = [pb_utils.get_input_tensor_by_name(request, "X").as_numpy() for request in requests]
        time.sleep(self.fixed_seconds + self.item_seconds * sum(len(x) for x in inputs))
        answers = [(2 * x + self.offset).astype(x.dtype) for x in inputs]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", y)]) for y in answers]
