"""A control plane as processes of this machine: etcd, API server, controllers and scheduler, and no node.

It needs no root, runs beside the embedded cluster and beside others of its kind, and everything of it is in one folder.
Pods become Ready by kwok, which plays nodes and kubelets; the API server, what it checks and what it stores are real.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from urllib3.exceptions import HTTPError

from e2e.cluster import Cluster, ClusterError, binaries, components, pki
from e2e.cluster.artefacts import Artefacts
from e2e.cluster.components import Place
from e2e.cluster.paths import cache_folder
from e2e.cluster.processes import Daemon
from e2e.cluster.progress import Progress
from e2e.installed import OPERATOR_USER, install, kubeconfig
from e2e.own_process import free_ports, stop
from e2e.scenarios.api import Api, ApiRefused
from e2e.scenarios.waiting import until
from foretide.adapters.resources import HARDWARE_CLASS, INFERENCE_SERVICE, MODEL_PROFILE, SCALING_POLICY

START_SECONDS: Final = 180.0
STOP_SECONDS: Final = 10.0
PODS_PER_NODE: Final = 1_000


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One that answers."""

    cluster: Cluster
    server: str
    folder: Path

    def kubeconfig(self, token: str, *, server: str = "") -> dict[str, object]:
        """A kubeconfig for who has the token; `server` where there is something between the two."""
        return kubeconfig(self.folder / "pki", token, server or self.server)

    def audited(self, since: int = 0) -> list[dict[str, Any]]:
        """The requests of the audited user as the API server saw them, from the one with this number on."""
        log = self.folder / "audit.log"
        lines = log.read_text().splitlines()[since:] if log.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]


@contextmanager
def running(
    folder: Path,
    *,
    controllers: bool = True,
    nodes: int = 0,
    audited_user: str = OPERATOR_USER,
    progress: Progress | None = None,
) -> Iterator[ControlPlane]:
    """A control plane with Foretide's kinds and the chart's rights in it, until the end of `with`; its folder stays.

    With nodes, pods are scheduled to them, and each is Ready a moment later. Without controllers nothing happens that
    the test does not do: no Deployment gets a status, and nothing is collected.
    """
    shown = progress or Progress(quiet=True)
    cache = cache_folder()
    artefacts = Artefacts(cache / "artefacts")
    programs = binaries.build(binaries.find_go(cache), artefacts, cache, shown)
    place = Place(folder / "pki", folder, "127.0.0.1", *free_ports(5))
    server = f"https://127.0.0.1:{place.api_port}"
    pki.ensure(place.keys, server)
    (folder / "audit.yaml").write_text(yaml.safe_dump(_audit_policy(audited_user)))
    cluster = Cluster(place.keys / "admin.kubeconfig", programs)
    with ExitStack() as stack:
        start = _Starting(stack, folder)
        start(components.etcd(programs, place))
        audit = ["--audit-log-mode=batch", f"--audit-log-path={folder}/audit.log"]
        start(components.apiserver(programs, place), *audit, f"--audit-policy-file={folder}/audit.yaml")
        start.wait_for("kube-apiserver", lambda: _is_ready(cluster))
        if controllers:
            # As released each controller may ask 20 times a second: it would take 300 Deployments two minutes to have a
            # pod each, whoever made them.
            start(components.controller_manager(programs, place), "--kube-api-qps=200", "--kube-api-burst=400")
        api = Api(cluster)
        stack.callback(api.close)
        install(cluster)
        until("Foretide's kinds are served", lambda: _serves_kinds(api), within_seconds=START_SECONDS)
        if nodes:
            start(components.scheduler(programs, place))
            kwok = binaries.build_kwok(binaries.find_go(cache), artefacts, cache, shown)
            words = (f"--config={kwok}/stages.yaml", f"--kubeconfig={cluster.kubeconfig}", "--manage-all-nodes=true")
            start(Daemon("kwok", (f"{kwok}/kwok", *words)))
            cluster.apply(*map(_node, range(nodes)))
        yield ControlPlane(cluster, server, folder)


def _audit_policy(user: str) -> dict[str, object]:
    """Of every request of the user who, what and the answer; of the others nothing."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata", "users": [user]}, {"level": "None"}],
    }


@dataclass(slots=True)
class _Starting:
    """Starts the programs, and ends each at the end of the stack."""

    stack: ExitStack
    folder: Path

    def __call__(self, daemon: Daemon, *more: str) -> None:
        log = self.stack.enter_context(self._log(daemon.name).open("wb"))
        process = subprocess.Popen([*daemon.argv, *more], stdout=log, stderr=log, env=_environment())
        self.stack.callback(stop, process, grace_seconds=STOP_SECONDS)

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        ends = time.monotonic() + START_SECONDS
        while not ready():
            if time.monotonic() > ends:
                lines = self._log(name).read_text(errors="replace").splitlines()
                raise ClusterError(f"{name} is not ready: {lines[-1:]} (log: {self._log(name)})")
            time.sleep(0.1)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _environment() -> Mapping[str, str]:
    """Without proxies: all of it talks on loopback."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def _is_ready(cluster: Cluster) -> bool:
    api = Api(cluster)
    try:
        return api.text("/readyz") == "ok"
    except (ApiRefused, HTTPError):
        return False
    finally:
        api.close()


def _serves_kinds(api: Api) -> bool:
    """A kind that was just made is Established before its storage is ready: 429, storage is (re)initializing."""
    try:
        for resource in (INFERENCE_SERVICE, HARDWARE_CLASS, SCALING_POLICY, MODEL_PROFILE):
            api.select(resource)
    except ApiRefused as refusal:
        if refusal.status in (404, 429):
            return False
        raise
    return True


def _node(number: int) -> dict[str, object]:
    allocatable = {"cpu": "100000", "memory": "1000Ti", "pods": str(PODS_PER_NODE), "nvidia.com/gpu": "100000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"kwok-{number}", "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": allocatable, "capacity": allocatable},
    }
