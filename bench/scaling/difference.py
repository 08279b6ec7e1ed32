"""Two ways to run the same requests, and how far apart what comes of them is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import t as student

from bench.scaling.summary import share_of
from foretide.scaling.arrays import Floats
from foretide.simulate.command.results import Run

BAR_SHARE: Final = 0.003
BAR_COST: Final = 0.02


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, with the half width of its 95 % confidence interval."""

    mean: float
    half_width: float | None  # None with one seed, which tells nothing of chance

    @classmethod
    def of(cls, values: Floats) -> Estimate:
        """Of [seeds, series]: the series are what they are, chance is what differs from seed to seed within one. Some
        series are far more noisy than others, so the degrees of freedom are those of Welch and Satterthwaite (1946)."""
        seeds, series = values.shape
        mean = float(values.mean())
        if seeds == 1:
            return cls(mean, None)
        variances = values.var(axis=0, ddof=1) / seeds
        if not variances.any():
            return cls(mean, 0.0)
        free = (seeds - 1) * float(variances.sum()) ** 2 / float((variances**2).sum())
        return cls(mean, float(student.ppf(0.975, free)) * math.sqrt(float(variances.sum())) / series)

    @property
    def at_least(self) -> float:
        """What the size of the true mean is at least, as far as chance tells."""
        return max(abs(self.mean) - (self.half_width or 0.0), 0.0)


@dataclass(frozen=True, slots=True)
class Difference:
    """One way against request by request."""

    shares: Floats  # [seeds, series]: of the requests, outside the SLO
    expected_shares: Floats
    hours: Floats  # [seeds, series]: replica-hours
    expected_hours: Floats

    @classmethod
    def between(cls, found: Iterable[Run], expected: Iterable[Run]) -> Difference:
        """Of the seeds and series that were found; any order."""
        ours, theirs = _by_seed_and_series(found), _by_seed_and_series(expected)
        seeds, series = sorted({seed for seed, _ in ours}), sorted({name for _, name in ours})

        def table(runs: Mapping[tuple[int, str], Run], value: Callable[[Run], float]) -> Floats:
            return np.array([[value(runs[seed, name]) for name in series] for seed in seeds])

        return cls(table(ours, share_of), table(theirs, share_of), table(ours, _hours), table(theirs, _hours))

    @classmethod
    def over_all(cls, some: Iterable[Difference]) -> Difference:
        """Of the means over some policies or settings. They see the same arrivals, and are no independent runs: each
        seed and series stays one value."""
        parts = list(some)
        return cls(
            np.mean([one.shares for one in parts], axis=0),
            np.mean([one.expected_shares for one in parts], axis=0),
            np.mean([one.hours for one in parts], axis=0),
            np.mean([one.expected_hours for one in parts], axis=0),
        )

    @property
    def share(self) -> Estimate:
        """Of the shares outside the SLO, all series alike."""
        return Estimate.of(self.shares - self.expected_shares)

    @property
    def cost(self) -> Estimate:
        """Of all replica-hours, relative."""
        return Estimate.of((self.hours - self.expected_hours) / self.expected_hours.mean())

    @property
    def holds(self) -> bool:
        return abs(self.share.mean) <= BAR_SHARE and abs(self.cost.mean) <= BAR_COST

    def may_be_within(self, share: float, cost: float) -> bool:
        """Whether so few seeds do not tell that it is above either."""
        return self.share.at_least <= share and self.cost.at_least <= cost


def _by_seed_and_series(runs: Iterable[Run]) -> dict[tuple[int, str], Run]:
    return {(run["seed"], run["series"]): run for run in runs}


def _hours(run: Run) -> float:
    return float(run["replica_hours"])
