"""All by which a team could make the operator itself connect to an address of its choice: nobody ever does.

Where a model is, pods are told; the operator connects to the API server, to Prometheus, and to the pods of services.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import PROMETHEUS
from e2e.faults.team import Team
from e2e.scenarios import sleeper
from e2e.scenarios.api import ApiRefused
from e2e.scenarios.service import Service
from foretide.adapters.resources import INFERENCE_SERVICE, POD
from foretide.serving.naming import HTTP_PORT, METRICS_PORT

pytestmark = pytest.mark.slow_fault

ELSEWHERE = "127.0.0.2"
METADATA = "169.254.169.254"
PORTS = (8443, HTTP_PORT, METRICS_PORT)
UNSAID = "word-of-31415"


class Listener:
    """Nobody answers there; the kernel keeps who knocked."""

    def __init__(self, stack: ExitStack) -> None:
        self._sockets = [stack.enter_context(socket.create_server((ELSEWHERE, port))) for port in PORTS]
        for one in self._sockets:
            one.setblocking(False)

    def connections(self) -> int:
        """Since the last look."""
        return sum(self._of(one) for one in self._sockets)

    def _of(self, one: socket.socket) -> int:
        count = 0
        while True:
            try:
                one.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


@pytest.fixture
def listener() -> Iterator[Listener]:
    with ExitStack() as stack:
        found = Listener(stack)
        for port in PORTS:  # it hears
            socket.create_connection((ELSEWHERE, port)).close()
        assert found.connections() == len(PORTS)
        yield found


def spec_of(uri: str) -> dict[str, Any]:
    spec = sleeper.spec()
    return {**spec, "model": {**spec["model"], "source": {"uri": uri}}}


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        (f"http://{METADATA}/latest/meta-data/1", "must not be http://"),
        (f"http://{ELSEWHERE}:8443/ranker/1", "must not be http://"),
        (f"https://me:{UNSAID}@{ELSEWHERE}:8443/ranker/1", "must not hold credentials"),
        (f"https://{ELSEWHERE}:8443/ranker/1?token={UNSAID}", "must not have a query"),
        ("file:///etc/passwd", "must start with"),
    ],
    ids=["metadata", "plain", "userinfo", "query", "file"],
)
def test_what_no_model_may_be_read_from_is_refused(team: Team, listener: Listener, uri: str, words: str) -> None:
    metadata = {"name": "ranker", "namespace": team.namespace}
    with pytest.raises(ApiRefused, match=words) as refused:
        team.stand.api.apply(INFERENCE_SERVICE, {"metadata": metadata, "spec": spec_of(uri)})
    # The API server repeats to the sender what was sent; our own sentence does not.
    assert (UNSAID in uri) == ('"(hidden)"' in str(refused.value))
    team.stand.operator.until_ticks(2)
    assert listener.connections() == 0
    team.check()


def test_where_a_model_is_only_pods_ask(team: Team, listener: Listener) -> None:
    """An address is a host like any other: it is asked by the team's own pod, which could ask it anyway."""
    names = {"near": f"https://{ELSEWHERE}:8443/ranker/1", "metadata": f"https://{METADATA}/ranker/1"}
    for name, uri in names.items():
        metadata = {"name": name, "namespace": team.namespace}
        team.stand.api.apply(INFERENCE_SERVICE, {"metadata": metadata, "spec": spec_of(uri)})
    api = team.stand.api
    for name in names:
        Service(api, team.namespace, name, sleeper.HARDWARE_CLASS, "127.0.0.1", 0).until_ready(replicas=1)
    team.stand.operator.until_ticks(4)
    assert listener.connections() == 0
    team.check()


def test_pods_that_lead_elsewhere_are_not_followed(steady: tuple[Team, Service], listener: Listener) -> None:
    """Prometheus is dead, so that the operator reads the pods; each of their answers is a redirect."""
    team, service = steady
    team.stand.prometheus.kill()
    with team.in_the_dark(service):
        team.behave(service.name, leads_to=f"http://{ELSEWHERE}:8443/latest/meta-data/")
        team.until_told(service, "ScalingActive", "False", "MetricsUnavailable", within_seconds=60)
        team.stand.operator.until_ticks(3)
        assert listener.connections() == 0
        assert ELSEWHERE not in str(service.live()["status"])
        team.behave(service.name, leads_to="")
    team.settle(service)


def test_pods_that_lie_about_their_address_are_not_asked(steady: tuple[Team, Service], listener: Listener) -> None:
    """Who may write the status of a pod names an address of the operator's own host."""
    team, service = steady
    team.stand.prometheus.kill()
    addresses = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in service.pods()}
    with team.in_the_dark(service):
        for name in addresses:
            say_address(team, name, ELSEWHERE)
        team.until_told(service, "ScalingActive", "False", "MetricsUnavailable", within_seconds=60)
        team.stand.operator.until_ticks(3)
        assert [pod["status"]["podIP"] for pod in service.pods()] == [ELSEWHERE] * len(addresses)
        assert listener.connections() == 0
        for name, address in addresses.items():
            say_address(team, name, address)
    team.settle(service)


def say_address(team: Team, pod: str, address: str) -> None:
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    team.stand.api.patch(POD, pod, status, namespace=team.namespace, subresource="status")


def test_a_prometheus_that_leads_elsewhere_is_not_followed(steady: tuple[Team, Service], listener: Listener) -> None:
    team, service = steady
    headers = {"Location": f"http://{ELSEWHERE}:8443/api/v1/query"}
    with team.stand.proxy.hurting(PROMETHEUS, Fault.ANSWER, status=307, headers=headers), team.in_the_dark(service):
        live = team.until_told(service, "MetricsAvailable", "False", "PrometheusRejected")
        team.stand.operator.until_ticks(3)
        assert listener.connections() == 0
        assert ELSEWHERE not in str(live["status"])
    team.settle(service)
