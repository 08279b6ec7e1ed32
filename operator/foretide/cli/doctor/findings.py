"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from foretide.cli.exits import Exit


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
