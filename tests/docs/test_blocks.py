"""Every command and every YAML block of the documentation is tested somewhere: here, or by e2e/test_docs.py."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from foretide.api import group
from foretide.api.problems import Problems
from tests.api import apiserver
from tests.api.judges import parsed
from tests.docs import blocks, coverage
from tests.docs.blocks import Block, Command

EVERY = blocks.of_every_page()
COMMANDS = [command for block in EVERY for command in blocks.commands(block)]
YAML = [block for block in EVERY if block.language == "yaml"]
OBJECTS = [(block, document) for block in YAML for document in coverage.documents(block)]


def test_commands_are_read_out_of_blocks() -> None:
    text = "# first\nkubectl get x \\\n  -o yaml  # all of it\n\nmake demo\n"
    assert [(command.line, command.words) for command in blocks.commands(Block("p", 10, "bash", text))] == [
        (11, ["kubectl", "get", "x", "-o", "yaml"]),
        (14, ["make", "demo"]),
    ]
    printed = Block("p", 1, "console", "$ kubectl get x\nNAME  READY\n$ ls\n")
    assert [command.text for command in blocks.commands(printed)] == ["kubectl get x", "ls"]


@pytest.mark.parametrize("page", blocks.PAGES)
def test_every_fence_is_a_block_in_a_language_that_somebody_tests(page: str) -> None:
    found = blocks.of_page(page)
    fences = re.findall(r"^ *```", (blocks.ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(found)
    tested = {*blocks.SHELL, blocks.CONSOLE, "yaml", "promql"}
    shown = {"text"}
    assert {block.language for block in found} <= tested | shown


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_every_command_is_run_or_looked_up_or_exempt(command: Command) -> None:
    known = coverage.RUN | coverage.LOOKED_UP
    assert command.program in known or coverage.exemption(command), "add it to tests/docs/coverage.py"


@pytest.mark.parametrize("begin", coverage.EXEMPT)
def test_an_exemption_is_for_a_command_that_is_there(begin: str) -> None:
    assert any(command.text.startswith(begin) for command in COMMANDS)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.program == "make"], ids=str)
def test_targets_of_make_exist(command: Command) -> None:
    targets = re.findall(r"^([a-z-]+):", (blocks.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {word for word in command.words[1:] if "=" not in word} <= set(targets)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.program == "pip"], ids=str)
def test_extras_that_are_installed_exist(command: Command) -> None:
    extras = tomllib.loads((blocks.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (named,) = re.findall(r"\.\[([\w,]+)\]", command.text)
    assert command.words[:2] == ["pip", "install"]
    assert set(named.split(",")) <= set(extras)


@pytest.mark.parametrize(("block", "raw"), OBJECTS, ids=lambda each: str(each) if isinstance(each, Block) else "")
def test_what_is_shown_is_an_object_that_parses(block: Block, raw: dict[str, Any]) -> None:
    if raw.get("apiVersion") == group.API_VERSION:
        result = parsed(raw)
        assert not isinstance(result, Problems), result.message
        assert apiserver.errors(raw) == []
    elif "scrape_configs" not in raw:
        assert raw["apiVersion"] == "v1" or (raw["apiVersion"], raw["kind"]) in coverage.FOREIGN


def test_a_part_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="neither an object nor a part"):
        coverage.documents(Block("p", 1, "yaml", "replicas: 3\n"))
