"""How many replicas were ready at each moment, from what a watch of the Deployment told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from e2e.scenarios.recording import State


def ready_replicas(states: Sequence[State], *, since: float, seconds: int) -> NDArray[np.int64]:
    """In the middle of each second from `since` (time.monotonic) on; 0 before the first state."""
    at = np.array([state.at_seconds for state in states])
    ready = np.array([0, *(int(state.obj.get("status", {}).get("readyReplicas", 0)) for state in states)])
    return ready[np.searchsorted(at, since + np.arange(seconds) + 0.5, side="right")]
