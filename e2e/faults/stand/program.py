"""One process of the stand: started, stopped in its tracks, killed, and told what it said."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.own_process import stop

STOP_SECONDS: Final = 5.0
# A Python with these libraries starts in 1 s on an idle machine.
START_SECONDS: Final = 90.0


@dataclass(slots=True)
class Program:
    """A program with its words; what it prints goes to a log that all of its lives share."""

    name: str
    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    grace_seconds: float = STOP_SECONDS
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it; nothing where it runs."""
        if self.alive:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.words,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                # As the embedded cluster's: Ctrl-C is for the tests, and Linux shares processors by session.
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        """Where PYTHONDONTWRITEBYTECODE is set each start of a Python would compile every module anew."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**inherited, **self.environment}

    def send(self, number: signal.Signals) -> None:
        """A signal: SIGSTOP, SIGCONT, or an end by itself."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.send_signal(number)

    def kill(self) -> None:
        """Ends it without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """Ends it in order, also where it stands still."""
        if self._process is not None and self.alive:
            self.send(signal.SIGCONT)
            stop(self._process, grace_seconds=self.grace_seconds)

    def terminate(self, *, within_seconds: float) -> int:
        """Asks it to end, as a kubelet does; its exit code, and AssertionError where it takes longer."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.terminate()
        try:
            return self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} lives {within_seconds:g} s after SIGTERM:\n{self.last_words()}"
            ) from None

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def pid(self) -> int:
        """Of its life of now; 0 where there is none."""
        return self._process.pid if self._process is not None and self.alive else 0
