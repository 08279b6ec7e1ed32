"""Requests that were sent to real pods, each with its time, its latency and its end, and the batches that Triton made
of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.optimize import least_squares

from bench.simulator_truth.send import send
from bench.simulator_truth.triton import Executed, Replicas
from e2e.load import Outcome
from foretide.scaling.arrays import Bools, Floats

# One execution that takes a millisecond more or less than the line counts fully, beyond that less and less.
USUAL_SECONDS: Final = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One load; requests in the order in which they were sent."""

    sent_at: Floats
    latency_seconds: Floats
    answered: Bools
    batches: Floats  # [sizes, 3]: size, executions, mean seconds

    def after(self, seconds: float) -> Recording:
        """Without the requests that were sent before; the batches are those of all."""
        later = self.sent_at >= seconds
        return Recording(self.sent_at[later], self.latency_seconds[later], self.answered[later], self.batches)

    @property
    def refused(self) -> float:
        """Share of the requests."""
        return float(1.0 - self.answered.mean())

    def quantiles_seconds(self, levels: Sequence[float]) -> Floats:
        """Of the latencies of what was answered."""
        found: Floats = np.quantile(self.latency_seconds[self.answered], levels, method="inverted_cdf")
        return found

    def law(self) -> tuple[float, float]:
        """Seconds an item and seconds a batch, of these very batches: what the machine was able to do just then."""
        sizes, counts, seconds = self.batches.T
        if len(sizes) < 2:
            raise ValueError(f"a line needs batches of two sizes, and there are only some of {sizes.tolist()}")
        weights = np.sqrt(counts)
        found = least_squares(
            lambda line: weights * (line[0] * sizes + line[1] - seconds),
            x0=(0.01, 0.04),
            x_scale=(0.01, 0.01),
            loss="soft_l1",
            f_scale=USUAL_SECONDS,
        )
        return float(found.x[0]), float(found.x[1])

    def save(self, file: Path) -> None:
        """Whole or not at all."""
        partial = file.with_suffix(".partial.npz")
        np.savez_compressed(
            partial,
            sent_at=self.sent_at,
            latency_seconds=self.latency_seconds,
            answered=self.answered,
            batches=self.batches,
        )
        partial.rename(file)

    @classmethod
    def load(cls, file: Path) -> Recording:
        with np.load(file) as found:
            return cls(found["sent_at"], found["latency_seconds"], found["answered"], found["batches"])


def recorded(triton: Replicas, times: Floats) -> Recording:
    """Sends requests at those times, in seconds from now on, and waits for all of them."""
    before = triton.executed()
    result = send(triton, times)
    batches = _between(before, triton.executed())
    order = np.argsort(result.sent_at)
    return Recording(
        sent_at=result.sent_at[order],
        latency_seconds=result.latency_seconds[order],
        answered=result.outcome[order] == Outcome.OK,
        batches=batches,
    )


def _between(before: Executed, after: Executed) -> Floats:
    rows = []
    for size in sorted(after):
        count, seconds = np.subtract(after[size], before.get(size, (0.0, 0.0)))
        if count > 0:
            rows.append((float(size), float(count), float(seconds / count)))
    return np.array(rows).reshape(-1, 3)
