"""What each replica saves in late requests, as far as it is foreseen: what a quota is shared by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arbitrate.quota import MOST_REPLICAS
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.attainment import late_share

# A service is looked at in no more steps than this, of several replicas each where it wants more: one that wants 10,000
# costs what 256 do, and what they save is off by less than a hundredth of all that there is to save.
MOST_STEPS: Final = 256
# No replica at all is as good as a thousandth of one.
NO_REPLICA: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lateness:
    """One row per service; demands are points of a distribution. A `Worth`.

    A queue that never refuses makes all requests late once demand is above saturation, those that come later too, and
    hardly any below. So one replica alone may save nothing, and the last one that is missing everything: what a step
    down of several replicas saves counts evenly for each of them (the convex hull). Of two services above saturation
    one is brought below it rather than both halfway there. Counting what exceeds capacity alone as late, 15 % of the
    requests in Faro's setting were (32 replicas for ten jobs, `docs/benchmarks/faro.md`), and 5 % this way.

    A replica that is there serves until another would be ready, and after that; one that is not there only after that.
    So it is worth both, and a replica moves only where it saves more than it costs to be without it for a lead time:
    of 1,130 moves in six hours 430 were left, and 4 % late instead of 5 %. What those that are guaranteed save makes
    no other dearer, nor until then those that are not there: 9 replicas of 30 for 270 rps save nothing before 21 more
    are ready.
    """

    shares: Floats  # [points]; probability of each
    soon_rps: Floats  # [services, points]; until a replica started now is ready
    ahead_rps: Floats  # [services, points]; then
    saturation_rps: Floats  # of one replica
    utilisation: Floats  # of it, at which the objective is just kept
    objective: Floats
    known: Bools  # whether all of the demand is; where not, what runs is guaranteed
    minimum: Ints
    running: Ints
    wanted: Ints  # of no use above

    def saved(self, row: Ints, number: Ints) -> Floats:
        """Of the error budget, by the replica of this number; rows follow each other with numbers from 1."""
        rows = np.unique(row)
        most = np.clip(self.wanted[rows], 0, MOST_REPLICAS)
        stride = np.maximum(-(-most // MOST_STEPS), 1)
        steps = -(-most // stride)
        first = np.cumsum(steps) - steps
        of = np.repeat(rows, steps)
        begin = (np.arange(len(of)) - np.repeat(first, steps)) * np.repeat(stride, steps)
        end = np.minimum(begin + np.repeat(stride, steps), np.repeat(most, steps))
        both = self._worth(of, begin, end)
        place = np.searchsorted(rows, row)
        wanted = number <= most[place]
        found = (
            both[np.where(wanted, first[place] + (number - 1) // stride[place], 0)] if len(both) else np.zeros(len(row))
        )
        # In single precision, so that what saves the same but for the last digits of a double ties.
        saved: Floats = np.where(wanted, found, 0.0).astype(np.float32).astype(np.float64)
        return saved

    def _worth(self, of: Ints, begin: Ints, end: Ints) -> Floats:
        """Of each replica of a step of its service: the one after `begin` to `end`."""
        guaranteed = np.maximum(self.minimum, np.where(self.known, 0, self.running))[of]
        running = self.running[of]
        size = (end - begin).astype(np.float64)
        anew = (begin == 0) | _within(guaranteed, begin, end)
        both = _falling(self._fewer(self.ahead_rps, of, end), size, anew)
        soon = _falling(self._fewer(self.soon_rps, of, end), size, anew | _within(running, begin, end))
        both += np.where(end <= running, soon, 0.0)
        # In units of the budget: every team's objective counts the same.
        both /= np.maximum(1.0 - self.objective[of], 1e-9)
        return both

    def _fewer(self, demand_rps: Floats, of: Ints, end: Ints) -> Floats:
        """By how much each step lowers the share of late requests."""
        late = self._late(demand_rps, of, end.astype(np.float64))
        first = np.concatenate(([True], of[1:] != of[:-1]))[: len(of)]
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


def _within(count: Ints, begin: Ints, end: Ints) -> Bools:
    """Whether the replica after so many is of this step."""
    within: Bools = (begin <= count) & (count < end)
    return within


def _falling(saved: Floats, size: Floats, anew: Bools) -> Floats:
    """What each replica saves, from what each step (of `size` replicas) does: the slopes of the convex hull, means over
    neighbours until none is larger than the one before it (Pool Adjacent Violators, all of them at once). Begins anew
    where it is told so."""
    steps, mean = np.ones(len(saved), dtype=np.int64), saved / size
    while (rises := ~anew[1:] & (mean[1:] > mean[:-1])).any():
        first = np.flatnonzero(np.concatenate(([True], ~rises)))
        saved, size = np.add.reduceat(saved, first), np.add.reduceat(size, first)
        steps, mean, anew = np.add.reduceat(steps, first), saved / size, anew[first]
    return np.repeat(mean, steps)
