"""A forecast that is never wrong, for our own decision: what is lost with it is lost by the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.foresight import Foresight, Target, Trust
from foretide.scaling.forecast.model import GlobalModel
from foretide.scaling.forecast.sight import Outlook, Sight, look, windows
from foretide.scaling.parts import Part
from foretide.scaling.readings import Readings
from foretide.simulate.workload import Workload

BIN_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Oracle:
    """In the place of `look`: the largest rate of each window, as it will be."""

    rates_rps: Floats  # [services, bins], the largest of each 15 s
    epoch_seconds: float

    @classmethod
    def of(cls, loads: Sequence[Workload]) -> Oracle:
        """Of loads that begin at one time."""
        rows = []
        for load in loads:
            lane = load.lane()
            whole = max(round(BIN_SECONDS / lane.step_seconds), 1)
            rates = np.repeat(lane.rates_rps, max(round(lane.step_seconds / BIN_SECONDS), 1))
            rows.append(rates[: len(rates) // whole * whole].reshape(-1, whole).max(axis=1))
        return cls(np.array(rows), loads[0].epoch_seconds)

    def __call__(
        self,
        sight: Sight,
        model: GlobalModel,
        demand: Readings,
        outlook: Outlook,
        *,
        now_seconds: float,
        without: frozenset[Part],
    ) -> tuple[Sight, Foresight]:
        """As `look`, but for what is foreseen."""
        sight, foresight = look(sight, model, demand, outlook, now_seconds=now_seconds, without=without)
        start, width = windows(outlook.lead_seconds, step_seconds=outlook.step_seconds)
        passed = now_seconds - self.epoch_seconds
        places = np.arange(self.rates_rps.shape[1]) * BIN_SECONDS
        come = np.empty_like(foresight.demand_rps)
        for target in Target:
            first, last = passed + start[:, target], passed + start[:, target] + width[:, target]
            inside = (places > first[:, None] - BIN_SECONDS) & (places < last[:, None])
            come[:, target] = np.where(inside, self.rates_rps, 0.0).max(axis=1)[:, None]
        trust = np.full(len(sight), Trust.GOOD)
        return sight, Foresight(levels=foresight.levels, demand_rps=come, trust=trust)
