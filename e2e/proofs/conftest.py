"""The operator as in production, for as long as proofs run."""

from __future__ import annotations

import pytest

from e2e.scenarios.operator import Operator
from e2e.scenarios.settings import DEFAULTS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lies here is a proof."""
    for item in items:
        if __package__ is not None and item.nodeid.startswith(__package__.replace(".", "/")):
            item.add_marker(pytest.mark.proof)


@pytest.fixture(scope="package", autouse=True)
def _as_in_production(operator: Operator) -> None:
    """A tick of 15 s, a window of 30 s, a hold of 5 min."""
    operator.install(DEFAULTS)
