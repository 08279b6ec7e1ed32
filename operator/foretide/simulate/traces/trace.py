"""A trace in memory: requests per step of one or several series, and the ways to make a workload of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats

# A series is scaled so that its rate is this high in all steps but one in a thousand: the very peak of a series is
# one step, and often an error.
PEAK_QUANTILE: Final = 0.999


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Counts of requests, all of them known; one row per series."""

    name: str
    step_seconds: float
    series: tuple[str, ...]
    counts: Floats  # [series, steps], requests in each step; fractions are welcome
    factor: Floats  # [series], by which the counts of the file were multiplied

    def __post_init__(self) -> None:
        if (
            self.counts.ndim != 2
            or self.counts.shape[0] != len(self.series)
            or self.factor.shape != (len(self.series),)
        ):
            raise ValueError(
                f"counts {self.counts.shape} and factor {self.factor.shape} must have one row for each of "
                f"{len(self.series)} series"
            )

    @property
    def steps(self) -> int:
        return int(self.counts.shape[1])

    @property
    def seconds(self) -> float:
        return self.steps * self.step_seconds

    @property
    def rates_rps(self) -> Floats:
        """Requests a second, mean of each step; [series, steps]."""
        return self.counts / self.step_seconds

    @property
    def peak_rps(self) -> Floats:
        """The lowest rate of a step that 99.9 % of the steps do not exceed; the highest rate where that is 0, as in a
        series with requests in one step out of two thousand. [series]"""
        # Between a 0 and a 500 an interpolated quantile can be 0.1, and would scale the series by a thousand.
        usual = np.quantile(self.rates_rps, PEAK_QUANTILE, axis=1, method="inverted_cdf")
        return np.where(usual > 0.0, usual, self.rates_rps.max(axis=1))

    def select(self, *patterns: str) -> Trace:
        """The series whose names match any pattern (`*`, `?`, `[...]`; case counts), in the order of the file."""
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.series):
                raise ValueError(f"no series of {self.name} matches {pattern!r}; there are {', '.join(self.series)}")
        rows = [row for row, name in enumerate(self.series) if any(fnmatchcase(name, pattern) for pattern in patterns)]
        return replace(
            self, series=tuple(self.series[row] for row in rows), counts=self.counts[rows], factor=self.factor[rows]
        )

    def scaled_to(self, peak_rps: float) -> Trace:
        """Each series times the factor that makes its `peak_rps` this one."""
        if not (np.isfinite(peak_rps) and peak_rps > 0.0):
            raise ValueError(f"peak_rps is {peak_rps}, must be above 0")
        peaks = self.peak_rps
        if not peaks.all():
            idle = ", ".join(name for name, peak in zip(self.series, peaks, strict=True) if peak == 0.0)
            raise ValueError(f"series {idle} of {self.name} cannot be scaled: every count is 0")
        factor = peak_rps / peaks
        return replace(self, counts=self.counts * factor[:, None], factor=self.factor * factor)

    def share(self, begin: float, end: float) -> Trace:
        """The steps from one share of the length to another: `share(0, 0.6)` and `share(0.6, 1)` have each step
        once."""
        if not 0.0 <= begin < end <= 1.0:
            raise ValueError(f"begin is {begin} and end is {end}, must be 0 <= begin < end <= 1")
        return self._steps(begin * self.steps, end * self.steps)

    def between(self, begin_seconds: float, end_seconds: float) -> Trace:
        """The steps that begin in [begin, end), in seconds from the first step of this trace."""
        if not 0.0 <= begin_seconds < end_seconds:
            raise ValueError(f"begin is {begin_seconds} s and end is {end_seconds} s, must be 0 <= begin < end")
        return self._steps(begin_seconds / self.step_seconds, end_seconds / self.step_seconds)

    def _steps(self, begin: float, end: float) -> Trace:
        # 0.6 of 60 steps is 36, whatever floating point makes of it.
        first, last = (int(np.ceil(round(edge, 6))) for edge in (begin, end))
        counts = self.counts[:, first:last]
        if counts.shape[1] == 0:
            raise ValueError(f"no step of {self.name} begins there: it has {self.steps} of {self.step_seconds:g} s")
        return replace(self, counts=counts)
