"""The load of Faro's experiment and the days before it, and the arrivals that its generator makes of the load."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from bench.faro_table.observe import EPOCH_SECONDS
from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from foretide.simulate.traces import Trace, read_trace

FOLDER: Final = Path(__file__).parent
MINUTE_SECONDS: Final = 60.0


@cache
def load() -> Trace:
    """What is served."""
    return read_trace(FOLDER / "arrivals.csv.gz")


@cache
def training_days() -> Trace:
    """What Faro's forecaster was trained on."""
    return read_trace(FOLDER / "training_days.csv.gz")


def arrivals(trace: Trace, *, seed: int) -> list[Floats]:
    """The times of all requests of each job: the very ones that Faro's generator makes of this seed.

    A minute sends as many as the trace says, with exponential gaps; they may last longer than the minute does.
    """
    random = np.random.default_rng(seed)
    times: list[list[Floats]] = [[] for _ in trace.series]
    for minute in range(trace.steps):
        for job, count in enumerate(trace.counts[:, minute].astype(np.int64)):
            gaps = random.exponential(MINUTE_SECONDS / count, count) if count else np.zeros(0)
            times[job].append(MINUTE_SECONDS * minute + np.cumsum(gaps) - gaps)
    return [np.sort(np.concatenate(parts)) for parts in times]


def past_of(days: Trace | None, *, jobs: int) -> Past:
    """The demand before the first second, of whoever has seen these days."""
    rates = days.rates_rps if days is not None else np.zeros((jobs, 0))
    known = Readings(value=rates, known=np.ones(rates.shape, dtype=np.bool_))
    return Past(demand=known, step_seconds=MINUTE_SECONDS, end_seconds=EPOCH_SECONDS)
