"""A transformer encoder with random weights in bfloat16: real work for a GPU, with a law that nobody wrote down.

Triton's Python backend loads this file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils

VOCABULARY = 30_000
CLASSES = 8


class TritonPythonModel:
    """The class that the Python backend looks for."""

    def initialize(self, args: dict[str, Any]) -> None:
        """Takes the GPU that config.pbtxt gives to this instance, and runs one batch of the largest size."""
        config = json.loads(args["model_config"])
        given = {name: int(entry["string_value"]) for name, entry in config["parameters"].items()}
        if args["model_instance_kind"] != "GPU":
            raise ValueError(f"an instance of kind {args['model_instance_kind']}; the encoder is for GPUs")
        self.device = torch.device(f"cuda:{args['model_instance_device_id']}")
        torch.manual_seed(1)
        made = {"device": self.device, "dtype": torch.bfloat16}
        self.embedding = torch.nn.Embedding(VOCABULARY, given["width"], **made)
        layer = torch.nn.TransformerEncoderLayer(
            given["width"], given["heads"], 4 * given["width"], batch_first=True, norm_first=True, dropout=0.0, **made
        )
        self.encoder = torch.nn.TransformerEncoder(layer, given["layers"], enable_nested_tensor=False).eval()
        self._classes(np.zeros((config["max_batch_size"], config["input"][0]["dims"][0]), dtype=np.int32))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One batch."""
        tokens = [pb_utils.get_input_tensor_by_name(request, "TOKENS").as_numpy() for request in requests]
        found = self._classes(np.concatenate(tokens))
        ends = np.cumsum([len(part) for part in tokens])
        parts = np.split(found, ends[:-1])
        return [pb_utils.InferenceResponse([pb_utils.Tensor("CLASSES", part)]) for part in parts]

    def _classes(self, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            states = self.encoder(self.embedding(torch.from_numpy(tokens).to(self.device)))
            found: np.ndarray[Any, Any] = states.mean(dim=1)[:, :CLASSES].float().cpu().numpy()
        return found
