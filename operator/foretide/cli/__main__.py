"""`kubectl-foretide`, and `python -m foretide.cli`."""

from __future__ import annotations

import sys


def start() -> int:
    """The command, or a sentence where its packages are not installed."""
    try:
        from foretide.cli.main import main
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("foretide"):
            raise
        sys.stderr.write(f"this command needs the package {error.name}: pip install 'foretide[cli]'\n")
        return 2
    return main()


if __name__ == "__main__":
    sys.exit(start())
