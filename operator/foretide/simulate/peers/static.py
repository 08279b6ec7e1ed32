"""A fixed number of replicas, sized once for the peak of the past: what many users do today."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.scaling.readings import Readings
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, between, check_range, labels, whole_replicas
from foretide.simulate.peers.profile import Profile


class StaticRule(IntEnum):
    PEAK = 0
    NO_PAST = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StaticMemory:
    replicas: Ints  # 0: the past said nothing


def demand_quantile(demand: Readings, share: float) -> Readings:
    """The smallest demand of each row that is not exceeded in that share of its known steps."""
    steps = demand.known.sum(axis=1)
    position = np.clip(np.ceil(share * steps - 1e-9).astype(np.int64) - 1, 0, np.maximum(steps - 1, 0))
    if demand.value.shape[1] == 0:
        return Readings.unknown(len(demand))
    ordered: Floats = np.sort(np.where(demand.known, demand.value, np.inf), axis=1)
    return Readings.checked(np.take_along_axis(ordered, position[:, None], axis=1)[:, 0], steps > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """The same number always.

    It is `replicas` if given, else what the quantile of the past demand (1: its peak) needs at the share of saturation.
    """

    profile: Profile
    replicas: int | None = None
    quantile: float = 1.0
    target_utilisation: float = 0.7
    tick_seconds: float = 300.0

    def __post_init__(self) -> None:
        if self.replicas is not None:
            check_range("replicas", self.replicas, 1, 1_000_000)
        check_range("quantile", self.quantile, 0.0, 1.0)
        check_range("target_utilisation", self.target_utilisation, 0.01, 10.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, 86400.0)

    @property
    def queries(self) -> tuple[Query, ...]:
        return ()

    def start(self, past: Past) -> StaticMemory:
        """Sized once; it never looks again."""
        if self.replicas is not None:
            return StaticMemory(replicas=np.full(past.services, self.replicas, dtype=np.int64))
        peak = demand_quantile(past.demand, self.quantile)
        needed = whole_replicas(peak.value / (self.target_utilisation * self.profile.saturation_rps))
        return StaticMemory(replicas=np.where(peak.known, np.maximum(needed, 1), 0))

    def decide(self, seen: Observation, memory: StaticMemory) -> PeerAnswer[StaticMemory]:
        """The fixed number within the bounds, or what is there if nobody knows better."""
        known = memory.replicas > 0
        return answer(
            desired=between(np.where(known, memory.replicas, seen.fleet.replicas), seen.bounds),
            rule=np.where(known, StaticRule.PEAK, StaticRule.NO_PAST),
            rules=labels(StaticRule),
            memory=memory,
            seen=seen,
        )
