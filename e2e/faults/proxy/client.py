"""The proxy from outside: started before the operator, told what to hurt, asked what it saw."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from e2e.faults.proxy.rules import Fault, Rule
from e2e.faults.stand.program import START_SECONDS, Program
from e2e.own_process import free_ports
from e2e.scenarios.waiting import until

KUBERNETES: Final = "kubernetes"
PROMETHEUS: Final = "prometheus"
# What a tick asks for; the past is `query_range`.
INSTANT: Final = r"/api/v1/query(\?.*)?"


@dataclass(slots=True)
class Proxy:
    """Rules for two servers; `kubernetes` and `prometheus` are the URLs that the operator is given."""

    program: Program
    kubernetes: str
    prometheus: str
    control: str

    @classmethod
    def before(cls, *, kubernetes: str, prometheus: str, keys: Path, folder: Path) -> Proxy:
        """Not yet started."""
        ports = dict(zip(("kubernetes-port", "prometheus-port", "control-port"), free_ports(3), strict=True))
        words = [sys.executable, "-m", "e2e.faults.proxy.server", *(f"--{name}={port}" for name, port in ports.items())]
        words += [f"--kubernetes={kubernetes}", f"--prometheus={prometheus}", f"--keys={keys}"]
        return cls(
            program=Program("proxy", words, folder),
            kubernetes=f"https://127.0.0.1:{ports['kubernetes-port']}",
            prometheus=f"http://127.0.0.1:{ports['prometheus-port']}",
            control=f"http://127.0.0.1:{ports['control-port']}",
        )

    def start(self) -> None:
        """Returns once it takes rules."""
        self.program.start()
        until("the proxy answers", self._answers, within_seconds=START_SECONDS, shows=self.program.last_words)

    @contextmanager
    def hurting(self, server: str, fault: Fault, **how: Any) -> Iterator[None]:
        """The fault inside `with`; no fault at all afterwards."""
        self.hurt(server, fault, **how)
        try:
            yield
        finally:
            self.heal()

    def hurt(self, server: str, fault: Fault, **how: Any) -> None:
        """One rule more, after those there are."""
        rule = Rule(fault=fault, **how)
        httpx.post(f"{self.control}/{server}", json=rule.to_json(), trust_env=False).raise_for_status()

    def heal(self) -> None:
        """No rule any more."""
        httpx.delete(f"{self.control}/", trust_env=False).raise_for_status()

    def hurt_so_far(self, server: str) -> int:
        """How many requests were hurt by the rules that there are."""
        return sum(rule["hurt"] for rule in self._counts(server)["rules"])

    def requests(self, server: str) -> int:
        """Requests since its start."""
        return int(self._counts(server)["requests"])

    def _counts(self, server: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.control}/{server}", trust_env=False).json()
        return found

    def _answers(self) -> bool:
        assert self.program.alive, f"the proxy ended:\n{self.program.last_words()}"
        try:
            return httpx.get(f"{self.control}/{PROMETHEUS}", trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
