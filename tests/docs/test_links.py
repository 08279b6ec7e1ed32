"""What the documents link to is there, and their lines fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED: Final = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = HEADING.findall(FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            lost.append(link)
    assert lost == []


# Pages that programs write, in which a sentence may be as long as its numbers are.
WRITTEN_BY_PROGRAMS: Final = re.compile(
    r"^docs/(benchmarks/.*|api-reference|capacity-table|forecast-model|metrics)\.md$"
)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if not WRITTEN_BY_PROGRAMS.match(str(page.relative_to(ROOT)))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_lines_of_prose_fit(page: Path) -> None:
    prose = FENCED.sub("", page.read_text()).splitlines()
    assert [line for line in prose if len(line) > 120 and not line.startswith("|")] == []
