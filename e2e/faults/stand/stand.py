"""All of it together, and a team in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from e2e.cluster import Cluster
from e2e.faults.fleet import Fleet
from e2e.faults.proxy import Proxy
from e2e.faults.stand.audit import AuditLog
from e2e.faults.stand.control_plane import ControlPlane
from e2e.faults.stand.operator import LEADS, Operator
from e2e.faults.stand.program import START_SECONDS
from e2e.faults.stand.prometheus import Prometheus
from e2e.installed import install, kubeconfig, operator_token
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.waiting import until
from foretide.adapters.resources import HARDWARE_CLASS


@dataclass(slots=True)
class Stand:
    """What a test of the matrix is given."""

    plane: ControlPlane
    cluster: Cluster
    api: Api
    fleet: Fleet
    prometheus: Prometheus
    proxy: Proxy
    operator: Operator
    audit: AuditLog

    @contextmanager
    def second_operator(self) -> Iterator[Operator]:
        """Inside `with` a standby that goes around the proxy: what the proxy counts is of the first alone."""
        folder = self.plane.folder
        file = folder / "second.kubeconfig"
        file.write_text(yaml.safe_dump(kubeconfig(self.plane.keys, operator_token(self.api), self.plane.url)))
        second = Operator.of(folder, kubeconfig=file, prometheus=self.prometheus.url, name="second")
        second.program.start()
        try:
            until("there is a standby", lambda: second.metrics().get(LEADS) == 0.0, within_seconds=START_SECONDS)
            yield second
        finally:
            second.end()

    def heal(self) -> None:
        """Nothing is broken any more, whatever a test left."""
        self.proxy.heal()
        self.operator.move_clock(0)
        for server in (self.prometheus, self.operator):
            if server.program.alive:
                server.go_on()
        self.prometheus.start()
        self.operator.start()


@contextmanager
def standing(programs: Path, folder: Path) -> Iterator[Stand]:
    """Everything runs inside `with`, and nothing of it afterwards."""
    plane = ControlPlane.of(programs, folder)
    fleet = Fleet.of(kubernetes=plane.url, keys=plane.keys, folder=folder)
    prometheus = Prometheus.of(programs, folder, targets=fleet.targets)
    proxy = Proxy.before(kubernetes=plane.url, prometheus=prometheus.url, keys=plane.keys, folder=folder)
    cluster = Cluster(plane.kubeconfig, programs)
    operator: Operator | None = None
    api: Api | None = None
    try:
        plane.start()
        for server in (fleet, prometheus, proxy):
            server.start()
        api = Api(cluster)
        kubeconfig = _installed(plane, cluster, api, proxy)
        operator = Operator.of(folder, kubeconfig=kubeconfig, prometheus=proxy.prometheus)
        with operator.kept_alive():
            operator.start()
            yield Stand(plane, cluster, api, fleet, prometheus, proxy, operator, AuditLog(plane.audit_log))
    finally:
        if operator is not None:
            operator.end()
        proxy.program.end()
        prometheus.program.end()
        fleet.end()
        plane.end()
        if api is not None:
            api.close()


def _installed(plane: ControlPlane, cluster: Cluster, api: Api, proxy: Proxy) -> Path:
    """The chart's objects but for its Deployment; returns the kubeconfig of its account, by way of the proxy."""
    install(cluster)
    until("the kinds are served", lambda: _put_class(api), within_seconds=20)
    file = plane.folder / "operator.kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig(plane.keys, operator_token(api), proxy.kubernetes)))
    return file


def _put_class(api: Api) -> bool:
    try:
        api.apply(HARDWARE_CLASS, sleeper.hardware_class("example.com/triton:1"))
    except Exception:
        return False
    return True
