"""What SREs set of each service (a ScalingPolicy), and what was found of it before it ran here (a ModelProfile)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats
from foretide.scaling.capacity.law import Law

# Share of the replicas that one decision may take away (at least one replica).
USUAL_STEP_DOWN: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tuning:
    """One row per service. NaN: as Foretide finds best."""

    forecasts: Bools  # what is foreseen may add replicas; else decisions are reactive
    quantile: Floats  # that is provided for, from 0.5 to below 1; NaN: as the error budget allows
    season_seconds: Floats  # after which the load repeats itself; NaN: as is found
    hold_seconds: Floats  # for which a replica is kept that is no longer needed; NaN: by the lead time
    step_up: Floats  # share of the replicas that one decision may add, at least one; inf: any number
    step_down: Floats  # and take away
    blind_seconds: Floats  # for which replicas stay as they are while the load is unknown
    grows_blind: Bools  # after that, to what the last day needed at most
    advisory: Bools  # decisions are told and not done

    @classmethod
    def usual(cls, services: int) -> Tuning:
        """Without a ScalingPolicy."""
        nothing, no = np.full(services, np.nan), np.zeros(services, dtype=np.bool_)
        return cls(
            forecasts=np.ones(services, dtype=np.bool_),
            quantile=nothing,
            season_seconds=nothing,
            hold_seconds=nothing,
            step_up=np.full(services, np.inf),
            step_down=np.full(services, USUAL_STEP_DOWN),
            blind_seconds=np.full(services, 1_800.0),
            grows_blind=no,
            advisory=no,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What a ModelProfile says; one row per service, NaN where there is none."""

    per_item_seconds: Floats
    fixed_seconds: Floats
    largest: Floats  # batch that it was measured with
    cold_start_seconds: Floats  # nine of ten replicas are ready after it

    @classmethod
    def nothing(cls, services: int) -> Told:
        """Of no service."""
        unknown = np.full(services, np.nan)
        return cls(per_item_seconds=unknown, fixed_seconds=unknown, largest=unknown, cold_start_seconds=unknown)

    def until_measured(self, law: Law) -> Law:
        """The law, where nothing is measured as it was told.

        Where batches of one size were seen, the told one as much faster or slower as those are: a time makes no line,
        and from the first ten single requests on a replica would be counted on for single ones, a sixth of what it can
        do. Where two sizes were, what is measured alone, for as large batches as it was told for.
        """
        given = np.isfinite(self.per_item_seconds + self.fixed_seconds + self.largest)
        one_size = law.known & ((law.largest == 1.0) | ~law.single_known)
        at_size = self.per_item_seconds * law.largest + self.fixed_seconds
        pace = np.where(one_size, law.fixed_seconds / np.where(given & (at_size > 0.0), at_size, 1.0), 1.0)
        shaped = given & (~law.known | one_size)
        return replace(
            law,
            per_item_seconds=np.where(shaped, pace * self.per_item_seconds, law.per_item_seconds),
            fixed_seconds=np.where(shaped, pace * self.fixed_seconds, law.fixed_seconds),
            largest=np.where(given, np.fmax(self.largest, law.largest), law.largest),
            known=law.known | given,
            single_known=law.single_known | shaped,
            told=given & ~law.known,
        )
