"""The operator as in production, for as long as proofs run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.cluster.target import image
from e2e.proofs import loads
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.operator import Operator, Values
from e2e.scenarios.settings import DEFAULTS
from foretide.adapters.resources import HARDWARE_CLASS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lies here is a proof."""
    for item in items:
        if __package__ is not None and item.nodeid.startswith(__package__.replace(".", "/")):
            item.add_marker(pytest.mark.proof)


@pytest.fixture(scope="session")
def values() -> Values:
    """Of the chart: none, so a tick of 15 s, a window of 30 s, a hold of 5 min."""
    return DEFAULTS


@pytest.fixture(scope="session", autouse=True)
def small_replicas(api: Api, operator: Operator) -> Iterator[None]:
    """The class of `loads.spec`; the operator brings the kind."""
    api.apply(HARDWARE_CLASS, sleeper.hardware_class(image("triton"), name=loads.HARDWARE_CLASS, cpu=loads.CPU))
    yield
    api.delete(HARDWARE_CLASS, loads.HARDWARE_CLASS)
