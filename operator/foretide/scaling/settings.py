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
        "scrape_interval_seconds": (1.0, 60.0),
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
    # As Prometheus scrapes Triton: what is asked of it, and from when on it is late, follows from that.
    scrape_interval_seconds: float = 5.0
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
    def rate_window_seconds(self) -> float:
        """Of `rate()` and `deriv()`, in whole seconds as PromQL has them: four scrapes survive a lost one, and six are
        less noisy. Not shorter than a tick, or what comes between two windows would never be seen."""
        return float(math.ceil(max(6.0 * self.scrape_interval_seconds, self.tick_seconds)))

    @property
    def short_window_seconds(self) -> float:
        """Half a window, for what a burst shows first."""
        return float(math.ceil(self.rate_window_seconds / 2.0))

    @property
    def stale_after_seconds(self) -> float:
        """Samples older than this tell nothing about now. Of six scrapes in a window two are left then, which is what
        a rate takes."""
        return 4.0 * self.scrape_interval_seconds

    @property
    def report_grace_seconds(self) -> float:
        """A pod that has been ready for this long must have rates: Prometheus hands new targets on every 5 s, two
        scrapes make a rate, and as much again for a lost scrape and a slow watch."""
        return 10.0 + 4.0 * self.scrape_interval_seconds

    @property
    def restart_after_seconds(self) -> float:
        return self.restart_after_ticks * self.tick_seconds
