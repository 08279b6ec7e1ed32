"""How the end-to-end tests judge what a command of the documentation ended with."""

from __future__ import annotations

import pytest

from e2e.scenarios.reader import REHEARSED, wrong
from tests.docs import blocks


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("kubectl get x  # a comment", [0]),
        ("kubectl logs x | grep -i tick", [0, 1]),
        ("kubectl logs x | head -50", [141, 0]),
        ("kubectl foretide crds | kubectl diff -f -", [0, 1]),
        ("kubectl get x -o jsonpath='{.a|b}'", [0]),
        ("kubectl foretide doctor", [4]),
    ],
)
def test_answers_are_no_failures(text: str, codes: list[int]) -> None:
    assert wrong(text, codes) == ""


@pytest.mark.parametrize(
    ("text", "codes"),
    [("kubectl get x", [1]), ("kubectl get x | grep y", [1, 0]), ("kubectl get x | head -3", [0, 141])],
)
def test_failures_are(text: str, codes: list[int]) -> None:
    assert "ended with" in wrong(text, codes)


@pytest.mark.parametrize("begin", REHEARSED)
def test_what_is_only_rehearsed_is_there(begin: str) -> None:
    found = [command for page in blocks.PAGES for block in blocks.of_page(page) for command in blocks.commands(block)]
    assert any(command.text.startswith(begin) for command in found)
