"""The answer of a range query as numbers on a regular grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from foretide.adapters.prometheus_answer import malformed, too_large
from foretide.scaling.arrays import Floats, Ints

# Prometheus refuses more steps.
MOST_STEPS: Final = 11_000
# 16 MiB of numbers. A series with one sample takes a whole row: a small answer could ask for any amount of memory.
MOST_POINTS: Final = 2_000_000


class Workload(NamedTuple):
    """What pods belong to, as their names tell."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """One row per workload; NaN where nothing is known. Do not write into `values`."""

    start_seconds: float  # Unix time of the first step
    step_seconds: float
    steps: int
    rows: Mapping[Workload, int]
    values: Floats  # [rows, steps]

    @classmethod
    def empty(cls, *, start_seconds: float, end_seconds: float, step_seconds: float) -> Grid:
        """From the first to the last step, both included; raises ValueError where these are not whole seconds, the
        end is no step, or there are more than MOST_STEPS."""
        if any(seconds != math.floor(seconds) for seconds in (start_seconds, end_seconds, step_seconds)):
            raise ValueError(f"{start_seconds}, {end_seconds} and {step_seconds} must be whole seconds")
        if step_seconds < 1.0 or end_seconds < start_seconds or (end_seconds - start_seconds) % step_seconds:
            raise ValueError(f"from {start_seconds:.0f} to {end_seconds:.0f} must be steps of {step_seconds:g} s")
        steps = round((end_seconds - start_seconds) / step_seconds) + 1
        if steps > MOST_STEPS:
            raise ValueError(f"a range must have at most {MOST_STEPS:,} steps, not {steps:,}")
        return cls(
            start_seconds=start_seconds,
            step_seconds=step_seconds,
            steps=steps,
            rows=MappingProxyType({}),
            values=np.full((0, steps), np.nan),
        )

    def filled(self, answer: Any) -> Grid:
        """With `data.result` of a range query. Samples that are not finite or not of a step are gaps; series without
        our two labels are somebody else's. Raises Rejected where it is no matrix, or larger than MOST_POINTS."""
        try:
            series = {
                Workload(each["metric"]["namespace"], each["metric"]["workload"]): each["values"]
                for each in answer
                if "namespace" in each["metric"] and "workload" in each["metric"]
            }
            if (points := len(series) * self.steps) > MOST_POINTS:
                raise too_large(f"{points:,} points")
            values = np.full((len(series), self.steps), np.nan)
            for row, samples in zip(values, series.values(), strict=True):
                place, value = self._placed(samples)
                row[place] = value
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise malformed(f"not a range matrix: {type(error).__name__}") from error
        values.setflags(write=False)
        rows = MappingProxyType({workload: row for row, workload in enumerate(series)})
        return replace(self, rows=rows, values=values)

    def of(self, workloads: Sequence[Workload]) -> Floats:
        """The rows of these, in order: [workloads, steps]; NaN throughout where there is none."""
        blank = np.full((1, self.steps), np.nan)
        places = [self.rows.get(workload, -1) for workload in workloads]
        return np.asarray(np.concatenate([self.values, blank])[places])

    def _placed(self, samples: Any) -> tuple[Ints, Floats]:
        """The steps of a series, and its values there."""
        value = np.array([float(sample[1]) for sample in samples])
        after = (np.array([float(sample[0]) for sample in samples]) - self.start_seconds) / self.step_seconds
        inside = np.isfinite(value) & (after > -0.5) & (after < self.steps - 0.5)
        place = np.rint(after[inside]).astype(np.int64)
        on_a_step = np.abs(after[inside] - place) * self.step_seconds < 0.5
        return place[on_a_step], value[inside][on_a_step]
