"""One line per step with its elapsed seconds, and a sign of life for every step that takes longer than five."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TextIO

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

QUIET_SECONDS: Final = 5.0
LINE_EVERY_SECONDS: Final = 15.0  # without a terminal: often enough for a CI log to be seen alive


@dataclass(slots=True)
class Step:
    """A step under way; `note` says how far it is."""

    title: str
    started: float
    detail: str = ""
    last_line: float = 0.0
    changed: Callable[[Step], None] = field(default=lambda step: None)

    def note(self, detail: str) -> None:
        self.detail = detail
        self.changed(self)

    def patience(self) -> float:
        """For how long it may say nothing from now on."""
        return QUIET_SECONDS if self.last_line == self.started else LINE_EVERY_SECONDS

    def label(self) -> str:
        return f"{self.title} ({self.detail})" if self.detail else self.title


class Progress:
    """Prints the steps of one command; several may run at once, from several threads."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._console = Console(file=stream or sys.stderr, quiet=quiet, highlight=False, soft_wrap=True)
        self._live = self._console.is_terminal and not quiet
        self._steps: list[Step] = []
        self._lock = threading.Lock()
        self._bars: Bars | None = None
        self._ticker: threading.Thread | None = None

    def say(self, line: str) -> None:
        """One line that is not a step."""
        self._console.print(line, markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step: one line with its seconds when it ends, whether it ends well or not."""
        step = Step(title, time.monotonic())
        step.last_line = step.started
        with self._shown(step):
            try:
                yield step
            except BaseException:
                self._line("failed", step)
                raise
            step.detail = ""
            self._line("ok", step)

    @contextmanager
    def _shown(self, step: Step) -> Iterator[None]:
        with self._lock:
            self._steps.append(step)
            if self._live:
                self._bars = self._bars or self._started_bars()
                bars = self._bars
                task = bars.add_task(step.title, total=None)
                step.changed = lambda changed: bars.update(task, description=changed.label())
            elif self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()
        try:
            yield
        finally:
            with self._lock:
                self._steps.remove(step)
                if self._bars is not None:
                    self._bars.remove_task(task)
                    if not self._steps:
                        self._bars.stop()
                        self._bars = None

    def _started_bars(self) -> Bars:
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        bars = Bars(*columns, console=self._console, transient=True)
        bars.start()
        return bars

    def _tick(self) -> None:
        while True:
            time.sleep(1.0)
            now = time.monotonic()
            with self._lock:
                if not self._steps:
                    self._ticker = None
                    return
                due = [step for step in self._steps if now - step.last_line >= step.patience()]
                for step in due:
                    step.last_line = now
            for step in due:
                self._line("...", step)

    def _line(self, mark: str, step: Step) -> None:
        seconds = time.monotonic() - step.started
        self.say(f"{mark:>6} {seconds:6.1f} s  {step.label()}")
