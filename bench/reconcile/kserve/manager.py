"""KServe's controller as a process of this machine, in front of a control plane and with the rights of its release."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import yaml

from bench.reconcile.burst import quantile
from bench.reconcile.kserve.programs import NAMESPACE
from e2e import own_process
from e2e.local_control_plane import ControlPlane
from e2e.own_process import free_ports, stop
from e2e.scenarios import exposition
from e2e.scenarios.waiting import until

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
# What controller-runtime calls the controller of InferenceServices; the manager has others, which have nothing to do.
CONTROLLER: Final = 'controller="inferenceservice"'


@dataclass(frozen=True, slots=True)
class Told:
    """What the manager says of its work at /metrics."""

    series: Mapping[str, float]

    @property
    def workers(self) -> int:
        """How many services it reconciles at once."""
        return int(self.series[f"controller_runtime_max_concurrent_reconciles{{{CONTROLLER}}}"])

    @property
    def errors(self) -> int:
        """Reconciliations that failed and were tried again."""
        return int(self.series.get(f"controller_runtime_reconcile_errors_total{{{CONTROLLER}}}", 0.0))

    @property
    def reconciles(self) -> float:
        """Reconciliations so far, however they ended."""
        return sum(
            n for name, n in self.series.items() if name.startswith(f"controller_runtime_reconcile_total{{{CONTROLLER}")
        )

    @property
    def busy(self) -> bool:
        """Whether it is at work, or has work waiting."""
        waiting = (n for name, n in self.series.items() if name.startswith(f"workqueue_depth{{{CONTROLLER}"))
        return sum(waiting) + self.series.get(f"controller_runtime_active_workers{{{CONTROLLER}}}", 0.0) > 0.0

    def quantile(self, share: float) -> float:
        """Of the seconds that a reconciliation takes."""
        return quantile(self.series, f'controller_runtime_reconcile_time_seconds_bucket{{{CONTROLLER},le="', share)


@dataclass(frozen=True, slots=True)
class Manager:
    """One that runs."""

    process: subprocess.Popen[bytes]
    metrics_port: int
    probe_port: int
    log: Path

    def ready(self) -> bool:
        """Whether its webhook server answers, and its controllers have begun."""
        try:
            healthy = self._get(self.probe_port, "readyz").is_success
            return healthy and self.told().workers > 0
        except (httpx.TransportError, KeyError):
            return False

    def told(self) -> Told:
        """Its series now."""
        return Told(exposition.read(self._get(self.metrics_port, "metrics").text))

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        return own_process.cpu_seconds(self.process)

    def peak_memory_mib(self) -> float:
        """The most memory that it ever had resident."""
        return own_process.peak_memory_mib(self.process)

    def last_words(self) -> list[str]:
        """The end of its log."""
        return self.log.read_text(errors="replace").splitlines()[-5:]

    @staticmethod
    def _get(port: int, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port}/{path}", timeout=10.0, trust_env=False)


@contextmanager
def managing(plane: ControlPlane, program: Path, token: str) -> Iterator[Manager]:
    """A manager that is ready, and has ended at the end of `with`."""
    folder = plane.folder / "kserve"
    config = folder / "kubeconfig"
    # Where controller-runtime looks for the certificate of its webhooks: below the temporary folder.
    certificates = folder / "k8s-webhook-server" / "serving-certs"
    certificates.mkdir(parents=True)
    for ours, theirs in (("apiserver.crt", "tls.crt"), ("apiserver.key", "tls.key")):
        shutil.copy(plane.folder / "pki" / ours, certificates / theirs)
    config.touch(mode=0o600)
    config.write_text(yaml.safe_dump(plane.kubeconfig(token)))
    metrics_port, probe_port, webhook_port = free_ports(3)
    words = [
        str(program),
        f"--metrics-addr=127.0.0.1:{metrics_port}",
        f"--health-probe-addr=127.0.0.1:{probe_port}",
        f"--webhook-port={webhook_port}",
    ]
    environment = {"KUBECONFIG": str(config), "POD_NAMESPACE": NAMESPACE, "TMPDIR": str(folder)}
    log = folder / "manager.log"
    with log.open("wb") as written:
        process = subprocess.Popen(words, env=environment, stdout=written, stderr=written)
    manager = Manager(process, metrics_port, probe_port, log)
    try:
        until("KServe's controller is ready", manager.ready, within_seconds=START_SECONDS, shows=manager.last_words)
        yield manager
    finally:
        stop(process, grace_seconds=STOP_SECONDS)
