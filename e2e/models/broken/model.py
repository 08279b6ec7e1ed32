"""A model that never loads: its files are incomplete, as after an upload that was cut short."""

from __future__ import annotations

from typing import Any


class TritonPythonModel:
    """The class that the Python backend looks for."""

    def initialize(self, _: dict[str, Any]) -> None:
        """Fails as a model with a truncated file does."""
        raise ValueError("weights.bin ends after 12 of 4096 bytes")
