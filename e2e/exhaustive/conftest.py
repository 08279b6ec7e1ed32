"""One API server a session, and a way to it for the operator and one for everybody else."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from kubernetes.aio import client, config

from e2e import local_control_plane
from e2e.exhaustive.run import Story, play
from e2e.local_control_plane import ControlPlane
from e2e.scenarios.api import Api
from foretide.adapters.kubernetes import KubernetesApi, opened

# The others take a quarter of an hour and more: `make exhaustive`.
SHORT = ("test_stale.py", "test_gitops.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lies here is exhaustive, but for what is short."""
    for item in items:
        if item.path.parent.name == "exhaustive" and item.path.name not in SHORT:
            item.add_marker(pytest.mark.exhaustive)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and an API server with Foretide's kinds; no controllers."""
    with local_control_plane.running(tmp_path_factory.mktemp("plane"), controllers=False) as plane:
        yield plane


@pytest.fixture(scope="session")
def api(plane: ControlPlane) -> Iterator[Api]:
    """Everybody but the operator."""
    api = Api(plane.cluster)
    yield api
    api.close()


@pytest.fixture
async def operator(plane: ControlPlane) -> AsyncIterator[KubernetesApi]:
    """The operator's connections."""
    configuration = client.Configuration()
    await config.load_kube_config(
        config_file=str(plane.cluster.kubeconfig), client_configuration=configuration, persist_config=False
    )
    async with opened(configuration, connections=8) as gateway:
        yield gateway


@pytest.fixture
def namespace() -> str:
    """A name that nobody has."""
    return f"run-{secrets.token_hex(4)}"


_undisturbed: list[Story] = []


@pytest.fixture
async def undisturbed(api: Api, operator: KubernetesApi) -> Story:
    """The run to which the others must come out equal; played once a session."""
    if not _undisturbed:
        _undisturbed.append(await play(api, operator, f"run-{secrets.token_hex(4)}"))
    return _undisturbed[0]
