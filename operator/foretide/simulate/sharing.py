"""Services on several hardware classes: a lane for each class, which share the requests by the number of their pods.

One Service stands in front of the pods of all classes, and each request goes to any of them at random. Of a Poisson
process with random marks those of each mark are Poisson processes again, so each lane draws its own requests at its
share of the rate; when that changes it draws anew from then on, for such a process remembers nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.simulate.arriving import begin_again
from foretide.simulate.scenario import Lane, Routing
from foretide.simulate.state import State


class Sharing:
    """Which lanes share one load, and what share each has now."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        """Raises ValueError for arrivals or a routing that cannot be shared."""
        names: dict[str, int] = {}
        # A lane that shares with nobody has a group of its own.
        of = [names.setdefault(lane.shares or f"\n{row}", len(names)) for row, lane in enumerate(lanes)]
        self._group: Final = np.array(of)
        self._first: Final = np.unique(self._group, return_index=True)[1]
        self._rows: Final = np.flatnonzero([bool(lane.shares) for lane in lanes])
        for lane in lanes:
            if lane.shares and (lane.arrival_cv != 1.0 or lane.arrival_times is not None):
                raise ValueError(f"{lane.name} shares its load with other lanes: its arrivals must be Poisson")
            if lane.shares and lane.routing is not Routing.RANDOM:
                raise ValueError(f"{lane.name} shares its load with other lanes: its routing must be random")
        self._rates: Final = [lane.rates_rps for lane in lanes]
        self._share: Final[Floats] = np.ones(len(lanes))

    def divide(self, state: State, now: float) -> None:
        """By the pods that get requests now; where there is none all of it comes to the first lane, and fails."""
        if not len(self._rows):
            return
        pods = state.lanes["routable"].astype(np.float64)
        total = np.bincount(self._group, weights=pods)
        share = pods / np.maximum(total, 1.0)[self._group]
        nobody = self._first[total == 0.0]
        share[nobody] = 1.0
        for lane in self._rows[share[self._rows] != self._share[self._rows]].tolist():
            self._share[lane] = share[lane]
            state.rates[lane, : len(self._rates[lane])] = share[lane] * self._rates[lane]
            begin_again(state, lane, now)
