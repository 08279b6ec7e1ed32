"""`python -m foretide.simulate`: see `--help`."""

from __future__ import annotations

import sys

from foretide.simulate.command.signals import sigterm_as_ctrl_c


def start() -> int:
    """The command, or a sentence where its packages are not installed."""
    try:
        from foretide.simulate.command.main import main
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("foretide"):
            raise
        sys.stderr.write(f"the simulator needs the package {error.name}: pip install 'foretide[simulate]'\n")
        return 2
    sigterm_as_ctrl_c()
    return main()


if __name__ == "__main__":
    sys.exit(start())
