"""How many requests violate the SLO when fewer replicas serve than would be needed: what the budgeted optimum is told.

Each model is a promise about EVERY policy, and the bound is as true as that promise. "Serving" is every replica that
exists and has its cold start behind it, ready or draining.

- `ServedAtMost` is provable for any queue, batching, routing or order. A batch that answers a request in time begins
  after the request arrived and ends within the SLO. So a request that arrives more than one SLO before the end of a
  step is answered within that step, by work done within it. Work on b items takes the batch time of b, so that no
  replica does more than `most_in_time_rps` (the largest rate of a batch that fits into the SLO at all). Therefore:
  violations of a step >= its requests, without those that arrive in its last SLO, - rate x serving replica-seconds.
  It is loose where the SLO is tight, for it leaves out all waiting. Take steps much longer than the SLO.
- `WholeSteps` is the rule of fluid models: while fewer replicas serve than are needed, all requests violate. For a
  request-by-request simulation it is no proof, as some requests of such a step are still in time.
- `ViolationTable` is a table by whole replicas, e.g. measured in steady state. It bounds a policy if, while n
  replicas serve in a step, requests violate at least at the table's rate for n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np

from foretide.scaling.arrays import Floats, Ints

# Rows of the search over levels stay this short; the bound loses at most half a level of replicas a step.
MOST_LEVELS: Final = 400
MOST_LEVELS_PER_REPLICA: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Violations of each step at chosen numbers of replicas."""

    replicas: Floats  # [levels], ascending; more than the last violate no less than the last
    steps: int
    # (first, last) -> [last - first, levels], nowhere rising: replicas that idle through a gap must do no harm
    rows: Callable[[int, int], Floats]
    # Replicas are the most that serve at any moment of a step, which may be one moment only: see `budget`.
    moments: bool = False


class ViolationModel(Protocol):
    """What the budgeted optimum needs to know; the tables are made row by row, as they may be large."""

    @property
    def requests(self) -> float:
        """All requests, of which a budget is a share."""
        ...

    @property
    def whole(self) -> Grid:
        """What the promise says, for whole replicas through whole steps: for schedules."""
        ...

    @property
    def bounds(self) -> tuple[Grid, ...]:
        """What it says of any policy, in one way or several: for lower bounds."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ViolationTable:
    """At least `violations[step, n]` requests violate while n replicas serve through a step.

    Where it says that more replicas violate more, as measured tables do, it is lowered to the value for fewer.
    """

    violations: Floats
    requests: float

    def __post_init__(self) -> None:
        if self.violations.ndim != 2 or 0 in self.violations.shape:
            raise ValueError(f"violations must be [steps, replicas + 1], not of shape {self.violations.shape}")
        _check_counts("violations", self.violations)
        _check_counts("requests", np.array([self.requests]))

    @cached_property
    def whole(self) -> Grid:
        steps, columns = self.violations.shape
        return Grid(
            replicas=np.arange(columns, dtype=np.float64),
            steps=steps,
            rows=lambda first, last: np.minimum.accumulate(self.violations[first:last], axis=1),
        )

    @property
    def bounds(self) -> tuple[Grid, ...]:
        return (self.whole,)


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeSteps:
    """All requests of a step violate while fewer replicas serve than are needed, else none."""

    needed: Ints
    step_requests: Floats

    def __post_init__(self) -> None:
        if self.needed.ndim != 1 or self.needed.size == 0 or self.needed.shape != self.step_requests.shape:
            raise ValueError(f"needed {self.needed.shape} and step_requests {self.step_requests.shape} must be one row")
        _check_counts("needed", self.needed.astype(np.float64))
        _check_counts("step_requests", self.step_requests)

    @property
    def requests(self) -> float:
        return float(self.step_requests.sum())

    @cached_property
    def whole(self) -> Grid:
        replicas = np.arange(int(self.needed.max()) + 1, dtype=np.float64)

        def rows(first: int, last: int) -> Floats:
            too_few = replicas < self.needed[first:last, None]
            return np.where(too_few, self.step_requests[first:last, None], 0.0)

        return Grid(replicas=replicas, steps=len(self.needed), rows=rows)

    @property
    def bounds(self) -> tuple[Grid, ...]:
        return (self.whole,)


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedAtMost:
    """A replica answers at most `served_rps` in time; all further requests violate."""

    early_requests: Floats  # per step, those that arrive more than one SLO before its end
    requests: float  # all
    served_rps: float  # of one replica, at the most
    step_seconds: float

    def __post_init__(self) -> None:
        if self.early_requests.ndim != 1 or self.early_requests.size == 0:
            raise ValueError("early_requests must be one row of at least one step")
        _check_counts("early_requests", self.early_requests)
        _check_counts("requests", np.array([self.requests]))
        for name, value in (("served_rps", self.served_rps), ("step_seconds", self.step_seconds)):
            if not (np.isfinite(value) and value > 0.0):
                raise ValueError(f"{name} is {value}, must be above 0")

    @classmethod
    def of_arrivals(
        cls, arrival_seconds: Floats, *, steps: int, step_seconds: float, slo_seconds: float, served_rps: float
    ) -> ServedAtMost:
        """From the arrivals themselves, in seconds since the window began."""
        step = np.floor(arrival_seconds / step_seconds).astype(np.int64)
        inside = (step >= 0) & (step < steps)
        early = inside & (arrival_seconds + slo_seconds < (step + 1) * step_seconds)
        return cls(
            early_requests=np.bincount(step[early], minlength=steps).astype(np.float64),
            requests=float(inside.sum()),
            served_rps=served_rps,
            step_seconds=step_seconds,
        )

    @classmethod
    def of_bins(
        cls, arrivals: Ints, *, bin_seconds: float, bins_a_step: int, slo_seconds: float, served_rps: float
    ) -> ServedAtMost:
        """From counts of arrivals: a request of the last bin of a step may be answered in the next one. Bins at the
        end that make no whole step count among all requests only."""
        if not slo_seconds <= bin_seconds:
            raise ValueError(f"slo_seconds is {slo_seconds:g}, must be at most the {bin_seconds:g} s of a bin")
        steps = arrivals[: len(arrivals) // bins_a_step * bins_a_step].reshape(-1, bins_a_step)
        return cls(
            early_requests=steps[:, :-1].sum(axis=1).astype(np.float64),
            requests=float(arrivals.sum()),
            served_rps=served_rps,
            step_seconds=bin_seconds * bins_a_step,
        )

    @property
    def whole(self) -> Grid:
        return self._grid(np.arange(np.ceil(self._enough().max()) + 1.0), self._enough())

    @property
    def bounds(self) -> tuple[Grid, ...]:
        """By the mean over each step, which a policy that changes within it has between two whole numbers, and by
        the most at any moment of it. The first is better for large fleets and short cold starts, the second for small
        ones. The replicas that would do are rounded down to a level for the first: the lines between levels are then
        nowhere above the promise."""
        peak = max(1, int(np.ceil(self._enough().max())))
        per_replica = min(MOST_LEVELS_PER_REPLICA, max(1, MOST_LEVELS // peak))
        levels = np.arange(peak * per_replica + 1) / per_replica
        by_mean = self._grid(levels, np.floor(self._enough() * per_replica) / per_replica)
        return by_mean, replace(self.whole, moments=True)

    def _enough(self) -> Floats:
        """Replicas, not whole, that could serve each step."""
        return self.early_requests / (self.served_rps * self.step_seconds)

    def _grid(self, replicas: Floats, enough: Floats) -> Grid:
        served = self.served_rps * self.step_seconds
        return Grid(
            replicas=replicas,
            steps=len(enough),
            rows=lambda first, last: served * np.maximum(enough[first:last, None] - replicas, 0.0),
        )


def most_in_time_rps(
    *, per_item_seconds: float, fixed_seconds: float, max_batch: int, instances: int, slo_seconds: float
) -> float:
    """Requests a second that one replica can answer within the SLO at the very most.

    The rate of the largest batch whose time fits into the SLO, for a larger batch has the better rate. Where batch
    times vary, give the law of the fastest batch that can be drawn.
    """
    fitting = [
        size / (per_item_seconds * size + fixed_seconds)
        for size in range(1, max_batch + 1)
        if per_item_seconds * size + fixed_seconds <= slo_seconds
    ]
    return instances * max(fitting, default=0.0)


def _check_counts(name: str, values: Floats) -> None:
    if not bool(np.all(np.isfinite(values) & (values >= 0.0))):
        raise ValueError(f"{name} must be finite and 0 or more in every step")
