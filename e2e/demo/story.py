"""What has happened in the demo so far; whatever ends it, this is what is written down."""

from __future__ import annotations

from dataclasses import dataclass, field

from e2e.demo.first import Asked
from e2e.demo.watch import Look
from e2e.load import Result


@dataclass(slots=True)
class Story:
    """Filled from top to bottom as the demo goes on."""

    shell_line: str = ""  # empty until there is a cluster
    embedded: bool = True
    season_seconds: float | None = None  # of two days that are told; else nothing is compared
    first_answer_seconds: float | None = None
    first: list[Asked] = field(default_factory=list)
    result: Result | None = None
    looks: list[Look] = field(default_factory=list)
    interrupted: bool = False
