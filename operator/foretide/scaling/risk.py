"""Which quantile is provided for: as much risk as the error budget allows.

A newsvendor who loses (1 - objective) of a replica's time with a replica too many and all of it with one too few
stocks the quantile `objective` (Arrow, Harris, Marschak 1951). That is where every service begins. How much is late
at that quantile differs: a smooth load exceeds it by little, a bursty one by all there is. So the quantile moves, as
far as what is late, foreseen and measured, leaves the budget whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats
from foretide.scaling.capacity.attainment import late_share
from foretide.scaling.capacity.rate import Capacity
from foretide.scaling.normal import normal_score

# Normal scores: the quantile 0.99 may become 0.63, and 0.998.
LEAST_SHIFT: Final = -2.0
MOST_SHIFT: Final = 0.5
HIGHEST_SCORE: Final = 3.3
# Of the budget, what may be late as foreseen; the rest is for what nobody foresees.
FORESEEN_SHARE: Final = 0.5
# Forecasts of wild loads are too high: on one of 5 min steps half the budget was foreseen to be late all day, and a
# tenth of that was. What may be late as foreseen is corrected by that ratio, which starts at 1: as if the whole budget
# had been foreseen, and been late, for so many hours before. On the series that choose (2 min) that was 1.86 times the
# optimum for 1.94; with 2 as the largest ratio 1.94, and more late.
PRIOR_HOURS: Final = 1.5
LEAST_BIAS, MOST_BIAS = 0.5, 4.0
# What happened between two looks that are further apart is not known.
LONGEST_TICK_SECONDS: Final = 60.0
# All requests late at 99 %: an hour of it does not count for more than four days of a whole budget each.
MOST_BUDGETS: Final = 100.0
# Of the normal score, per tick of 15 s, for each time that the foreseen share is over; a score takes an hour or two.
GAIN: Final = 0.003
MOST_RATIO: Final = 10.0
# Measured late requests are remembered for a day, weighted by requests: a flash crowd that nobody could foresee is no
# reason to provide for the next one all afternoon.
BURN_SECONDS: Final = 86_400.0
# For each time that the whole budget is burnt the score rises by this, at once.
BURN_SHIFT: Final = 0.25
USUAL_TICK_SECONDS: Final = 15.0
# A quiet hour counts as so much of a replica, or idle services would have no budget to weigh against.
LEAST_USUAL_REPLICAS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Risk:
    """One row per service."""

    saved: Floats  # <= 0: normal score given up, for little is late as foreseen
    late_rps: Floats  # discounted means of what was measured
    demand_rps: Floats
    # Discounted sums over time, in budgets of a usual hour.
    foreseen_hours: Floats  # of what was foreseen to be late
    late_hours: Floats  # of what was

    @classmethod
    def fresh(cls, services: int) -> Risk:
        """As the objective has it."""
        nothing = np.zeros(services)
        return cls(saved=nothing, late_rps=nothing, demand_rps=nothing, foreseen_hours=nothing, late_hours=nothing)

    def burn(self, objective: Floats) -> Floats:
        """How many times the budget is being used up; 0 where nothing was measured."""
        share = self.late_rps / np.where(self.demand_rps > 0.0, self.demand_rps, 1.0)
        burn: Floats = np.clip(share / np.maximum(1.0 - objective, 1e-6), 0.0, 1e3)
        return burn

    @property
    def bias(self) -> Floats:
        """How many times more is foreseen to be late than is late."""
        ratio: Floats = (self.foreseen_hours + PRIOR_HOURS) / (self.late_hours + PRIOR_HOURS)
        return np.clip(ratio, LEAST_BIAS, MOST_BIAS)

    def score(self, objective: Floats) -> Floats:
        """Normal score of the quantile to provide for."""
        objective = np.nan_to_num(objective, nan=0.99)
        shift = self.saved + BURN_SHIFT * np.maximum(self.burn(objective) - 1.0, 0.0)
        base = normal_score(np.clip(objective, 0.5, 0.9999))
        score: Floats = np.minimum(base + np.clip(shift, LEAST_SHIFT, MOST_SHIFT), HIGHEST_SCORE)
        return score

    def measured(self, demand_rps: Floats, late_rps: Floats, *, known: Bools, elapsed_seconds: Floats) -> Risk:
        """With what was asked for and what of it was late since the last look.

        Before the first look a service is taken to have been asked for as much, with nothing late: one overloaded
        minute of a service that is five minutes old would else be a fifth of all there was.
        """
        before = np.where(known & (self.demand_rps <= 0.0), demand_rps, self.demand_rps)
        fade = np.where(known, np.exp(-elapsed_seconds / BURN_SECONDS), 1.0)
        return replace(
            self,
            late_rps=fade * self.late_rps + (1.0 - fade) * np.where(known, late_rps, 0.0),
            demand_rps=fade * before + (1.0 - fade) * np.where(known, demand_rps, 0.0),
        )

    def foreseen(
        self,
        demand_rps: Floats,
        late_rps: Floats,
        *,
        measured_rps: Floats,
        usual_rps: Floats,
        objective: Floats,
        known: Bools,
        elapsed_seconds: Floats,
    ) -> Risk:
        """Moves towards the quantile at which, over a day, the foreseen late requests are their share of the budget.

        `measured_rps` is what is late now; `usual_rps` the mean demand of the last day: what is late in a quiet hour
        weighs little.
        """
        usual = np.maximum(usual_rps, 1e-9)
        budget = np.maximum(1.0 - objective, 1e-6) * usual
        allowed = FORESEEN_SHARE * self.bias * budget
        over = np.clip(late_rps / allowed, 0.0, MOST_RATIO) - np.clip(demand_rps / usual, 0.0, MOST_RATIO)
        step = GAIN * np.minimum(elapsed_seconds / USUAL_TICK_SECONDS, 4.0)
        fade = np.exp(-elapsed_seconds / BURN_SECONDS)
        hours = np.minimum(elapsed_seconds, LONGEST_TICK_SECONDS) / 3_600.0

        def summed(before: Floats, rps: Floats) -> Floats:
            return np.where(known, fade * before + hours * np.clip(rps / budget, 0.0, MOST_BUDGETS), before)

        return replace(
            self,
            saved=np.clip(self.saved + np.where(known, step * over, 0.0), LEAST_SHIFT, 0.0),
            foreseen_hours=summed(self.foreseen_hours, late_rps),
            late_hours=summed(self.late_hours, measured_rps),
        )


def late_rps(demand_rps: Floats, replicas: Floats, capacity: Capacity) -> Floats:
    """Of a demand (any shape [services, ...]) on so many replicas (of each service), the late requests a second."""
    axes = (slice(None),) + (None,) * (demand_rps.ndim - 1)
    saturation = (np.maximum(replicas, 1e-3) * capacity.rate_rps / capacity.utilisation)[axes]
    share = late_share(
        demand_rps / saturation, utilisation=capacity.utilisation[axes], objective=capacity.objective[axes]
    )
    late: Floats = demand_rps * share
    return late
