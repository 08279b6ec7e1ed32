"""What a number of an object was at each moment, from what a watch told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2e.scenarios.recording import State


def each_second(states: Sequence[State], *path: str, since: float, seconds: int) -> NDArray[np.int64]:
    """In the middle of each second from `since` (time.monotonic) on; 0 before the first state and without a number."""
    at = np.array([state.at_seconds for state in states])
    values = np.array([0, *(_number(state.obj, path) for state in states)])
    return values[np.searchsorted(at, since + np.arange(seconds) + 0.5, side="right")]


def _number(obj: Any, path: Sequence[str]) -> int:
    for key in path:
        obj = obj.get(key) or {}
    return int(obj or 0)
