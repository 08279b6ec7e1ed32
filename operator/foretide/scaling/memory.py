"""What a decision must remember: the hold, the items per request, batch times, cold starts, demand, forecasts, risk.

Rows of services are cut out, put together and reordered here; `journal` writes and reads as text what must outlive the
operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.budget import Spending
from foretide.scaling.capacity import kappa
from foretide.scaling.capacity.evidence import Evidence
from foretide.scaling.forecast.sight import Sight
from foretide.scaling.lead_time import LeadTimes
from foretide.scaling.risk import Risk
from foretide.scaling.window import Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """One row per service, like everything else."""

    window: Window
    items_per_request: Floats
    evidence: Evidence
    kappa: Floats  # observed latency over predicted
    lead_times: LeadTimes
    sight: Sight
    risk: Risk
    spending: Spending  # of the error budget
    looked_seconds: Floats  # wall clock of the last tick; 0 before the first

    def __len__(self) -> int:
        return len(self.items_per_request)

    @classmethod
    def fresh(cls, services: int) -> Memory:
        """Of services never seen before."""
        return cls(
            window=Window.fresh(services),
            items_per_request=np.ones(services),
            evidence=Evidence.none(services),
            kappa=kappa.fresh(services),
            lead_times=LeadTimes.fresh(services),
            sight=Sight.fresh(services),
            risk=Risk.fresh(services),
            spending=Spending.fresh(services),
            looked_seconds=np.zeros(services),
        )

    @classmethod
    def concatenate(cls, memories: Sequence[Memory], wanted: Ints | None = None) -> Memory:
        """All rows of all memories, in order, or those `wanted` of them."""
        if not memories:
            return cls.fresh(0)
        if len(memories) == 1:
            return memories[0] if wanted is None else memories[0].take(wanted)
        columns = {field.name: [getattr(memory, field.name) for memory in memories] for field in fields(cls)}
        sights = columns.pop("sight")
        return cls(
            sight=Sight.concatenate(sights, wanted),
            **{name: rows.concatenate(one, wanted) for name, one in columns.items()},
        )

    def take(self, wanted: Ints) -> Memory:
        """The rows in this order; -1 gives the fresh memory of a service that was not there."""
        # Nothing changed, as nearly always: a fortnight of minutes of 5,000 services is not copied for that.
        if np.array_equal(wanted, np.arange(len(self))):
            return self
        whole = self if (wanted >= 0).all() else Memory.concatenate([self, Memory.fresh(1)])
        return rows.take(whole, wanted)
