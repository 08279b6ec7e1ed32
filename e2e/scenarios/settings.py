"""How the operator is set for the tests: as in production, only sooner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from foretide.scaling.settings import ScalingSettings

TICK_SECONDS: Final = 2.0
HOLD_SECONDS: Final = 8.0
# Of the chart, as the embedded cluster's Prometheus scrapes.
RATE_WINDOW_SECONDS: Final = ScalingSettings().rate_window_seconds

FAST: Final[Mapping[str, object]] = {
    "autoscaler": {
        "tickSeconds": TICK_SECONDS,
        "scaleDownHoldSeconds": HOLD_SECONDS,
    }
}
# The chart as it is, for what an operator at rest costs.
DEFAULTS: Final[Mapping[str, object]] = {}
