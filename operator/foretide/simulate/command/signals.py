"""What ends a command from outside."""

from __future__ import annotations

import signal
from types import FrameType


def sigterm_as_ctrl_c() -> None:
    """From now on a SIGTERM raises KeyboardInterrupt, and so cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
