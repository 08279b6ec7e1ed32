"""How the operator is set for the tests: as in production, only sooner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TICK_SECONDS: Final = 2.0
HOLD_SECONDS: Final = 8.0
# Four scrapes of 5 s: the shortest window that survives a lost one.
RATE_WINDOW_SECONDS: Final = 20.0

FAST: Final[Mapping[str, object]] = {
    "autoscaler": {
        "tickSeconds": TICK_SECONDS,
        "rateWindowSeconds": RATE_WINDOW_SECONDS,
        "scaleDownHoldSeconds": HOLD_SECONDS,
    }
}
# The chart as it is, for what an operator at rest costs.
DEFAULTS: Final[Mapping[str, object]] = {}
