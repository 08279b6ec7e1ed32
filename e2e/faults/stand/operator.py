"""The operator under test as a process: with the rights of the chart, by way of the proxy, and a clock that may lie."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from e2e.cluster.paths import REPOSITORY
from e2e.faults.stand.program import Program
from e2e.faults.stand.prometheus import SCRAPE_SECONDS
from e2e.own_process import free_ports
from e2e.scenarios import exposition
from e2e.scenarios.operator import RETRIED
from e2e.scenarios.waiting import until
from foretide.scaling.settings import ScalingSettings

# As in production, only sooner, for Prometheus scrapes every second. With ticks of a second the operator
# would take a fifth of a processor, and on a busy machine more than its share.
TICK_SECONDS: Final = 1.5
HOLD_SECONDS: Final = 6.0
SCALING: Final = ScalingSettings(
    tick_seconds=TICK_SECONDS, scale_down_hold_seconds=HOLD_SECONDS, scrape_interval_seconds=SCRAPE_SECONDS
)
ENVIRONMENT: Final = {
    "FORETIDE_TICK_SECONDS": f"{TICK_SECONDS:g}",
    "FORETIDE_SCRAPE_INTERVAL_SECONDS": str(SCRAPE_SECONDS),
    "FORETIDE_SCALE_DOWN_HOLD_SECONDS": f"{HOLD_SECONDS:g}",
}
TICKS: Final = "foretide_tick_duration_seconds_count"
LEADS: Final = "foretide_leader"
# A killed leader cannot give its Lease back: its successor waits for the 15 s of the Lease.
LEADS_WITHIN_SECONDS: Final = 90.0
KEEP_SECONDS: Final = 1.0
# uvloop ends TLS on a connection that the other side has cut (MagicStack/uvloop#506): seen once in three hours, at the
# exit of an operator that had stood still for 20 s.
CUT_OFF: Final = "the handler is closed"
FAKETIME: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@dataclass(slots=True)
class Operator:
    """One operator; its log goes on through its lives."""

    program: Program
    url: str
    clock: Path  # what libfaketime reads at each look at the clock
    # Words of errors that a test has earned; a machine that stands still costs the Lease, and kopf asks again.
    expected: list[str] = field(default_factory=lambda: ["exiting to be restarted", RETRIED, CUT_OFF])
    _wanted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, folder: Path, *, kubeconfig: Path, prometheus: str, name: str = "operator") -> Operator:
        """Not yet started."""
        (port,) = free_ports(1)
        clock = folder / f"{name}.clock"
        clock.write_text("+0")
        environment = {
            **ENVIRONMENT,
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": f"{REPOSITORY}/operator",
            "FORETIDE_PROMETHEUS_URL": prometheus,
            "FORETIDE_LISTEN_PORT": str(port),
            "FORETIDE_POD_NAME": name,
        }
        program = Program(name, [sys.executable, "-m", "foretide"], folder, environment, grace_seconds=15.0)
        return cls(program, f"http://127.0.0.1:{port}", clock)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Inside `with` it is started again when it ends by itself, as a kubelet does: a machine that stands still for
        some seconds costs it the Lease, and then its process."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(KEEP_SECONDS):
                with self._lock:
                    if self._wanted:
                        self.program.start()

        keeper = threading.Thread(target=keep, name="keeper", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()

    def start(self, *, lying_clock: bool = False) -> None:
        """Returns once it leads; `lying_clock`: `move_clock` works."""
        environment = dict(self.program.environment)
        if lying_clock:
            environment |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        else:
            environment.pop("LD_PRELOAD", None)
        with self._lock:
            self._wanted = True
            self.program.environment = environment
            self.program.start()
        self.until_leading()

    def kill(self) -> None:
        """Ends it without a warning, for longer than a moment."""
        with self._lock:
            self._wanted = False
            self.program.kill()

    def terminate(self, *, within_seconds: float) -> int:
        """SIGTERM, and nothing to hurry it; its exit code. It stays away until `start`."""
        with self._lock:
            self._wanted = False
            return self.program.terminate(within_seconds=within_seconds)

    def end(self) -> None:
        """Ends it in order."""
        with self._lock:
            self._wanted = False
            self.program.end()

    def restart(self, *, lying_clock: bool = False) -> None:
        """In order: it gives its Lease back."""
        self.end()
        self.start(lying_clock=lying_clock)

    @contextmanager
    def as_module(self, module: str, *arguments: str, leads: bool = True) -> Iterator[None]:
        """Another entry point inside `with`, which may not come as far as to lead; the usual one afterwards."""
        usual = self.program.words
        self.end()
        self.program.words = [sys.executable, "-m", module, *arguments]
        try:
            with self._lock:
                self._wanted = leads
                self.program.start()
            if leads:
                self.until_leading()
            yield
        finally:
            self.end()
            self.program.words = usual
            self.start()

    @contextmanager
    def with_settings(self, **settings: str) -> Iterator[None]:
        """Other environment variables inside `with`, the usual ones afterwards; both by a restart."""
        usual = self.program.environment
        self.end()
        self.program.environment = {**usual, **settings}
        try:
            self.start()
            yield
        finally:
            self.end()
            self.program.environment = usual
            self.start()

    def crash(self) -> None:
        """Killed without a warning, and started again; returns once it leads."""
        self.kill()
        self.start()

    def stand_still(self) -> None:
        """Not one instruction more, for now."""
        self.program.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `stand_still`."""
        self.program.send(signal.SIGCONT)

    def move_clock(self, seconds: float) -> None:
        """Its wall clock is so much ahead of that of the machine."""
        unfinished = self.clock.with_suffix(".unfinished")
        unfinished.write_text(f"{seconds:+.0f}")
        unfinished.rename(self.clock)

    def until_leading(self) -> None:
        """Waits until it leads and has done a tick."""

        def probe() -> bool:
            told = self.metrics()
            return told.get(LEADS) == 1 and told.get(TICKS, 0) > 0

        until(
            "the operator leads",
            probe,
            within_seconds=LEADS_WITHIN_SECONDS,
            shows=self.program.last_words,
        )

    def until_ticks(self, count: int) -> None:
        """Waits until it had so many chances to act."""
        before = self.metrics().get(TICKS, 0.0)
        self.until_metric(TICKS, lambda now: now >= before + count, within_seconds=60)

    def until_metric(self, name: str, holds: Callable[[float], bool], *, within_seconds: float) -> float:
        """Waits until one of its series satisfies a condition."""

        def probe() -> float | None:
            value = self.metrics().get(name)
            return value if value is not None and holds(value) else None

        return until(name, probe, within_seconds=within_seconds, shows=self.metrics)

    def metrics(self) -> dict[str, float]:
        """Its own series; empty while it does not answer."""
        try:
            text = httpx.get(f"{self.url}/metrics", timeout=5.0, trust_env=False).text
        except httpx.TransportError:
            return {}
        return exposition.read(text)

    @property
    def memory_mib(self) -> float:
        """What it holds of the machine's memory."""
        assert self.program.pid
        pages = int(Path(f"/proc/{self.program.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def said(self) -> int:
        """How much it has logged, in bytes."""
        return self.program.log.stat().st_size

    def lines(self, *, since: int = 0, of: str = "") -> list[str]:
        """What it logged after so many bytes, where these words are in it."""
        with self.program.log.open("rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace").splitlines()
        return [line for line in lines if of in line]

    def faults(self, *, since: int = 0) -> list[str]:
        """Lines that tell of a fault of the operator itself, after so many bytes of its log."""
        lines = self.lines(since=since)
        return [line for line in lines if _is_fault(line) and not any(each in line for each in self.expected)]


def _is_fault(line: str) -> bool:
    """Whether a line is no good news; what is no JSON is of Python itself."""
    try:
        return json.loads(line)["levelname"] in ("ERROR", "CRITICAL")
    except ValueError:
        return bool(line.strip())
