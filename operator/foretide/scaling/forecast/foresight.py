"""What is foreseen: quantiles of the coming maximum demand, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.normal import normal_score
from foretide.scaling.readings import Readings

# Midpoints of the probabilities over which a mean is taken, denser where demand is high.
POINTS: Final = np.array([0.1, 0.3, 0.5, 0.7, 0.85, 0.93, 0.965, 0.98, 0.99, 0.995, 0.998, 0.9995])
WEIGHTS: Final = np.diff([0.0, *((POINTS[1:] + POINTS[:-1]) / 2.0), 1.0])
# Far above any load, and far below what overflows.
MOST_RPS: Final = 1e15


class Target(IntEnum):
    """The windows, in the order of their columns."""

    AHEAD = 0
    MEANWHILE = 1


class Trust(IntEnum):
    """Whether a forecast may decide, and why not."""

    GOOD = 0
    NO_HISTORY = 1  # nothing is known of the last minutes
    GAPS = 2  # half of the last minutes is not known
    MISSED = 3  # far more outcomes than foreseen were above the quantiles
    OFF = 4  # its user wants none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foresight:
    """Quantiles of the coming maximum demand of each window; finite, and of use where `trust` is GOOD."""

    levels: Floats  # [Q]
    demand_rps: Floats  # [services, targets, Q], ascending
    trust: Ints  # a Trust

    @property
    def trusted(self) -> Bools:
        good: Bools = self.trust == Trust.GOOD
        return good

    def only(self, wanted: Bools) -> Foresight:
        """Trusted where it is wanted alone."""
        return replace(self, trust=np.where(wanted, self.trust, int(Trust.OFF)))

    def points(self, target: Target) -> Floats:
        """[services, points]: demand at POINTS, by straight lines over normal scores; 0 where nothing is trusted."""
        shares, scores = normal_score(POINTS), normal_score(self.levels)
        place = np.clip(np.searchsorted(scores, shares) - 1, 0, len(scores) - 2)
        sound = np.clip(np.nan_to_num(self.demand_rps[:, target]), 0.0, MOST_RPS)
        low, high = sound[:, place], sound[:, place + 1]
        # As far below the median as above it, where there is no level.
        along = np.maximum((shares - scores[place]) / (scores[place + 1] - scores[place]), -1.0)
        return np.where(self.trusted[:, None], np.maximum(low + (high - low) * along, 0.0), 0.0)

    def expected(self, target: Target, cost: Callable[[Floats], Floats]) -> Floats:
        """The mean of a cost of demand ([services, points] -> the same) under the distribution of the quantiles."""
        mean: Floats = (cost(self.points(target)) * WEIGHTS).sum(axis=1)
        return mean

    def at(self, target: Target, score: Floats) -> Readings:
        """The quantile whose normal score is `score`, one per service: between levels, and beyond, by straight lines
        over normal scores, which a lognormal demand has."""
        scores = normal_score(self.levels)
        place = np.clip(np.searchsorted(scores, score) - 1, 0, len(scores) - 2)
        row = np.arange(len(score))
        low, high = self.demand_rps[row, target, place], self.demand_rps[row, target, place + 1]
        share = np.clip((score - scores[place]) / (scores[place + 1] - scores[place]), 0.0, 2.0)
        return Readings.checked(low + (high - low) * share, self.trusted, low=0.0)
