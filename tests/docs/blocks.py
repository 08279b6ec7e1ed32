"""The fenced blocks of the documentation, and the commands in them."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "charts/**/*.md")
    for path in ROOT.glob(pattern)
)
SHELL: Final = ("bash", "sh")
CONSOLE: Final = "console"  # lines with $ are commands, the others what they print
_BLOCK: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    page: str  # path in the repository
    line: int  # of its first line of text
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """One statement of a shell, on one line."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"

    @property
    def words(self) -> list[str]:
        """Without its comment."""
        return shlex.split(self.text, comments=True)

    @property
    def program(self) -> str:
        return self.words[0]


def of_page(page: str) -> list[Block]:
    """In their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, text[: found.start("text")].count("\n") + 1, found["language"], textwrap.dedent(found["text"]))
        for found in _BLOCK.finditer(text)
    ]


def of_every_page() -> list[Block]:
    """Of all pages."""
    return [block for page in PAGES for block in of_page(page)]


def commands(block: Block) -> Iterator[Command]:
    """The statements of a block of a shell, continued lines joined; nothing of any other block."""
    if block.language not in (*SHELL, CONSOLE):
        return
    pending, begun = "", 0
    for number, line in enumerate(block.text.splitlines()):
        if not pending:
            if block.language == CONSOLE and not line.startswith("$ "):
                continue
            begun = number
        part = line.removeprefix("$ ") if block.language == CONSOLE and not pending else line
        if part.endswith("\\"):
            pending += part[:-1].strip() + " "
            continue
        statement, pending = (pending + part.strip()).strip(), ""
        if statement and not statement.startswith("#"):
            yield Command(block.page, block.line + begun, statement)
