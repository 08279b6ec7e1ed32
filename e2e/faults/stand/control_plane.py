"""etcd, API server, controller manager and scheduler on free ports of loopback, beside any other cluster."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from e2e.cluster import components, pki
from e2e.cluster.components import Place
from e2e.cluster.processes import Daemon
from e2e.faults.stand import audit
from e2e.faults.stand.program import STOP_SECONDS, Program
from e2e.own_process import free_ports
from e2e.scenarios.waiting import until

READY_SECONDS: Final = 120.0
# Those of a cluster without nodes: the others watch what is not there.
CONTROLLERS: Final = (
    "deployment-controller",
    "replicaset-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "resourcequota-controller",
    "disruption-controller",
)


@dataclass(slots=True)
class ControlPlane:
    """The four programs; `url` is where the API server itself listens."""

    folder: Path
    etcd: Program
    apiserver: Program
    controllers: Program
    scheduler: Program
    url: str
    etcd_url: str

    @classmethod
    def of(cls, programs: Path, folder: Path) -> ControlPlane:
        """Not yet started."""
        place = Place(folder / "pki", folder, "127.0.0.1", *free_ports(5))
        url = f"https://127.0.0.1:{place.api_port}"
        pki.ensure(place.keys, url)
        (folder / "audit.yaml").write_text(json.dumps(audit.POLICY))  # JSON is YAML

        def program(daemon: Daemon, *more: str, grace_seconds: float = STOP_SECONDS) -> Program:
            return Program(daemon.name, (*daemon.argv, *more), folder, grace_seconds=grace_seconds)

        return cls(
            folder=folder,
            url=url,
            etcd_url=place.etcd,
            etcd=program(components.etcd(programs, place)),
            apiserver=program(
                components.apiserver(programs, place),
                f"--audit-policy-file={folder}/audit.yaml",
                f"--audit-log-path={folder}/audit.log",
                "--audit-log-maxsize=10000",  # one file
                "--audit-log-mode=blocking",  # what a test has seen done is in the log
                grace_seconds=0.5,  # it keeps watches open for a minute after SIGTERM
            ),
            controllers=program(
                components.controller_manager(programs, place), f"--controllers={','.join(CONTROLLERS)}"
            ),
            scheduler=program(components.scheduler(programs, place)),
        )

    @property
    def keys(self) -> Path:
        return self.folder / "pki"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator, straight to the API server."""
        return self.keys / "admin.kubeconfig"

    def start(self) -> None:
        """All four run, and the API server is ready."""
        self.etcd.start()
        self.apiserver.start()
        until("the API server is ready", self.ready, within_seconds=READY_SECONDS, shows=self.apiserver.last_words)
        self.controllers.start()
        self.scheduler.start()

    def restart(self, program: Program, *, meanwhile: Callable[[], None]) -> None:
        """etcd or the API server dies without a warning; returns once the API server is ready again."""
        program.kill()
        try:
            meanwhile()
        finally:
            program.start()
        until("the API server is ready", self.ready, within_seconds=READY_SECONDS, shows=program.last_words)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Inside `with` etcd refuses to write, as when its quota is used up: it still reads and deletes."""
        self._alarm("ACTIVATE")
        try:
            yield
        finally:
            self._alarm("DEACTIVATE")

    def _alarm(self, action: str) -> None:
        url, alarm = f"{self.etcd_url}/v3/maintenance/alarm", {"action": action, "alarm": "NOSPACE"}
        member = httpx.post(f"{self.etcd_url}/v3/maintenance/status", json={}, trust_env=False).raise_for_status()
        alarm["memberID"] = member.json()["header"]["member_id"]
        httpx.post(url, json=alarm, trust_env=False).raise_for_status()

    def ready(self) -> bool:
        """Whether the API server says so."""
        assert self.apiserver.alive, f"the API server ended:\n{self.apiserver.last_words()}"
        context = ssl.create_default_context(cafile=str(self.keys / "ca.crt"))
        try:
            with httpx.Client(verify=context, timeout=2.0, trust_env=False) as client:
                return client.get(f"{self.url}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def end(self) -> None:
        """None of them runs."""
        for program in (self.scheduler, self.controllers, self.apiserver, self.etcd):
            program.end()
