"""`kubectl-foretide` (also `python -m foretide.cli`), and `kubectl_complete-foretide`."""

from __future__ import annotations

import sys


def start() -> int:
    """The command, or a sentence where its packages are not installed."""
    try:
        from foretide.cli.main import main
    except ModuleNotFoundError as error:
        return _without(error)
    return main()


def complete() -> int:
    """What may follow on a command line."""
    try:
        from foretide.cli.completion import main
    except ModuleNotFoundError as error:
        return _without(error)
    return main()


def _without(error: ModuleNotFoundError) -> int:
    if (error.name or "").startswith("foretide"):
        raise error
    sys.stderr.write(f"this command needs the package {error.name}: pip install 'foretide[cli]'\n")
    return 2


if __name__ == "__main__":
    sys.exit(start())
