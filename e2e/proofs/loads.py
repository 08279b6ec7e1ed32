"""Loads whose rate changes, and the service that they are sent to: 100 ms a request, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from e2e.load import Profile
from e2e.scenarios import sleeper

STEP_SECONDS: Final = 5.0
# The chart's; e2e/scenarios/settings.py has those of the other tests.
TICK_SECONDS: Final = 15.0
# Two hundred replicas of it have room on two processors.
HARDWARE_CLASS: Final = "proof-cpu"
CPU: Final = "5m"
# Ten a second at most; within the SLO some eight.
MILLISECONDS: Final = 100.0


def spec(*, load_seconds: float = 0.0, **scaling: Any) -> dict[str, Any]:
    """A service whose replicas sleep and so cost the machine nothing, with an SLO of ten batch times."""
    return sleeper.spec(
        milliseconds=MILLISECONDS, load_seconds=load_seconds, latency="1s", hardware_class=HARDWARE_CLASS, **scaling
    )


def through(points: Sequence[tuple[float, float]]) -> Profile:
    """Straight lines through (second, rate); from the first to the last second, in steps of five."""
    seconds, rates = zip(*points, strict=True)
    middle = np.arange(seconds[0], seconds[-1], STEP_SECONDS) + STEP_SECONDS / 2
    return Profile(tuple(np.interp(middle, seconds, rates).tolist()), STEP_SECONDS)
