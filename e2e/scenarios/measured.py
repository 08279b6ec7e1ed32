"""The numbers that a session of the end-to-end tests measured, beside the bar each has to meet."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Number:
    """One row."""

    what: str
    value: str
    bar: str


@dataclass(slots=True)
class Measured:
    """The rows in the order in which they were measured."""

    rows: list[Number] = field(default_factory=list)

    def add(self, what: str, value: str, *, bar: str) -> None:
        """Takes in one row; call it before the assertion, so that a number that fails is shown too."""
        self.rows.append(Number(what, value, bar))

    def table(self) -> list[str]:
        """The rows as lines of text."""
        width = max((len(row.what) for row in self.rows), default=0)
        wide = max((len(row.value) for row in self.rows), default=0)
        return [f"{row.what:<{width}}  {row.value:>{wide}}  (bar: {row.bar})" for row in self.rows]

    def save(self, path: Path) -> None:
        """Writes the rows as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n")
