"""Completion for `kubectl foretide`: kubectl asks a program `kubectl_complete-foretide`, in the words of cobra."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from foretide.cli.app import app
from foretide.cli.cluster import Target
from foretide.cli.exits import Stop

# cobra's directives: nothing more to say; files may follow.
NO_FILES: Final = ":4"
FILES: Final = ":0"
NAMES_FILES: Final = ("-f", "--filename", "--report", "--request", "--kubeconfig")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what may stand in place of the last argument, one a line, and a directive."""
    *before, begun = list(sys.argv[1:] if arguments is None else arguments) or [""]
    if before and before[-1] in NAMES_FILES:
        sys.stdout.write(f"{FILES}\n")
        return 0
    sys.stdout.write("".join(f"{word}\n" for word in words(before, begun)) + f"{NO_FILES}\n")
    return 0


def words(before: Sequence[str], begun: str) -> list[str]:
    """Commands, options of a command, and for its argument the services of the namespace."""
    group: Any = typer.main.get_command(app)
    if not before:
        return [name for name in sorted(group.commands) if name.startswith(begun)]
    command = group.commands.get(before[0])
    if command is None:
        return []
    if begun.startswith("-"):
        options = [name for parameter in command.params for name in parameter.opts if name.startswith("--")]
        return sorted(name for name in [*options, "--help"] if name.startswith(begun))
    takes_service = any(parameter.name == "service" for parameter in command.params)
    return [name for name in _services(before) if name.startswith(begun)] if takes_service else []


def _services(before: Sequence[str]) -> list[str]:
    """Their names; none where the cluster does not answer: a completion complains about nothing."""
    from foretide.cli.status import services

    target = Target(_after(before, "--kubeconfig"), _after(before, "--context"), _after(before, "--namespace", "-n"))
    try:
        return [service.name for service in services(target, None, everywhere=False)]
    except Stop:
        return []


def _after(before: Sequence[str], *options: str) -> str | None:
    """The value of an option that is there already."""
    for at, word in enumerate(before):
        name, equals, value = word.partition("=")
        if name in options and equals:
            return value
        if word in options and at + 1 < len(before):
            return before[at + 1]
    return None
