"""docs/api-reference.md has every field, rule and reason of the API, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foretide.api import reference
from foretide.api.crdenvelope import definitions
from foretide.api.reasons import Reason


def test_the_page_is_up_to_date() -> None:
    assert reference.main(["--check"]) == 0


def test_the_page_is_written_and_its_drift_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "api.md"
    assert reference.main([str(page), "--check"]) == 1
    assert reference.main([str(page)]) == 0
    assert reference.main([str(page), "--check"]) == 0
    page.write_text(page.read_text() + "more\n")
    assert reference.main([str(page), "--check"]) == 1
    assert "out of date" in capsys.readouterr().out


def _fields(schema: Any) -> Iterator[str]:
    """The names of all fields, at any depth."""
    for name, member in schema.get("properties", {}).items():
        yield name
        yield from _fields(member)
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from _fields(schema[inner])


def _messages(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (rule["message"] for rule in node.get("x-kubernetes-validations", ()))
        for member in node.values():
            yield from _messages(member)


@pytest.mark.parametrize("document", definitions().values(), ids=lambda each: each["spec"]["names"]["kind"])
def test_every_field_and_every_rule_is_told(document: Any) -> None:
    kind = document["spec"]["names"]["kind"]
    section = reference.rendered().partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
    schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = [schema["properties"][part] for part in ("spec", "status") if part in schema["properties"]]
    rows = re.findall(r"^\| \**`[\w.\[\]]*?(\w+)`", section, re.MULTILINE)
    assert rows == [name for part in parts for name in _fields(part)]
    cells = section.replace("\\|", "|")
    for message in _messages(schema):
        assert " ".join(message.split())[1:] in cells, message


def test_every_row_is_a_row() -> None:
    for line in reference.rendered().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 5), line


def test_every_reason_has_its_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", reference.rendered().partition("## Reasons")[2], re.MULTILINE)
    assert [name for name, _ in rows] == [reason.value for reason in Reason]
    assert all(meaning.endswith(".") for _, meaning in rows)
