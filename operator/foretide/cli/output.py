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
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

# Into a pipe or a file nothing is cut: `grep` must find what a wide terminal would show.
UNLIMITED: Final = 10_000


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


def table(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], *, width: int) -> tuple[Table, list[str]]:
    """The table, and the titles of the columns that were left out so that it fits; a cell is cut only after that."""
    kept = list(range(len(columns)))
    widths = [max([len(column.title), *(len(row[at]) for row in rows)]) for at, column in enumerate(columns)]
    while sum(widths[at] + 2 for at in kept) - 2 > width:
        last = max(kept, key=lambda at: columns[at].dispensable)
        if not columns[last].dispensable:
            break
        kept.remove(last)
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at in kept:
        right = columns[at].right
        made.add_column(columns[at].title, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        made.add_row(*(clean(row[at]) for at in kept))
    return made, [column.title for at, column in enumerate(columns) if at not in kept]


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
