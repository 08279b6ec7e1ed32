"""The fleet from outside: how a service's pods behave, and what load there truly was when."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx

from e2e.cluster.commands import run
from e2e.cluster.errors import CommandFailed
from e2e.faults.fleet.behaviour import Behaviour
from e2e.faults.stand.program import START_SECONDS, Program
from e2e.own_process import free_ports
from e2e.scenarios.waiting import until

# Networks of pods, one for each stand of this machine at a time; those of an aborted one stay taken.
NETWORKS: Final = tuple(f"198.18.{third}" for third in range(64, 128))


@dataclass(slots=True)
class Fleet:
    """The pods of the stand."""

    program: Program
    url: str
    network: str  # the first three numbers of its pods' addresses
    # Service -> (Unix time, behaviour) from then on.
    truth: dict[tuple[str, str], list[tuple[float, Behaviour]]] = field(default_factory=dict)

    @classmethod
    def of(cls, *, kubernetes: str, keys: Path, folder: Path) -> Fleet:
        """Not yet started."""
        (port,), network = free_ports(1), _taken()
        words = [sys.executable, "-m", "e2e.faults.fleet.server", f"--port={port}", f"--kubernetes={kubernetes}"]
        program = Program("fleet", [*words, f"--keys={keys}", f"--network={network}"], folder)
        return cls(program, f"http://127.0.0.1:{port}", network)

    @property
    def targets(self) -> str:
        """Where Prometheus finds the pods."""
        return f"{self.url}/targets"

    def start(self) -> None:
        """Returns once it answers."""
        self.program.start()
        until("the fleet answers", self._answers, within_seconds=START_SECONDS, shows=self.program.last_words)

    def end(self) -> None:
        """No pod and no address is left."""
        self.program.end()
        run(["ip", "route", "delete", *_route(self.network)])

    def behave(self, namespace: str, name: str, behaviour: Behaviour) -> None:
        """From now on."""
        self.truth.setdefault((namespace, name), []).append((time.time(), behaviour))
        url = f"{self.url}/services/{namespace}/{name}"
        httpx.put(url, json=behaviour.to_json(), trust_env=False).raise_for_status()

    def change(self, namespace: str, name: str, **changes: Any) -> None:
        """The behaviour of now, but for this."""
        self.behave(namespace, name, replace(self.behaviour(namespace, name), **changes))

    def behaviour(self, namespace: str, name: str) -> Behaviour:
        """That of now."""
        told = self.truth.get((namespace, name))
        return told[-1][1] if told else Behaviour()

    def restart(self, namespace: str, name: str) -> None:
        """Every Triton of the service ends and is started again in its pod."""
        url = f"{self.url}/services/{namespace}/{name}/restart"
        httpx.post(url, trust_env=False).raise_for_status()

    def _answers(self) -> bool:
        assert self.program.alive, f"the fleet ended:\n{self.program.last_words()}"
        try:
            return httpx.get(f"{self.url}/pods", trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def _taken() -> str:
    """A network that nobody else has: two stands ask for routes at the same time, and one of them gets it."""
    for network in NETWORKS:
        try:
            run(["ip", "route", "add", *_route(network)])
        except CommandFailed:
            continue
        return network
    raise AssertionError(
        f"no network of {NETWORKS[0]}.0/24 to {NETWORKS[-1]}.0/24 is free; see `ip route show table local`"
    )


def _route(network: str) -> tuple[str, ...]:
    """Every address of it is one of this machine: pods have addresses without a device."""
    return ("local", f"{network}.0/24", "dev", "lo")
