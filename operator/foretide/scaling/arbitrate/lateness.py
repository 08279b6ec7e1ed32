"""What each replica saves in late requests, as far as it is foreseen: what a quota is shared by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.attainment import late_share

# As many as the API lets one service have; further ones are taken to save nothing.
MOST_REPLICAS: Final = 10_000
# No replica at all is as good as a thousandth of one.
NO_REPLICA: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lateness:
    """One row per service; demands are points of a distribution. A `Worth`.

    A queue that never refuses makes all requests late once demand is above saturation, those that come later too, and
    hardly any below. So one replica alone may save nothing, and the last one that is missing everything: what a step
    down of several replicas saves counts evenly for each of them (the convex hull), and a service is rather given all
    that it needs, or nothing, than most of it. Counting what exceeds capacity alone as late, 15 % of the requests in
    Faro's setting were (32 replicas for ten jobs, `docs/benchmarks/faro.md`), and 5 % this way.

    A replica that is there serves until another would be ready, and after that; one that is not there only after that.
    So it is worth both, and a replica moves only where it saves more than it costs to be without it for a lead time:
    of 1,130 moves in six hours 430 were left, and 4 % late instead of 5 %.
    """

    shares: Floats  # [points]; probability of each
    soon_rps: Floats  # [services, points]; until a replica started now is ready
    ahead_rps: Floats  # [services, points]; then
    saturation_rps: Floats  # of one replica
    utilisation: Floats  # of it, at which the objective is just kept
    objective: Floats
    known: Bools  # whether demand is
    minimum: Ints
    running: Ints
    wanted: Ints  # of no use above

    def saved(self, row: Ints, number: Ints) -> Floats:
        """Of the error budget, by the replica of this number; rows follow each other with numbers from 1."""
        rows = np.unique(row)
        most = np.clip(self.wanted[rows], 0, MOST_REPLICAS)
        end = np.cumsum(most)
        of = np.repeat(rows, most)
        nth = np.arange(1, len(of) + 1) - np.repeat(end - most, most)
        anew = (nth == 1) | (nth == self.minimum[of] + 1)
        there = nth <= self.running[of]
        both = _falling(self._fewer(self.ahead_rps, of, nth), anew)
        both += np.where(there, _falling(self._fewer(self.soon_rps, of, nth), anew), 0.0)
        # In units of the budget: every team's objective counts the same.
        both /= np.maximum(1.0 - self.objective[of], 1e-9)
        place = np.searchsorted(rows, row)
        wanted = number <= most[place]
        found = both[np.where(wanted, (end - most)[place] + number - 1, 0)] if len(both) else np.zeros(len(row))
        # In single precision, so that what saves the same but for the last digits of a double ties.
        saved: Floats = np.where(wanted, found, 0.0).astype(np.float32).astype(np.float64)
        return saved

    def _fewer(self, demand_rps: Floats, of: Ints, nth: Ints) -> Floats:
        """By how much each replica lowers the share of late requests."""
        late = self._late(demand_rps, of, nth.astype(np.float64))
        first = nth == 1
        before = np.roll(late, 1)
        before[first] = self._late(demand_rps, of[first], np.full(np.count_nonzero(first), NO_REPLICA))
        fewer: Floats = np.maximum(before - late, 0.0)
        return fewer

    def _late(self, demand_rps: Floats, of: Ints, replicas: Floats) -> Floats:
        saturation, late = replicas * self.saturation_rps[of], np.zeros(len(of))
        for share, demand in zip(self.shares, demand_rps.T, strict=True):
            load = demand[of] / saturation
            late += share * late_share(load, utilisation=self.utilisation[of], objective=self.objective[of])
        return late


def _falling(saved: Floats, anew: Bools) -> Floats:
    """The slopes of the convex hull: means over neighbours until none is larger than the one before it (Pool Adjacent
    Violators, all of them at once). Begins anew where it is told so."""
    size = np.ones(len(saved))
    while (rises := ~anew[1:] & (saved[1:] > saved[:-1])).any():
        first = np.flatnonzero(np.concatenate(([True], ~rises)))
        together = np.add.reduceat(size, first)
        saved, size, anew = np.add.reduceat(saved * size, first) / together, together, anew[first]
    return np.repeat(saved, size.astype(np.int64))
