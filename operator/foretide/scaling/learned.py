"""What is learned of the hardware classes of services that list several. Where one is listed, it is in the memory."""

from __future__ import annotations

from dataclasses import dataclass

from foretide.scaling.arrays import Floats
from foretide.scaling.capacity import kappa
from foretide.scaling.capacity.evidence import Evidence
from foretide.scaling.capacity.rate import Capacity
from foretide.scaling.lead_time import LeadTimes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What is learned of replicas of one kind, whatever their load; one row per service and class."""

    evidence: Evidence
    kappa: Floats
    lead_times: LeadTimes

    def __len__(self) -> int:
        return len(self.kappa)

    @classmethod
    def fresh(cls, length: int) -> Learned:
        """Nothing."""
        return cls(evidence=Evidence.none(length), kappa=kappa.fresh(length), lead_times=LeadTimes.fresh(length))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What that makes of the classes now."""

    learned: Learned
    capacity: Capacity
    lead_seconds: Floats
