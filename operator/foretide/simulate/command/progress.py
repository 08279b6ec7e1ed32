"""Tells on stderr how far something is, once it takes longer than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TextIO

SILENT_SECONDS: Final = 5.0
EVERY_SECONDS: Final = 10.0
EVERY_SECONDS_IN_TERMINAL: Final = 0.5


@dataclass(slots=True)
class Progress:
    """Says nothing in the first seconds; in a terminal it rewrites one line."""

    what: str
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _told: float = field(init=False)
    _shown: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._told = self._began + SILENT_SECONDS - EVERY_SECONDS

    def at(self, share: float) -> None:
        """That much is done."""
        now = self.clock()
        in_terminal = self.stream.isatty()
        every = EVERY_SECONDS_IN_TERMINAL if in_terminal else EVERY_SECONDS
        if now - self._began < SILENT_SECONDS or now - self._told < every:
            return
        self._told = now
        line = f"{self.what}: {100.0 * share:.0f} %"
        if share > 0.0:
            line += f", {spoken((now - self._began) * (1.0 - share) / share)} left"
        self.stream.write(f"\r{line}\033[K" if in_terminal else f"{line}\n")
        self.stream.flush()
        self._shown = True

    def end(self) -> None:
        """Leaves the line."""
        if self._shown and self.stream.isatty():
            self.stream.write("\r\033[K")
            self.stream.flush()


def spoken(seconds: float) -> str:
    """`40 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
