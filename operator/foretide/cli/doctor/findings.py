"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from foretide.adapters.errors import AdapterError
from foretide.cli.exits import Exit

SHOWN: Final = 5


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    UNKNOWN = "unknown"  # could not be looked at: not known is not good
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check, its outcome in a sentence, and what to do."""

    check: str
    level: Level
    message: str
    fix: str = ""

    def as_document(self) -> dict[str, Any]:
        return {"check": self.check, "level": str(self.level), "message": self.message, "fix": self.fix or None}


def exit_of(findings: Sequence[Finding]) -> Exit:
    """By the worst of them."""
    levels = {finding.level for finding in findings}
    if Level.FAILURE in levels:
        return Exit.FOUND
    return Exit.WARNED if levels & {Level.WARNING, Level.UNKNOWN} else Exit.OK


def unknown(check: str, error: AdapterError, fix: str = "") -> Finding:
    """What could not be looked at."""
    allowed = "ask for the right to, or run doctor as somebody who has it"
    return Finding(check, Level.UNKNOWN, str(error), fix or (allowed if error.reason == "Forbidden" else ""))


def some(names: Sequence[str]) -> str:
    """The first few of many."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
