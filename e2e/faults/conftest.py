"""One stand a session, one namespace a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.cluster import binaries
from e2e.cluster.artefacts import Artefacts
from e2e.cluster.paths import cache_folder
from e2e.cluster.progress import Progress
from e2e.faults.fleet import Behaviour
from e2e.faults.stand.stand import Stand, standing
from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.service import Service


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Control plane, Prometheus, pods and operator; at the end the operator must not have failed in any test."""
    cache = cache_folder()
    programs = binaries.build(binaries.find_go(cache), Artefacts(cache / "artefacts"), cache, Progress())
    with standing(programs, tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture
def team(stand: Stand, request: pytest.FixtureRequest) -> Iterator[Team]:
    """A namespace of the test's own; whatever it broke is whole again afterwards."""
    stand.heal()
    team = Team.move_in(stand, request.node.path.stem.removeprefix("test_"))
    yield team
    stand.heal()
    team.move_out()


@pytest.fixture
def unswept(team: Team) -> Iterator[None]:
    """No sweep shows what the watches do not."""
    with team.stand.operator.with_settings(FORETIDE_SWEEP_SECONDS="3600"):
        yield


@pytest.fixture(scope="session")
def _long_there(stand: Stand) -> Iterator[tuple[Team, Service]]:
    team = Team.move_in(stand, "steady")
    yield team, team.serve_four()
    team.move_out()


@pytest.fixture
def steady(stand: Stand, _long_there: tuple[Team, Service]) -> Iterator[tuple[Team, Service]]:
    """A service under a load that needs four replicas, which it has; of all tests that only hurt what is measured."""
    team, service = _long_there
    stand.heal()
    stand.fleet.behave(team.namespace, service.name, Behaviour(rate_rps=FOUR_PODS_RPS))
    team.until_four(service)
    team.begin()
    yield team, service
    stand.heal()
