"""Tests of compiled code may have to compile it first: 20 s of processor time where `make unit` has not done it."""

from pathlib import Path

import pytest

from foretide.simulate.command import main as command

COMPILING_SECONDS = 180


@pytest.fixture
def known_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a replica, for tests of the command: it takes a second to find."""
    monkeypatch.setattr(command, "rate_at_slo", lambda law, **more: 46.0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A longer deadline for the tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(COMPILING_SECONDS))
