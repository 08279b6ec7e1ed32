"""Runs a command; a user's mistake is a sentence and an exit code, never a stack trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import typer

from foretide.cli.app import app
from foretide.cli.exits import Exit, Stop

PROGRAM: Final = "kubectl foretide"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of the command."""
    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False
        )
    except Stop as stop:
        sys.stderr.write(f"{stop}\n")
        return stop.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # `| head` has what it wanted; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        return _mistake(error)
    return int(code) if isinstance(code, int) else Exit.OK


def _mistake(error: Exception) -> int:
    """What the parser of options says; anything else is a fault of ours, and is raised."""
    shown = getattr(error, "format_message", None)
    if type(error).__name__ == "Abort":
        return Exit.INTERRUPTED
    if shown is None:
        raise error
    where = getattr(getattr(error, "ctx", None), "command_path", PROGRAM)
    said = str(shown()).rstrip(".").replace("Value error, ", "")  # where a choice is none, it names Python's error
    sys.stderr.write(f"{said}; see {where} --help\n")
    return Exit.MISTAKE
