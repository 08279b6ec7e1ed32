"""What the commands of this benchmark share: their processes and seeds, and how they end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from foretide.simulate.command.processes import WorkerLost
from foretide.simulate.command.refused import Refused
from foretide.simulate.command.signals import sigterm_as_ctrl_c
from foretide.simulate.traces import TraceError

FAILED: Final = 1
UNUSABLE: Final = 2  # what was given, as argparse says it
INTERRUPTED: Final = 130
MOST_SEEDS: Final = 20
CELLS_ARE_KEPT: Final = "the finished cells are kept, the same command goes on from there"
NOTHING_IS_WRITTEN: Final = "nothing is written"


def parsed(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, *, seeds: int, seeds_of: str
) -> argparse.Namespace:
    """The arguments, with --seeds and --workers; ends with a sentence where one is out of its range."""
    parser.add_argument("--seeds", type=int, default=seeds, help=f"{seeds_of}, 1 to {MOST_SEEDS} (default %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one each CPU)")
    given = parser.parse_args(arguments)
    if given.workers < 1:
        parser.error(f"--workers must be 1 or more, not {given.workers}")
    if not 1 <= given.seeds <= MOST_SEEDS:
        parser.error(f"--seeds must be from 1 to {MOST_SEEDS}, not {given.seeds}")
    return given


def ended(run: Callable[[], int], *, interrupted: str = CELLS_ARE_KEPT) -> int:
    """The exit status of a run, with a sentence where it could not go on; `interrupted` says what Ctrl-C leaves."""
    sigterm_as_ctrl_c()
    try:
        return run()
    except (Refused, TraceError) as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    except (WorkerLost, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted: {interrupted}\n")
        return INTERRUPTED
