"""`python -m e2e.faults.stand.moved_clock FILE`: the operator, whose wall clock is ahead by the seconds that FILE says.

Not by libfaketime: certificates and tokens of the stand are minutes old, and to who lives an hour earlier they are not
valid yet. Monotonic time goes on, as it does where a real clock is set.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from foretide.__main__ import main
from foretide.adapters.clock import SystemClock


def moved(file: Path) -> None:
    """From now on the operator's clock is that of the machine and what the file says at each look."""
    SystemClock.now = lambda self: time.time() + float(file.read_text())  # type: ignore[method-assign]


if __name__ == "__main__":
    moved(Path(sys.argv.pop(1)))
    sys.exit(main())
