"""The columns of the fluid's table, and the lengths of its steps."""

from __future__ import annotations

from typing import Final

# Columns of the table: requests answered in the step and those of them that were late, requests refused, batches,
# seconds that the answered ones took, seconds that all spent in the replica, and the variance of the first that lasts.
COMPLETED, LATE, FAILED, EXECUTIONS, LATENCY, CONCURRENCY, VARIANCE = range(7)
KINDS: Final = VARIANCE + 1

# Steps divide the bins of the timeline.
STEPS_SECONDS: Final = (1.0, 1.5, 2.5, 3.0, 5.0, 7.5, 15.0)


def step_of(slo_latency_seconds: float) -> float:
    """The shortest that is as long as the SLO, which is none above the longest step."""
    return next(step for step in STEPS_SECONDS if step >= slo_latency_seconds)
