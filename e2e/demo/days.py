"""The two days beside each other: how the second, foreseen one went, and the first, which nobody knew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from e2e.demo.season import DAYS
from e2e.demo.watch import Look
from e2e.load import Result, report

SMOOTH_SECONDS = 5  # what is asked in one second alone is chance
TREND_SECONDS = 15
MORNING_SHARE = 2 / 3  # of the day, by which its ramp has begun


@dataclass(frozen=True, slots=True)
class Day:
    """One day in numbers; None for what was not measured or did not happen."""

    share_within_slo: float
    seconds_short: int | None  # more was asked than the ready replicas could serve
    replica_seconds: float  # ready ones
    morning: Morning | None


@dataclass(frozen=True, slots=True)
class Morning:
    """When the ramp first asked for one replica more than the night had left, and when that one was ready."""

    replica: int  # which one that is: the second, after a night with one
    needed_at_seconds: float  # in the day
    ready_ahead_seconds: float | None  # of that; below 0: after it; None: never

    @property
    def words(self) -> str:
        """How it met the load."""
        if self.ready_ahead_seconds is None:
            return f"replica {self.replica} needed and never ready"
        when = "before" if self.ready_ahead_seconds >= 0 else "after"
        return f"replica {self.replica} ready {abs(self.ready_ahead_seconds):.0f} s {when} it was needed"


def days(load: Result, looks: Sequence[Look], *, season_seconds: float, slo_seconds: float) -> tuple[Day, ...]:
    """Both days, or nothing if the load ended before they did."""
    length = round(season_seconds)
    if not len(load) or not looks or load.planned_at[-1] < DAYS * season_seconds - 2 * SMOOTH_SECONDS:
        return ()
    asked = asked_rps(load, seconds=DAYS * length).reshape(DAYS, length)
    ready = ready_replicas(load, looks, seconds=DAYS * length).reshape(DAYS, length)
    capacity_rps = capacity_of(looks)
    found = []
    for day in range(DAYS):
        part = load.where(load.planned_at // season_seconds == day)
        sums = report.totals(part, slo_seconds=slo_seconds)
        found.append(
            Day(
                share_within_slo=round(sums.share_within_slo, 5),
                seconds_short=None if capacity_rps is None else short(asked[day], ready[day] * capacity_rps),
                replica_seconds=float(ready[day].sum()),
                morning=None if capacity_rps is None else morning(asked[day], ready[day], capacity_rps),
            )
        )
    return tuple(found)


def short(asked: NDArray[np.float64], served_rps: NDArray[np.float64]) -> int:
    """Seconds in which more was asked than could be served."""
    return int((asked > served_rps).sum())


def asked_rps(load: Result, *, seconds: int) -> NDArray[np.float64]:
    """Of each second: the mean of the five around it."""
    counts = np.bincount(load.planned_at.astype(int), minlength=seconds)[:seconds].astype(np.float64)
    return smooth(counts, SMOOTH_SECONDS)


def smooth(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The mean around each value; at the ends, of those that are there."""
    ones = np.ones(width)
    mean: NDArray[np.float64] = np.convolve(values, ones, mode="same") / np.convolve(
        np.ones(len(values)), ones, mode="same"
    )
    return mean


def ready_replicas(load: Result, looks: Sequence[Look], *, seconds: int) -> NDArray[np.int64]:
    """In the middle of each second, as the last look before it saw it."""
    at = np.array([look.at - load.started_at for look in looks])
    ready = np.array([look.ready for look in looks])
    last = np.searchsorted(at, np.arange(seconds) + 0.5, side="right") - 1
    return ready[np.maximum(last, 0)]


def capacity_of(looks: Sequence[Look]) -> float | None:
    """What one replica can serve: the median over the run, the same for both days; None where nobody told it."""
    told = [look.foreseen.capacity_rps for look in looks if look.foreseen is not None]
    return median(told) if told else None


def morning(asked: NDArray[np.float64], ready: NDArray[np.int64], capacity_rps: float) -> Morning | None:
    """Of one day, second by second; None where the night's replicas were enough for all of it.

    A replica that only stayed from the evening was not foreseen, so it is the next one that counts.
    """
    quiet = night(asked)
    replica = 2
    if (needed := first_after(quiet, asked > capacity_rps)) is not None:
        replica = max(int(ready[quiet : needed + 1].min()), 1) + 1
        needed = first_after(quiet, asked > (replica - 1) * capacity_rps)
    if needed is None:
        return None
    return Morning(replica, float(needed), ready_ahead(ready >= replica, quiet, needed))


def night(asked: NDArray[np.float64]) -> int:
    """The quietest second before the ramp."""
    quiet = smooth(asked, TREND_SECONDS)
    return int(quiet[: int(len(quiet) * MORNING_SHARE)].argmin())


def first_after(start: int, true: NDArray[np.bool_]) -> int | None:
    """The first second from `start` on in which something is true."""
    found = np.flatnonzero(true[start:])
    return start + int(found[0]) if len(found) else None


def ready_ahead(enough: NDArray[np.bool_], quiet: int, needed: int) -> float | None:
    """How long before `needed` there were enough replicas, for good; below 0: how long after it. None: never."""
    if not enough[needed]:
        later = first_after(needed, enough)
        return None if later is None else float(needed - later)
    alone = np.flatnonzero(~enough[quiet:needed])
    return float(needed - quiet - (int(alone[-1]) + 1 if len(alone) else 0))


def comparison(told: Sequence[Day]) -> str:
    """The second day against the first in a sentence."""
    first, second = told
    sentence = f"day 2, foreseen: {words(second)}; day 1, as the load came: {words(first)}"
    return sentence if is_better(first, second) else f"{sentence}. Day 2 was not better this time."


def is_better(first: Day, second: Day) -> bool:
    """More in time or the next replica there earlier, where that is known of both, and neither is worse."""
    gains = [second.share_within_slo - first.share_within_slo]
    if first.morning is not None and second.morning is not None:
        before, after = (
            -math.inf if each.ready_ahead_seconds is None else each.ready_ahead_seconds
            for each in (first.morning, second.morning)
        )
        gains.append(0.0 if before == after else after - before)
    return min(gains) >= 0 and max(gains) > 0


def words(day: Day) -> str:
    """One day."""
    parts = [f"{day.share_within_slo:.2%} in time"]
    if day.morning is not None:
        parts.append(day.morning.words)
    if day.seconds_short is not None:
        parts.append(f"{day.seconds_short} s short of replicas")
    return ", ".join(parts)
