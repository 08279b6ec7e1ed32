"""`python -m foretide.simulate`: see `--help`."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def start() -> int:
    """The command, or a sentence where its packages are not installed."""
    try:
        from foretide.simulate.command.main import main
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("foretide"):
            raise
        sys.stderr.write(f"the simulator needs the package {error.name}: pip install 'foretide[simulate]'\n")
        return 2
    # What ends it from outside cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    return main()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(start())
