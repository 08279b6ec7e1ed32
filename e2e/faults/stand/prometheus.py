"""The Prometheus of the stand: it scrapes the fleet each second, and may begin with a past."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from e2e.faults.stand.program import Program
from e2e.own_process import free_ports
from e2e.scenarios.loopback import Sample
from e2e.scenarios.waiting import until

SCRAPE_SECONDS: Final = 1
READY_SECONDS: Final = 120.0


@dataclass(slots=True)
class Prometheus:
    """One server, whose data outlive it."""

    program: Program
    programs: Path
    url: str

    @classmethod
    def of(cls, programs: Path, folder: Path, *, targets: str) -> Prometheus:
        """Not yet started."""
        (port,) = free_ports(1)
        job = {
            "job_name": "triton",
            "honor_labels": True,
            "http_sd_configs": [{"url": targets, "refresh_interval": "1s"}],
        }
        config = {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"},
            "scrape_configs": [job],
        }
        (folder / "prometheus.json").write_text(json.dumps(config))  # JSON is YAML
        words = [
            f"{programs}/prometheus",
            f"--config.file={folder}/prometheus.json",
            f"--storage.tsdb.path={folder}/prometheus",
            "--storage.tsdb.retention.time=1y",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        return cls(Program("prometheus", words, folder), programs, f"http://127.0.0.1:{port}")

    def start(self) -> None:
        """Returns once it answers."""
        self.program.start()
        until("Prometheus is ready", self.ready, within_seconds=READY_SECONDS, shows=self.program.last_words)

    def ready(self) -> bool:
        """Whether it says so."""
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2.0, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Nobody listens on its port."""
        self.program.kill()

    def hang(self) -> None:
        """Connections are taken, and nothing is answered."""
        self.program.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `hang`."""
        self.program.send(signal.SIGCONT)

    def fill(self, samples: Iterable[Sample], folder: Path) -> None:
        """Gives it a past, as blocks that promtool makes; it is restarted."""
        written = folder / "past.om"
        with written.open("w", encoding="utf-8") as file:
            file.writelines(sample.line() for sample in samples)
            file.write("# EOF\n")
        self.program.end()
        words = [f"{self.programs}/promtool", "tsdb", "create-blocks-from", "openmetrics", str(written)]
        done = subprocess.run(
            [*words, f"{self.program.folder}/prometheus"], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"promtool: {done.stderr}"
        self.start()

    def ask(self, promql: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=5.0, trust_env=False)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found
