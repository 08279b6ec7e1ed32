"""Foretide: models on NVIDIA Triton under a latency SLO, scaled ahead of the load."""

from typing import Final

# That of pyproject.toml and of the chart; the image has no metadata of packages to ask.
__version__: Final = "0.1.0"
