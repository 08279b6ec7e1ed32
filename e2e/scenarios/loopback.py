"""A Prometheus on this machine alone, over series that a test makes: no cluster, no scrapes."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from e2e.cluster import Cluster
from e2e.own_process import free_ports, stop
from e2e.scenarios.waiting import until

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0


def program(cluster: Cluster, name: str) -> str:
    """A program of Prometheus: built with the embedded cluster, with another cluster it must be on PATH."""
    found = shutil.which(name, path=str(cluster.bin)) or shutil.which(name)
    if found is None:
        pytest.fail(f"There is no `{name}` on PATH: it comes with Prometheus, https://prometheus.io/download.")
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a series at a time (Unix time)."""

    name: str
    labels: Mapping[str, str]
    value: float
    at_seconds: float

    def line(self) -> str:
        """In OpenMetrics."""
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in self.labels.items())
        return f"{self.name}{{{labels}}} {self.value!r} {self.at_seconds:.3f}\n"


@dataclass(frozen=True, slots=True)
class Loopback:
    """Its query API."""

    url: str

    def ask(self, path: str, **query: str) -> Any:
        """The `data` of an answer."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=20.0)
        assert answer.status_code == 200, f"{query}: {answer.text}"
        return answer.json()["data"]

    def values(self, promql: str, *, start: float, end: float, step: float) -> list[float]:
        """All values of all series, in a range."""
        found = self.ask("query_range", query=promql, start=f"{start}", end=f"{end}", step=f"{step}")
        return [float(value) for one in found["result"] for _, value in one["values"]]


@contextmanager
def running(cluster: Cluster, folder: Path, samples: Iterable[Sample], rules: Sequence[Path]) -> Iterator[Loopback]:
    """Prometheus with these samples and rules, inside `with`."""
    written = folder / "series.om"
    with written.open("w", encoding="utf-8") as file:
        file.writelines(sample.line() for sample in samples)
        file.write("# EOF\n")
    data = folder / "data"
    blocks = [program(cluster, "promtool"), "tsdb", "create-blocks-from", "openmetrics", str(written), str(data)]
    subprocess.run(blocks, check=True, capture_output=True, timeout=120)
    config = {"global": {"evaluation_interval": "2s"}, "rule_files": [str(path) for path in rules]}
    (folder / "prometheus.json").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    (port,) = free_ports(1)
    words = [
        program(cluster, "prometheus"),
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={data}",
    ]
    words += ["--storage.tsdb.retention.time=1y", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
    try:
        started = Loopback(f"http://127.0.0.1:{port}")
        until("Prometheus is ready", lambda: _ready(started.url, process), within_seconds=READY_SECONDS)
        yield started
    finally:
        stop(process, grace_seconds=STOP_SECONDS)


def _ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "Prometheus ended"
    try:
        return httpx.get(f"{url}/-/ready", timeout=2.0).status_code == 200
    except httpx.TransportError:
        time.sleep(0.1)
        return False
