"""The first answers of a new service, one file of each kind, each compared with the model run directly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from e2e.demo.model import REPOSITORY, Samples
from e2e.load import Answer, Plan, Result, Target, run
from e2e.load.result import Check

FILES = 24
RATE_RPS = 5.0  # gentle: they come before the load, and the autoscaler learns from them
SHOWN = 6
DEADLINE_SECONDS = 30.0  # kube-proxy takes up to a second to know a new pod
TIMEOUT_SECONDS = 10.0


class NoAnswerError(Exception):
    """The service is ready and yet does not answer; the message says what came instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Files and what became of them; row n of the result is file n."""

    files: tuple[int, ...]
    result: Result


def answer(samples: Samples, target: Target) -> Asked:
    """The very first correct answer; asks again while there is none."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        asked = ask(samples, target, [0])
        if asked.result.answer[0] == Check.RIGHT:
            return asked
        if time.monotonic() > deadline:
            trouble = "; ".join(asked.result.messages) or "an answer that differs from the model run directly"
            raise NoAnswerError(f"no right answer within {DEADLINE_SECONDS:.0f} s: {trouble}")
        time.sleep(0.2)


def answers(samples: Samples, target: Target) -> Asked:
    """One file of each kind."""
    return ask(samples, target, samples.one_of_each_kind()[:FILES])


def ask(samples: Samples, target: Target, files: Sequence[int]) -> Asked:
    """Asks about some files, a few a second."""
    payloads = samples.requests(target)

    def right(payload: int, given: Answer) -> bool:
        return samples.direct(files[payload], given)

    plan = Plan(
        target=target,
        arrivals=np.arange(len(files)) / RATE_RPS,
        payloads=tuple(payloads[file] for file in files),
        check=right,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    return Asked(tuple(files), run(plan))


def show(console: Console, samples: Samples, asked: Asked) -> None:
    """A few of the answers for the reader."""
    words = {Check.RIGHT: "yes", Check.WRONG: "NO", Check.NOT_CHECKED: "not answered"}
    table = Table("file", "is", "score", "answered in", "as run directly", box=None, pad_edge=False)
    for row, file in list(enumerate(asked.files))[:SHOWN]:
        path = samples.paths[file]
        name = str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else path.name
        took = f"{asked.result.latency_seconds[row] * 1e3:.0f} ms"
        same = words[Check(int(asked.result.answer[row]))]
        table.add_row(name, samples.label(file), f"{samples.score(file):.3f}", took, same)
    console.print(table)
