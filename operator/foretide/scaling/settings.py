"""What an administrator may tune, with units and ranges; a value out of range is refused with its name."""

import math
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

# name -> (lowest, highest) value that still makes sense
RANGES: Final = MappingProxyType(
    {
        "tick_seconds": (1.0, 300.0),
        "scale_down_hold_seconds": (1.0, 86_400.0),
        "scale_down_margin": (0.0, 1.0),
        "drain_seconds": (1.0, 3_600.0),
        "stale_after_seconds": (1.0, 600.0),
        "report_grace_seconds": (0.0, 600.0),
        "restart_after_ticks": (1.0, 100.0),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingSettings:
    """The knobs of a decision, range-checked."""

    tick_seconds: float = 15.0
    # Without a trusted forecast nothing shrinks before the need was lower for this long (the default of the Kubernetes
    # HPA); with one it is a share of the lead time, for the forecast says what comes after.
    scale_down_hold_seconds: float = 300.0
    # Room that a smaller fleet must have. With noise of +-3 % growth happens at 1.03 x load and shrinking at
    # 0.97 x load, so more than 1.03 / 0.97 - 1 = 6.2 % is needed for a constant load never to flap; HPA uses 10 %.
    scale_down_margin: float = 0.1
    # Within this time a queue that is too long must be gone.
    drain_seconds: float = 60.0
    # Samples older than this say nothing about now: 4 scrapes of 5 s and the answer's own delay.
    stale_after_seconds: float = 30.0
    # A pod that has been ready for this long must have been scraped: 3 scrapes of 5 s and a rate window of 2.
    report_grace_seconds: float = 30.0
    # Without evidence for longer than this many ticks the hold starts anew, as after a restart. The half tick
    # lets one tick be missed although timers are late by some milliseconds.
    restart_after_ticks: float = 2.5

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = RANGES[field.name]
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{field.name} must be a number from {low:g} to {high:g}, not {value!r}")
            if not math.isfinite(value) or not low <= value <= high:
                raise ValueError(f"{field.name} must be from {low:g} to {high:g}, not {value:g}")

    @property
    def restart_after_seconds(self) -> float:
        return self.restart_after_ticks * self.tick_seconds
