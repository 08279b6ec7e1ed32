"""A model that computes: four dense layers whose weights, 64 MiB, are read anew for each batch.

So a batch of eight takes hardly longer than one item, as with most networks. Triton's Python backend loads this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

WIDTH = 2048
LAYERS = 4


class TritonPythonModel:
    """The class that the Python backend looks for."""

    def initialize(self, args: dict[str, Any]) -> None:
        """The same weights each time."""
        random = np.random.default_rng(1)
        self.weights = [random.standard_normal((WIDTH, WIDTH), dtype=np.float32) / WIDTH**0.5 for _ in range(LAYERS)]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One batch."""
        inputs = [pb_utils.get_input_tensor_by_name(request, "X").as_numpy() for request in requests]
        y = np.concatenate(inputs)
        for weights in self.weights:
            y = np.maximum(y @ weights, 0.0)
        parts = np.split(y, np.cumsum([len(x) for x in inputs])[:-1])
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", np.ascontiguousarray(part))]) for part in parts]
