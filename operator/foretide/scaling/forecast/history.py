"""What was asked for so far: quarter minutes of the last while, minutes of two weeks, hours of the same.

Values are immutable like all others here: an append makes a new newest block and shares all older ones, so that a tick
of 5,000 services copies 16 MB and not the 200 MB of their fortnight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from foretide.scaling import rows
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings

SLOT_SECONDS: Final = 15.0
MINUTE_SECONDS: Final = 60.0
DAY_MINUTES: Final = 1_440
# Quarter minutes: 20 minutes, a cold start of 15 minutes and what comes after it.
SLOTS: Final = 80
DAYS: Final = 15  # of minutes: two weeks behind today
# 65,504 is the largest number of the half floats that minutes are kept in.
MOST_ROOT: Final = 65_000.0

Halves: TypeAlias = npt.NDArray[np.float16]
Singles: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Demand in items a second, one row per service; what is not known is NaN, in here and nowhere else.

    `minutes` holds square roots as half floats: wrong by 0.1 % at most, in a quarter of the memory, up to 4e9 items/s.
    """

    slot: int  # the newest quarter minute, counted since the epoch
    recent: Singles  # [services, SLOTS], the newest last
    day: int  # of the newest block, counted since the epoch
    minutes: tuple[Halves, ...]  # each [services, DAY_MINUTES], one per day, the newest last

    @classmethod
    def empty(cls, services: int) -> History:
        """Of services never seen before."""
        return cls(slot=0, recent=np.full((services, SLOTS), np.nan, dtype=np.float32), day=0, minutes=())

    @classmethod
    def of(cls, past: Past) -> History:
        """What a range query returned; raises ValueError for steps that are no whole minutes."""
        return cls.empty(past.services).backfilled(past)

    def __len__(self) -> int:
        return len(self.recent)

    @property
    def minute(self) -> int:
        """The newest minute, which may not be over."""
        return self.slot // 4

    def append(self, demand: Readings, *, now_seconds: float) -> History:
        """With what is known now. Of a quarter minute the newest is kept; a clock that went back a little changes
        nothing, and one that went back by more than `recent` is followed: else one wrong hour stops an hour. One that
        is ahead by DAYS for a tick leaves nothing to go back to."""
        if not math.isfinite(now_seconds):
            raise ValueError(f"now_seconds must be finite, not {now_seconds}")
        slot = math.floor(now_seconds / SLOT_SECONDS)
        if slot < self.slot - SLOTS:
            return self._back_at(slot).append(demand, now_seconds=now_seconds)
        if slot < self.slot:
            return self
        value = np.where(demand.known, np.clip(demand.value, 0.0, MOST_ROOT**2), np.nan)
        passed = min(slot - self.slot, SLOTS)
        recent = np.full_like(self.recent, np.nan)
        recent[:, : SLOTS - passed] = self.recent[:, passed:]
        recent[:, -1] = np.where(demand.known, value, recent[:, -1])
        return _with_minute(replace(self, slot=slot, recent=recent))

    def _back_at(self, slot: int) -> History:
        """As if the days after that slot had not been."""
        day = slot // (4 * DAY_MINUTES)
        kept = self.minutes[: max(len(self.minutes) - (self.day - day), 0)]
        return replace(self, slot=slot, recent=np.full_like(self.recent, np.nan), day=day, minutes=kept)

    def between(self, first: int, last: int) -> Singles:
        """Demand of the minutes from `first` to `last` (since the epoch), oldest first: [services, minutes]."""
        columns: list[Halves] = []
        for day in range(first // DAY_MINUTES, last // DAY_MINUTES + 1):
            begin, stop = max(first - day * DAY_MINUTES, 0), min(last + 1 - day * DAY_MINUTES, DAY_MINUTES)
            back = self.day - day
            if 0 <= back < len(self.minutes):
                columns.append(self.minutes[-1 - back][:, begin:stop])
            else:
                columns.append(np.full((len(self), stop - begin), np.nan, dtype=np.float16))
        roots = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        return np.square(roots, dtype=np.float32)

    def last(self, count: int) -> Singles:
        """Demand of the last whole minutes, oldest first: [services, count]; the one in progress is left out."""
        return self.between(self.minute - count, self.minute - 1)

    def moved_to(self, slot: int, *, days: int) -> History:
        """Nothing known up to that slot, which is not before the newest; with so many days of minutes, or more."""
        moved = self
        if slot > self.slot:
            moved = self.append(Readings.unknown(len(self)), now_seconds=slot * SLOT_SECONDS)
        blank = np.full((len(self), DAY_MINUTES), np.nan, dtype=np.float16)
        return replace(moved, minutes=(blank,) * (days - len(moved.minutes)) + moved.minutes)

    def backfilled(self, past: Past) -> History:
        """With the past, row by row, where nothing was observed; what was observed stays as it is.

        A past that is newer than the newest minute moves on to it. Only the days that it changes are copied. Raises
        ValueError for steps that are no whole minutes, and for another number of services.
        """
        if past.services != len(self):
            raise ValueError(f"a past must be of {len(self)} services, not of {past.services}")
        first, demand = _by_minute(past)
        last = first + demand.shape[1] - 1
        if not demand.shape[1]:
            return self
        history = self.moved_to(4 * last + 3, days=0) if last > self.minute else self
        minutes = list(history.minutes)
        for day in range(max(first // DAY_MINUTES, history.day - DAYS + 1), last // DAY_MINUTES + 1):
            begin, stop = max(first - day * DAY_MINUTES, 0), min(last + 1 - day * DAY_MINUTES, DAY_MINUTES)
            roots = np.sqrt(demand[:, day * DAY_MINUTES + begin - first :][:, : stop - begin]).astype(np.float16)
            if np.isnan(roots).all():
                continue
            back = history.day - day
            minutes[:0] = [np.full((len(self), DAY_MINUTES), np.nan, dtype=np.float16)] * (back + 1 - len(minutes))
            block = minutes[-1 - back].copy()
            block[:, begin:stop] = np.where(np.isnan(block[:, begin:stop]), roots, block[:, begin:stop])
            minutes[-1 - back] = block
        place = (history.slot - np.arange(SLOTS - 1, -1, -1)) // 4 - first
        inside = (place >= 0) & (place <= last - first)
        recent = history.recent.copy()
        recent[:, inside] = np.where(np.isnan(recent[:, inside]), demand[:, place[inside]], recent[:, inside])
        return replace(history, recent=recent, minutes=tuple(minutes))

    @classmethod
    def concatenate(cls, histories: Sequence[History], wanted: Ints | None = None) -> History:
        """All rows of all, or those `wanted` of them, at the newest slot of any."""
        slot = max(history.slot for history in histories)
        moved = [history.moved_to(slot, days=0) for history in histories]
        days = max(len(history.minutes) for history in moved)
        return rows.concatenate([history.moved_to(slot, days=days) for history in moved], wanted)


def _with_minute(history: History) -> History:
    """The minute of the newest slot is the mean of its slots so far."""
    day, place = divmod(history.minute, DAY_MINUTES)
    missing = day - history.day
    blocks = list(history.minutes) if 0 <= missing < DAYS else []
    blank = np.full((len(history), DAY_MINUTES), np.nan, dtype=np.float16)
    blocks += [blank] * (missing if blocks else 1)
    newest = blocks[-1].copy()
    newest[:, place] = np.sqrt(mean(history.recent[:, SLOTS - 1 - history.slot % 4 :]))
    return replace(history, day=day, minutes=(*blocks[-DAYS:-1], newest))


def _by_minute(past: Past) -> tuple[int, Floats]:
    """The first minute, counted since the epoch, and the demand of each from there on; NaN is not known."""
    if past.step_seconds <= 0.0 or past.step_seconds % MINUTE_SECONDS:
        raise ValueError(f"step_seconds must be a multiple of {MINUTE_SECONDS:g}, not {past.step_seconds:g}")
    known = np.where(past.demand.known, np.clip(past.demand.value, 0.0, MOST_ROOT**2), np.nan)
    demand = np.repeat(known, round(past.step_seconds / MINUTE_SECONDS), axis=1)
    last = math.ceil(past.end_seconds / MINUTE_SECONDS - 1e-9) - 1
    return last - demand.shape[1] + 1, demand


def mean(values: npt.NDArray[np.floating]) -> Floats:
    """Of what is known in each row, NaN where nothing is; without the warnings of `np.nanmean`."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def highest(values: npt.NDArray[np.floating]) -> Floats:
    """The largest that is known in each row, NaN where nothing is."""
    return np.asarray(np.fmax.reduce(values, axis=1), dtype=np.float64)


def lowest(values: npt.NDArray[np.floating]) -> Floats:
    """The smallest that is known in each row, NaN where nothing is."""
    return np.asarray(np.fmin.reduce(values, axis=1), dtype=np.float64)
