"""The operator as in production, for as long as proofs run."""

from __future__ import annotations

import pytest

from e2e.scenarios.operator import Values
from e2e.scenarios.settings import DEFAULTS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lies here is a proof."""
    for item in items:
        if __package__ is not None and item.nodeid.startswith(__package__.replace(".", "/")):
            item.add_marker(pytest.mark.proof)


@pytest.fixture(scope="session")
def values() -> Values:
    """Of the chart: none, so a tick of 15 s, a window of 30 s, a hold of 5 min."""
    return DEFAULTS
