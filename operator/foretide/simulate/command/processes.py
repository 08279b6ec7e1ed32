"""Runs tasks in several processes, with one report of how far all of them are."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final, Protocol, TypeAlias

from foretide.simulate.command.results import Run

# A fresh interpreter each: what numpy and numba hold in a process does not survive a fork everywhere.
START_METHOD: Final = "spawn"
LOST: Final = "a process of the simulation was killed, as happens when memory is short; use fewer --workers"


class WorkerLost(RuntimeError):
    """A process ended without its result."""


@dataclass(frozen=True, slots=True)
class Share:
    """The task is that far."""

    share: float


@dataclass(frozen=True, slots=True)
class Done:
    """The runs of the task."""

    runs: list[Run]


@dataclass(frozen=True, slots=True)
class Failed:
    """The task raised."""

    text: str


class Work(Protocol):
    """What can be done in another process."""

    @property
    def weight(self) -> float:
        """About how long it takes, in any unit."""

    def perform(self, progress: Callable[[float], None]) -> list[Run]:
        """The runs; `progress` gets the share that is done."""


Message: TypeAlias = Share | Done | Failed
Tell: TypeAlias = Callable[[int, float], None]
Keep: TypeAlias = Callable[[int, list[Run]], None]
Performed: TypeAlias = dict[int, list[Run]]


@dataclass(slots=True)
class _Worker:
    """A process and the task that it has."""

    process: BaseProcess
    line: Connection
    task: int

    def take(self, task: int, tasks: Sequence[Work]) -> None:
        self.task = task
        try:
            self.line.send(tasks[task])
        except OSError:
            raise WorkerLost(LOST) from None

    def received(self) -> Message:
        try:
            message: Message = self.line.recv()
        except (EOFError, OSError):
            raise WorkerLost(LOST) from None
        return message

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.line.close()


def perform_all(
    tasks: Sequence[Work],
    *,
    workers: int,
    report: Callable[[float], None],
    keep: Keep = lambda task, runs: None,
) -> list[Run]:
    """The runs of all tasks in their order; `report` gets the share that is done, `keep` each task when it is done."""
    weights = [task.weight for task in tasks]
    shares = [0.0] * len(tasks)

    def tell(task: int, share: float) -> None:
        shares[task] = share
        report(sum(weight * done for weight, done in zip(weights, shares, strict=True)) / sum(weights))

    # The longest first, so that none is left alone at the end.
    order = sorted(range(len(tasks)), key=lambda at: -weights[at])
    spread = _spread if min(workers, len(tasks)) > 1 else _one_by_one
    performed = spread(tasks, order, workers, tell, keep)
    return [run for at in range(len(tasks)) for run in performed[at]]


def _one_by_one(tasks: Sequence[Work], order: Sequence[int], workers: int, tell: Tell, keep: Keep) -> Performed:
    performed = {}
    for at in order:
        performed[at] = tasks[at].perform(partial(tell, at))
        keep(at, performed[at])
    return performed


def _spread(tasks: Sequence[Work], order: Sequence[int], workers: int, tell: Tell, keep: Keep) -> Performed:
    left = list(reversed(order))
    performed: Performed = {}
    with ExitStack() as started:
        busy: dict[Connection, _Worker] = {}
        while left and len(busy) < workers:
            worker = _started(tasks, left.pop())
            started.callback(worker.end)
            busy[worker.line] = worker
        while busy:
            for line in wait(list(busy)):
                worker = busy[line]  # type: ignore[index]
                match worker.received():
                    case Share(share):
                        tell(worker.task, share)
                    case Failed(text):
                        raise RuntimeError(text)
                    case Done(runs):
                        performed[worker.task] = runs
                        keep(worker.task, runs)
                        tell(worker.task, 1.0)
                        if left:
                            worker.take(left.pop(), tasks)
                        else:
                            del busy[worker.line]
    return performed


def _started(tasks: Sequence[Work], first: int) -> _Worker:
    context = multiprocessing.get_context(START_METHOD)
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    worker = _Worker(process=process, line=ours, task=first)
    worker.take(first, tasks)
    return worker


def _work(line: Connection) -> None:
    """One process: performs what it is sent until the other end is closed."""
    # Ctrl-C goes to all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            task: Work = line.recv()
        except EOFError:
            return
        try:
            message: Message = Done(task.perform(lambda share: line.send(Share(share))))
        except Exception:  # whatever it was, the first process tells it
            message = Failed(traceback.format_exc())
        line.send(message)
