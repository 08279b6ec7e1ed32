"""etcd, API server, controller manager and scheduler on free ports of loopback, beside any other cluster."""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import yaml

from e2e.cluster import pki
from e2e.faults.stand import audit
from e2e.faults.stand.program import Program
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

    @classmethod
    def of(cls, programs: Path, folder: Path) -> ControlPlane:
        """Not yet started."""
        keys = folder / "pki"
        pki.ensure(keys)
        (folder / "audit.yaml").write_text(json.dumps(audit.POLICY))  # JSON is YAML
        client_port, peer_port, api_port, manager_port, scheduler_port = free_ports(5)
        etcd, url = f"http://127.0.0.1:{client_port}", f"https://127.0.0.1:{api_port}"
        peer = f"http://127.0.0.1:{peer_port}"
        plane = cls(
            folder=folder,
            url=url,
            etcd=Program(
                "etcd",
                (
                    f"{programs}/etcd",
                    f"--data-dir={folder}/etcd",
                    "--unsafe-no-fsync",
                    f"--listen-client-urls={etcd}",
                    f"--advertise-client-urls={etcd}",
                    f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}",
                    f"--initial-cluster=default={peer}",
                    "--log-level=warn",
                ),
                folder,
            ),
            apiserver=Program(
                "kube-apiserver",
                (
                    f"{programs}/kube-apiserver",
                    f"--etcd-servers={etcd}",
                    "--bind-address=127.0.0.1",
                    "--advertise-address=198.18.255.2",  # must be none of loopback; nobody connects to it
                    "--endpoint-reconciler-type=none",
                    f"--secure-port={api_port}",
                    f"--tls-cert-file={keys}/apiserver.crt",
                    f"--tls-private-key-file={keys}/apiserver.key",
                    f"--client-ca-file={keys}/ca.crt",
                    f"--service-account-key-file={keys}/service-account.pub",
                    f"--service-account-signing-key-file={keys}/service-account.key",
                    "--service-account-issuer=https://kubernetes.default.svc",
                    "--service-cluster-ip-range=198.19.0.0/16",
                    "--authorization-mode=RBAC",
                    # as in the embedded cluster: an operator without `finalizers` rights fails here
                    "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
                    f"--audit-policy-file={folder}/audit.yaml",
                    f"--audit-log-path={folder}/audit.log",
                    "--audit-log-maxsize=10000",  # one file
                    "--audit-log-mode=blocking",  # what a test has seen done is in the log
                ),
                folder,
                grace_seconds=0.5,  # it keeps watches open for a minute after SIGTERM
            ),
            controllers=Program(
                "kube-controller-manager",
                (
                    f"{programs}/kube-controller-manager",
                    f"--kubeconfig={folder}/controller-manager.kubeconfig",
                    "--bind-address=127.0.0.1",
                    f"--secure-port={manager_port}",
                    f"--service-account-private-key-file={keys}/service-account.key",
                    f"--root-ca-file={keys}/ca.crt",
                    "--leader-elect=false",
                    "--use-service-account-credentials=true",
                    f"--controllers={','.join(CONTROLLERS)}",
                ),
                folder,
            ),
            scheduler=Program(
                "kube-scheduler",
                (
                    f"{programs}/kube-scheduler",
                    f"--kubeconfig={folder}/scheduler.kubeconfig",
                    "--bind-address=127.0.0.1",
                    f"--secure-port={scheduler_port}",
                    "--leader-elect=false",
                ),
                folder,
            ),
        )
        for name in ("admin", "controller-manager", "scheduler"):
            config = pki.kubeconfig(keys, name, url)
            (folder / f"{name}.kubeconfig").write_text(yaml.safe_dump(config))
        return plane

    @property
    def keys(self) -> Path:
        return self.folder / "pki"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator, straight to the API server."""
        return self.folder / "admin.kubeconfig"

    def start(self) -> None:
        """All four run, and the API server is ready."""
        self.etcd.start()
        self.apiserver.start()
        until("the API server is ready", self.ready, within_seconds=READY_SECONDS, shows=self.apiserver.last_words)
        self.controllers.start()
        self.scheduler.start()

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

    def kubeconfig_of(self, token: str, url: str, file: Path) -> Path:
        """Writes a kubeconfig for who has this token, by way of `url`."""
        authority = base64.b64encode((self.keys / "ca.crt").read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stand", "cluster": {"server": url, "certificate-authority-data": authority}}],
            "users": [{"name": "operator", "user": {"token": token}}],
            "contexts": [{"name": "stand", "context": {"cluster": "stand", "user": "operator"}}],
            "current-context": "stand",
        }
        file.write_text(yaml.safe_dump(config))
        return file
