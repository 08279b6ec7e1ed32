"""When each request is sent: a rate profile from a trace, expanded to arrivals beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foretide.simulate.traces import read_trace

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Profile:
    """A rate for each of a row of equally long steps."""

    rates_rps: tuple[float, ...]
    step_seconds: float

    def __post_init__(self) -> None:
        if not self.rates_rps or not self.step_seconds > 0:
            raise ValueError("a load profile needs at least one step of more than 0 seconds")
        if not all(0 <= rate < float("inf") for rate in self.rates_rps):
            raise ValueError("a load profile has only finite rates from 0 up")

    @property
    def seconds(self) -> float:
        """How long the profile lasts."""
        return self.step_seconds * len(self.rates_rps)

    @property
    def peak_rps(self) -> float:
        """The rate of its busiest step."""
        return max(self.rates_rps)

    def lasting(self, seconds: float) -> Profile:
        """The same shape and the same rates in another time: an hour of trace in four minutes."""
        return replace(self, step_seconds=seconds / len(self.rates_rps))

    def peaking_at(self, peak_rps: float) -> Profile:
        """The same shape with another rate in its busiest step."""
        if self.peak_rps == 0:
            raise ValueError("a profile without a single request cannot be scaled")
        factor = peak_rps / self.peak_rps
        return replace(self, rates_rps=tuple(rate * factor for rate in self.rates_rps))


def steady(rate_rps: float, *, seconds: float) -> Profile:
    """One rate for the whole time."""
    return Profile(rates_rps=(rate_rps,), step_seconds=seconds)


def read_profile(path: Path, *, series: str | None = None) -> Profile:
    """One series of a trace file, the first unless another is named; ValueError tells what is wrong with the file."""
    trace = read_trace(path)
    row = 0 if series is None else trace.series.index(trace.select(series).series[0])
    return Profile(rates_rps=tuple(trace.rates_rps[row].tolist()), step_seconds=trace.step_seconds)


def arrivals(profile: Profile, *, seed: int) -> FloatArray:
    """Arrival times in seconds from the start: Poisson inside each step, the same for the same seed."""
    random = np.random.default_rng(seed)
    counts = random.poisson(np.array(profile.rates_rps) * profile.step_seconds)
    steps = np.repeat(np.arange(len(counts)), counts)
    return np.sort((steps + random.random(len(steps))) * profile.step_seconds)
