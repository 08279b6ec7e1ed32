"""What is wrong with a trace file, so that its owner can put it right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# A file of another kind breaks the same rule in every line.
MOST_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceProblem:
    """One broken rule: where, which, and what to do."""

    file: Path
    rule: str
    fix: str
    line: int | None = None  # as an editor counts them, the header is line 1
    column: str | None = None

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line is not None else ""
        column = f", column {self.column!r}" if self.column is not None else ""
        return f"{self.file}{line}{column}: {self.rule}. {self.fix}."


class TraceError(ValueError):
    """One or several files are no traces; all that was found is in `problems`."""

    def __init__(self, problems: Sequence[TraceProblem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        more = len(self.problems) - len(shown)
        super().__init__("\n".join([*shown, f"... and {more} more"] if more else shown))
