"""Replicas by the clock: each hour of the day gets what that hour needed in the past, as a cron trigger would."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, between, check_range, labels, whole_replicas
from foretide.simulate.peers.profile import Profile

HOUR_SECONDS: Final = 3600
HOURS: Final = 24
# Below two weeks there are at most two weekends in the past, and often one or none.
PAST_FOR_WEEKENDS_SECONDS: Final = 14 * 24 * HOUR_SECONDS
# Day 0 of Unix time was a Thursday.
EPOCH_WEEKDAY: Final = 3
SATURDAY: Final = 5


class ScheduledRule(IntEnum):
    THIS_HOUR = 0
    NEXT_HOUR = 1
    NO_PAST = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScheduledMemory:
    """Replicas per service, kind of day (weekday, weekend) and hour; 0 where the past said nothing."""

    replicas: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """For each hour as many replicas as that hour needed in the past.

    Hours are of UTC, as cron triggers have them by default. Weekends have hours of their own after two weeks."""

    profile: Profile
    target_utilisation: float = 0.7
    margin: float = 0.1  # more demand than the peak of that hour
    lead_seconds: float = 600.0  # the more of two hours counts this long before the second begins
    tick_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_range("target_utilisation", self.target_utilisation, 0.01, 10.0)
        check_range("margin", self.margin, 0.0, 10.0)
        check_range("lead_seconds", self.lead_seconds, 0.0, HOUR_SECONDS)
        check_range("tick_seconds", self.tick_seconds, 1.0, HOUR_SECONDS)

    @property
    def queries(self) -> tuple[Query, ...]:
        return ()

    def start(self, past: Past) -> ScheduledMemory:
        """From the peak of each hour of the past; of an hour that the past has not, from the peak of all."""
        peaks = hourly_peaks(past)
        overall = peaks.max(axis=(1, 2), keepdims=True, initial=-np.inf)
        demand = np.where(np.isfinite(peaks), peaks, overall) * (1.0 + self.margin)
        share = self.target_utilisation * self.profile.saturation_rps[:, None, None]
        return ScheduledMemory(
            replicas=np.where(np.isfinite(demand), np.maximum(whole_replicas(np.maximum(demand, 0.0) / share), 1), 0)
        )

    def decide(self, seen: Observation, memory: ScheduledMemory) -> PeerAnswer[ScheduledMemory]:
        """The most of this hour and of the one that begins within the lead time."""
        now = self._replicas(memory, seen.now_seconds)
        soon = self._replicas(memory, seen.now_seconds + self.lead_seconds)
        wanted = np.maximum(now, soon)
        return answer(
            desired=between(np.where(wanted > 0, wanted, seen.fleet.replicas), seen.bounds),
            rule=np.select(
                [wanted == 0, soon > now], [ScheduledRule.NO_PAST, ScheduledRule.NEXT_HOUR], ScheduledRule.THIS_HOUR
            ),
            rules=labels(ScheduledRule),
            memory=memory,
            seen=seen,
        )

    def _replicas(self, memory: ScheduledMemory, at_seconds: float) -> Ints:
        hour = math.floor(at_seconds / HOUR_SECONDS)
        kind, hour_of_day = _bin(np.array([hour]))
        replicas: Ints = memory.replicas[:, kind[0], hour_of_day[0]]
        return replicas


def hourly_peaks(past: Past) -> Floats:
    """The largest demand per service, kind of day and hour of the day; -inf where nothing is known.

    A step counts for each hour that it touches. A past of less than two weeks has one kind of day.
    """
    services, steps = past.demand.value.shape
    demand = np.where(past.demand.known, past.demand.value, -np.inf)
    begins = past.end_seconds - past.step_seconds * np.arange(steps, 0, -1)
    first = np.floor(begins / HOUR_SECONDS).astype(np.int64)
    two_kinds = steps * past.step_seconds >= PAST_FOR_WEEKENDS_SECONDS
    peaks = np.full((services, 2, HOURS), -np.inf)
    for later in range(math.ceil(past.step_seconds / HOUR_SECONDS) + 1):
        touches = (first + later) * HOUR_SECONDS < begins + past.step_seconds
        kind, hour = _bin(first + later)
        for kind_of_day in (0, 1):
            for hour_of_day in range(HOURS):
                chosen = touches & (hour == hour_of_day) & ((kind == kind_of_day) | (not two_kinds))
                peak = demand[:, chosen].max(axis=1, initial=-np.inf)
                peaks[:, kind_of_day, hour_of_day] = np.maximum(peaks[:, kind_of_day, hour_of_day], peak)
    return peaks


def _bin(hours: Ints) -> tuple[Ints, Ints]:
    """(0 on weekdays or 1 at weekends, hour of the day) of hours since 1970."""
    weekday = (hours // HOURS + EPOCH_WEEKDAY) % 7
    return (weekday >= SATURDAY).astype(np.int64), hours % HOURS
