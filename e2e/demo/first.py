"""The first answers of a new service, one file of each kind, each compared with the model run directly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from e2e.demo.model import REPOSITORY, Samples
from e2e.load import Outcome, Plan, Target, run
from e2e.load.result import Check

FILES = 24
RATE_RPS = 5.0  # gentle: they come before the load, and the autoscaler sees them
SHOWN = 6
DEADLINE_SECONDS = 30.0  # kube-proxy takes up to a second to know a new pod
TIMEOUT_SECONDS = 10.0


class NoAnswerError(Exception):
    """The service is ready and yet does not answer; the message says what came instead."""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """One file and what became of it."""

    file: int
    latency_seconds: float
    right: bool


def answer(samples: Samples, target: Target) -> FirstAnswer:
    """The very first correct answer; asks again while there is none."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found, trouble = ask(samples, target, [0])
        if found and found[0].right:
            return found[0]
        if time.monotonic() > deadline:
            wrong = "an answer that differs from the model run directly"
            raise NoAnswerError(f"no right answer within {DEADLINE_SECONDS:.0f} s: {trouble or wrong}")
        time.sleep(0.2)


def answers(samples: Samples, target: Target) -> list[FirstAnswer]:
    """One answer for one file of each kind."""
    found, trouble = ask(samples, target, samples.one_of_each_kind()[:FILES])
    if trouble:
        raise NoAnswerError(f"a ready service did not answer: {trouble}")
    return found


def ask(samples: Samples, target: Target, files: Sequence[int]) -> tuple[list[FirstAnswer], str]:
    """The answers that came, and in words those that did not."""
    payloads = samples.requests(target)
    result = run(
        Plan(
            target=target,
            arrivals=np.arange(len(files)) / RATE_RPS,
            payloads=tuple(payloads[file] for file in files),
            check=lambda payload, given: samples.direct(files[payload], given),
            timeout_seconds=TIMEOUT_SECONDS,
        )
    )
    came = [
        FirstAnswer(file, float(result.latency_seconds[row]), bool(result.answer[row] == Check.RIGHT))
        for row, file in enumerate(files)
        if result.outcome[row] == Outcome.OK
    ]
    return came, "; ".join(result.messages)


def show(console: Console, samples: Samples, found: Sequence[FirstAnswer]) -> None:
    """A few of the answers for the reader."""
    table = Table("file", "is", "score", "answered in", "as run directly", box=None, pad_edge=False)
    for entry in found[:SHOWN]:
        path = samples.paths[entry.file]
        name = str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else path.name
        cells = (name, samples.label(entry.file), f"{samples.score(entry.file):.3f}")
        table.add_row(*cells, f"{entry.latency_seconds * 1e3:.0f} ms", "yes" if entry.right else "NO")
    console.print(table)
