"""What came of a run: for each lane the requests, what the replicas cost, and all of it along time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foretide.scaling.arrays import Ints
from foretide.simulate.scenario import Lane
from foretide.simulate.state import BINS_PER_E, SHORTEST_SECONDS


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """Latencies of the requests that were answered, counted in bins of 0.5 %."""

    counts: Ints

    @property
    def answered(self) -> int:
        return int(self.counts.sum())

    @property
    def mean_seconds(self) -> float:
        """NaN where nothing was answered."""
        middle = SHORTEST_SECONDS * np.exp((np.arange(len(self.counts)) - 0.5) / BINS_PER_E)
        return float(np.dot(self.counts, middle) / self.answered) if self.answered else math.nan

    def quantile_seconds(self, level: float) -> float:
        """The latency that a share of the answered requests did not exceed; NaN where nothing was answered."""
        if not self.answered:
            return math.nan
        place = int(np.searchsorted(np.cumsum(self.counts), level * self.answered))
        return SHORTEST_SECONDS * math.exp((place - 0.5) / BINS_PER_E)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """What happened to one lane in each 15 s; a request belongs to the time of its arrival."""

    arrivals: Ints
    violations: Ints  # answered too late, or not at all
    failures: Ints  # not answered
    ready: Ints  # the fleet at the end of each 15 s
    starting: Ints
    desired: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What came of one lane, without the warm-up."""

    lane: Lane
    requests: int
    violations: int
    failures: int
    replica_seconds: float  # of every pod from its creation to its end
    scale_events: int
    latencies: Latencies
    timeline: Timeline
    reasons: dict[str, int]  # how often which rule decided

    @property
    def violation_share(self) -> float:
        """0 where nothing was asked."""
        return self.violations / self.requests if self.requests else 0.0
