"""Small traces and workloads for the tests of what is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.simulate.scenario import Duration
from foretide.simulate.traces import Trace
from foretide.simulate.workload import Service, Window, Workload, workloads
from tests.simulate.worlds import LAW

RATE = 40.0  # of a replica; nothing here depends on the true one


def trace(*rows: Sequence[float] | Floats, step_seconds: float = 60.0, name: str = "load") -> Trace:
    """Counts per step of series a, b, ..."""
    counts = np.array(rows, dtype=np.float64)
    names = tuple("abcdefgh"[: len(rows)])
    return Trace(name=name, step_seconds=step_seconds, series=names, counts=counts, factor=np.ones(len(rows)))


def service(**more: Any) -> Service:
    settings: dict[str, Any] = {
        "law": LAW,
        "slo_latency_seconds": 0.25,
        "objective": 0.99,
        "cold_start": Duration.constant(45.0),
        "size": 2,
    }
    return Service(**{**settings, **more})


def loads(
    some: Trace, *, seeds: Sequence[int] = (1,), window: Window | None = None, **more: Any
) -> tuple[Workload, ...]:
    """Of small services."""
    return workloads(some, service(**more), rate_at_slo_rps=RATE, seeds=seeds, window=window)


def waves(steps: int = 50, *, rows: int = 1) -> Trace:
    """A rise and a fall, another one in each row."""
    time = np.arange(steps)
    return trace(*(100.0 + 80.0 * np.sin(time / (4.0 + row)) for row in range(rows)))
