"""Sends requests at given times and waits for every answer."""

from __future__ import annotations

from typing import Final

from bench.simulator_truth.triton import Replicas
from e2e.load import Plan, Result, start
from foretide.scaling.arrays import Floats

PATIENCE_SECONDS: Final = 60.0
MOST_IN_FLIGHT: Final = 4_000


def send(triton: Replicas, times: Floats) -> Result:
    """Single items on new connections, in a process of its own; times in seconds from now on."""
    plan = triton.service.load(1.0, seconds=1.0, seed=1)
    whole = Plan(
        target=plan.target,
        arrivals=times,
        payloads=plan.payloads,
        check=plan.check,
        timeout_seconds=PATIENCE_SECONDS,
        max_in_flight=MOST_IN_FLIGHT,
    )
    return start(whole).result()
