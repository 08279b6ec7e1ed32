"""The order to leave an object alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretide.api import group


def is_paused(obj: Mapping[str, Any]) -> bool:
    """Whether the annotation is there with any value but "false": who means to stop the operator and mistypes it, has
    stopped it."""
    return str((obj["metadata"].get("annotations") or {}).get(group.PAUSED_ANNOTATION, "false")).lower() != "false"
