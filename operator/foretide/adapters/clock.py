"""Time as a port, so that tests travel in it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the operator gets the time from."""

    def now(self) -> float:
        """Wall-clock time in seconds since the epoch (UTC)."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> float:
        return time.time()
