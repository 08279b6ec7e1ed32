"""The operator as a process of this machine, in front of a local control plane and with the rights of the chart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import yaml

from e2e import own_process
from e2e.cluster.paths import REPOSITORY
from e2e.installed import OPERATOR
from e2e.local_control_plane import ControlPlane
from e2e.own_process import free_ports, stop
from e2e.scenarios import exposition
from e2e.scenarios.waiting import until

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0


@dataclass(slots=True)
class LocalOperator:
    """One operator, started or ended."""

    folder: Path
    port: int
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; `until_leading` waits for it."""
        with (self.folder / "operator.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "foretide"],
                cwd=REPOSITORY / "operator",
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )

    def until_leading(self) -> None:
        """Waits until it holds the Lease and has seen the whole cluster once."""

        def leads() -> bool:
            return self.metrics().get("foretide_tick_duration_seconds_count", 0.0) >= 1.0

        until("the operator leads", leads, within_seconds=START_SECONDS, shows=self.log)

    def metrics(self) -> dict[str, float]:
        """Its own series by `name` or `name{label="value",...}`; empty while it does not answer."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10.0, trust_env=False).text
        except httpx.TransportError:
            return {}
        return exposition.read(text)

    def peak_memory_mib(self) -> float:
        """The most memory that it ever had resident."""
        return own_process.peak_memory_mib(self._running())

    def cpu_seconds(self) -> float:
        """Processor time so far, of all its threads."""
        return own_process.cpu_seconds(self._running())

    def kill(self) -> None:
        """Ends it as a node that loses power does."""
        self._running().send_signal(signal.SIGKILL)
        self._running().wait()
        self.process = None

    def end(self) -> None:
        """Ends it as Kubernetes does."""
        if self.process is not None:
            stop(self.process, grace_seconds=STOP_SECONDS)
            self.process = None

    def log(self) -> str:
        """What it said."""
        return (self.folder / "operator.log").read_text(errors="replace")

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("the operator was not started, or has ended")
        return self.process


@contextmanager
def operating(plane: ControlPlane, token: str, *, server: str = "", **settings: object) -> Iterator[LocalOperator]:
    """An operator that is not started yet, and has ended at the end of `with`; settings as in `app.settings`."""
    (port,) = free_ports(1)
    folder = plane.folder / f"operator-{port}"
    folder.mkdir()
    config = folder / "kubeconfig"
    config.touch(mode=0o600)
    config.write_text(yaml.safe_dump(plane.kubeconfig(token, server=server)))
    given = {"listen_port": port, "pod_namespace": OPERATOR[0], **settings}
    environment = {f"FORETIDE_{name.upper()}": str(value) for name, value in given.items()}
    operator = LocalOperator(folder, port, {"KUBECONFIG": str(config), **environment})
    try:
        yield operator
    finally:
        operator.end()
