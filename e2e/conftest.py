"""Fixtures of the end-to-end tests: one cluster and one installed operator a session, one namespace a test."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Final

import pytest

from e2e.cluster import Cluster, connect
from e2e.cluster.images import IMAGES
from e2e.cluster.lock import exclusive
from e2e.cluster.target import image
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator, Values
from e2e.scenarios.settings import FAST
from e2e.scenarios.tenant import Tenant, leftovers
from foretide.adapters.resources import HARDWARE_CLASS

SESSION: Final = Path(gettempdir()) / "foretide-e2e.lock"
REPORT: Final = Path(__file__).resolve().parents[1] / "build" / "e2e" / "measured.json"
MEASURED: Final = pytest.StashKey[Measured]()
FAILED: Final = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that CLUSTER names, with the images as the working tree has them."""
    with exclusive(_another, SESSION):
        yield connect()


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[Api]:
    """The API server of the cluster."""
    api = Api(cluster)
    yield api
    api.close()


@pytest.fixture(scope="session")
def values() -> Values:
    """Of the chart: a fast tick."""
    return FAST


@pytest.fixture(scope="session")
def operator(cluster: Cluster, api: Api, values: Values) -> Iterator[Operator]:
    """The operator, installed from the chart; at the end it must not have failed in any test."""
    for leftover in leftovers(cluster, api):
        leftover.move_out()
    operator = Operator(cluster, api, image=image("operator"), image_key=IMAGES["operator"].key(Path()))
    operator.know_the_past()
    operator.install(values)
    api.apply(HARDWARE_CLASS, sleeper.hardware_class(image("triton")))
    yield operator
    operator.keep_logs()
    assert not operator.faults(), "the operator logged faults:\n" + "\n".join(operator.faults())
    restarts = operator.unexpected_restarts()
    assert not restarts, f"containers of the operator restarted by themselves: {restarts}"


@pytest.fixture
def tenant(cluster: Cluster, api: Api, operator: Operator, request: pytest.FixtureRequest) -> Iterator[Tenant]:
    """A namespace of the test's own, under restricted Pod Security."""
    tenant = Tenant.move_in(cluster, api, request.node.originalname.removeprefix("test_"))
    yield tenant
    try:
        if request.node.stash.get(FAILED, False):
            print(tenant.story())
    finally:
        tenant.move_out()


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Measured:
    """Takes the numbers of the table at the end of the session."""
    return pytestconfig.stash.setdefault(MEASURED, Measured())


@pytest.fixture(autouse=True)
def _kinds_exist(request: pytest.FixtureRequest) -> None:
    """Whoever asks for the cluster finds Foretide's kinds in it."""
    if "cluster" in request.fixturenames and request.node.get_closest_marker("cluster_lifecycle") is None:
        request.getfixturevalue("operator")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Lets fixtures know at their end whether the test failed."""
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that change the settings of the operator run late, those that take the cluster down last."""
    items.sort(key=_turn)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints what was measured."""
    measured = config.stash.get(MEASURED, None)
    if measured is not None and measured.rows:
        terminalreporter.section("measured")
        for line in measured.table():
            terminalreporter.write_line(line)
        measured.save(REPORT)


def _another(_: str) -> None:
    pytest.exit(
        "another session of end-to-end tests is at work on this machine; each would delete the other's namespaces. "
        "Wait for its end.",
        returncode=2,
    )


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("cluster_lifecycle") is not None:
        return 2
    return 1 if item.path.name == "test_footprint.py" else 0
