"""Tests of compiled code may have to compile it first: 20 s of processor time where `make unit` has not done it."""

from pathlib import Path

import pytest

COMPILING_SECONDS = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A longer deadline for the tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(COMPILING_SECONDS))
