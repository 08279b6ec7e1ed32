"""What is printed: tables that fit where they go, JSON and YAML."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import yaml
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

# Into a pipe or a file nothing is cut: `grep` must find what a wide terminal would show.
UNLIMITED: Final = 10_000
# Between two columns.
GAP: Final = 2


class Format(StrEnum):
    """What -o takes in every command."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class PlanFormat(StrEnum):
    """What -o takes in `plan`: also what a pull request shows."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and when it goes where the terminal is narrow: the highest first, 0 never."""

    title: str
    dispensable: int = 0
    right: bool = False


def console() -> Console:
    """Standard output; colours only in a terminal, and not where NO_COLOR or TERM=dumb says so."""
    width = None if sys.stdout.isatty() else UNLIMITED
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def document(value: Any, form: Format) -> str:
    """The value as JSON or YAML, ending in a newline."""
    if form is Format.YAML:
        return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120))
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def show(renderable: RenderableType, target: Console | None = None) -> None:
    """Prints it without the spaces that pad the ends of lines."""
    target = target or console()
    if target.is_terminal:
        target.print(renderable)
        return
    text = io.StringIO()
    Console(file=text, width=target.width, highlight=False, markup=False, emoji=False, color_system=None).print(
        renderable
    )
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def table(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], *, width: int) -> tuple[Group, list[str]]:
    """The table, and the titles of the columns that were left out so that it fits; a line is cut only after that.

    By hand: a rich.Table of a thousand services takes a second of CPU.
    """
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max([len(column.title), *(row[at].cell_len for row in cells)]) for at, column in enumerate(columns)]
    kept = list(range(len(columns)))
    while sum(widths[at] + GAP for at in kept) - GAP > width:
        last = max(kept, key=lambda at: columns[at].dispensable)
        if not columns[last].dispensable:
            break
        kept.remove(last)

    def line(row: Sequence[Text]) -> Text:
        made = Text(no_wrap=True, overflow="ellipsis")
        for at in kept:
            padding = " " * (widths[at] - row[at].cell_len)
            for part in (padding, row[at]) if columns[at].right else (row[at], padding):
                made.append(part) if isinstance(part, str) else made.append_text(part)
            made.append(" " * GAP)
        made.rstrip()
        return made

    header = line([Text(column.title, style="bold") for column in columns])
    return Group(header, *map(line, cells)), [column.title for at, column in enumerate(columns) if at not in kept]


def narrowed(hidden: Sequence[str]) -> list[Text]:
    """What to say of columns that were left out."""
    return [Text(f"not shown for want of width: {', '.join(hidden)}", style="dim")] if hidden else []


def figures(value: float) -> str:
    """Four digits that count, more where a number has them before its point: people read no 1.235e+04."""
    return f"{value:.4g}" if abs(value) < 9_999.5 else f"{value:.0f}"


def clean(text: str | Text) -> Text:
    """What a cluster says may hold anything; control characters must not reach a terminal."""
    if isinstance(text, Text):
        return text
    return Text(
        "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)
    )


def facts(pairs: Sequence[tuple[str, str]]) -> Table:
    """Names and what there is to say of them, one a line; long sentences are folded under their own column."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in pairs:
        grid.add_row(name, clean(text))
    return grid
