"""What the global model is told about a service: ratios to its present level, so that it knows no sizes and no units.

Nearly every feature is log((x + floor) / (level + floor)): a service of 3 requests a second and one of 30,000 look
alike, and loads below the floor, a tenth of a replica, look like nothing, which they are. NaN: not known.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.forecast import season
from foretide.scaling.forecast.history import DAY_MINUTES, History, highest, lowest, mean

# The same window so many minutes ago; an hour more and less than a day: clocks are set.
LAGS_MINUTES: Final = (20, 30, 60, 120, 180, 240, 360, 720, 1_380, 1_440, 1_500, 2_880, 4_320, 10_080)
GROWTH_LAGS: Final = LAGS_MINUTES[2:]
DAY_LAGS: Final = (1_440, 2_880, 4_320, 5_760, 7_200, 8_640, 10_080)
HOUR_LAGS: Final = (60, 120, 180, 240, 300, 360)
ALL_LAGS: Final = tuple(sorted({*LAGS_MINUTES, *DAY_LAGS, *HOUR_LAGS}))
# Blocks of whole days in `Slow.max_week`, today's included: nothing of it looks further back.
WEEK_BLOCKS: Final = 7
# Quarter minutes between two looks at whole days: ten minutes.
RENEWED_AFTER_SLOTS: Final = 40
RENEWED_TOGETHER: Final = 250
# Two minutes in a service's first four hours, when each minute tells much of what is known.
YOUNG_MINUTES: Final = 240
RENEWED_YOUNG_SLOTS: Final = 8
# The level at a lag is the mean of so many minutes, the last one that of the moment: none of what came after it.
LEVEL_MINUTES: Final = 2
NAMES: Final = (
    "start",
    "width",
    "level",
    "newest",
    *(f"{kind}_{slots * 15}s" for slots in (8, 20, 60) for kind in ("max", "min")),
    *(f"{kind}_{minutes}m" for minutes in (5, 15, 60, 180, 1440) for kind in ("mean", "max")),
    "max_7d",
    "spread_15m",
    "spread_60m",
    "spread_180m",
    "idle_1440m",
    *(f"lag_{minutes}" for minutes in LAGS_MINUTES),
    *(f"growth_{minutes}" for minutes in GROWTH_LAGS),
    "days_max",
    "days_mean",
    "days_growth_max",
    "hours_max",
    "hours_mean",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slow:
    """What whole days tell, per service. Each is renewed after ten minutes, and they are spread over those: 5,000 days
    of minutes take 2 s."""

    slot: Ints  # when it was computed; -1: never, all else is NaN
    mean_day: Floats
    max_day: Floats
    max_week: Floats
    idle_day: Floats
    season_minutes: Floats  # after which the load repeats itself; NaN: not found

    @classmethod
    def fresh(cls, services: int) -> Slow:
        """Nothing was computed yet."""
        unknown = np.full(services, np.nan)
        never = np.full(services, -1, dtype=np.int64)
        return cls(
            slot=never,
            mean_day=unknown,
            max_day=unknown,
            max_week=unknown,
            idle_day=unknown,
            season_minutes=unknown,
        )

    @classmethod
    def of(cls, history: History, floor: Floats) -> Slow:
        """Of the newest minutes, for all."""
        yesterday, day = np.split(history.last(2 * DAY_MINUTES), 2, axis=1)
        began_before: Bools = np.any(yesterday >= floor[:, None], axis=1)
        blocks = [highest(block) ** 2 for block in history.minutes[-WEEK_BLOCKS:]]
        return cls(
            slot=np.full(len(history), history.slot, dtype=np.int64),
            mean_day=mean(day),
            max_day=highest(day),
            max_week=highest(np.stack(blocks, axis=1)) if blocks else np.full(len(history), np.nan),
            idle_day=mean(np.where(np.isfinite(day), day < floor[:, None], np.nan)),
            season_minutes=season.period_minutes(day, floor, began_before),
        )

    def renewed(self, history: History, floor: Floats) -> Slow:
        """With what was never computed or is too old (or of a clock that was ahead) as it is now."""
        never, age = self.slot < 0, history.slot - self.slot
        before = history.between(history.minute - YOUNG_MINUTES - LEVEL_MINUTES, history.minute - YOUNG_MINUTES)
        young = ~np.isfinite(before).any(axis=1)
        due = never | (age >= np.where(young, RENEWED_YOUNG_SLOTS, RENEWED_AFTER_SLOTS)) | (age < 0)
        if not due.any():
            return self
        found = {field.name: getattr(self, field.name).copy() for field in fields(self)}
        some = np.flatnonzero(due)
        # A few at a time: at the first tick all are due, and a copy of all that is known of them takes 200 MiB.
        for part in np.array_split(some, -(-len(some) // RENEWED_TOGETHER)):
            now = Slow.of(rows.take(history, part), floor[part])
            for name, column in found.items():
                column[part] = getattr(now, name)
        # All at once at the first look, and no more later: each looks older than it is by another share of the time,
        # drawn from the last digits of its own load, so that no row depends on its place.
        early = np.ascontiguousarray(history.recent[:, -1]).view(np.int32) % RENEWED_AFTER_SLOTS
        found["slot"] = np.where(never, np.maximum(history.slot - early, 0), found["slot"])
        return Slow(**found)


def level(history: History) -> Floats:
    """The last minute's mean, or what is known of the ones before; NaN where nothing is known of 20 minutes."""
    found = mean(history.recent[:, -4:])
    for slots in (8, 20, history.recent.shape[1]):
        unknown = ~np.isfinite(found)
        if not unknown.any():
            break
        found = np.where(unknown, mean(history.recent[:, -slots:]), found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """All that does not depend on the window that is asked for."""

    history: History
    floor: Floats
    level: Floats
    levels: dict[int, Floats]  # by lag
    columns: Floats  # [services, 21 features]

    @classmethod
    def of(cls, history: History, slow: Slow, floor: Floats) -> Scene:
        """Of the newest minutes."""
        now = level(history)
        base = np.log(now + floor)

        def ratio(values: Floats) -> Floats:
            return np.log(values + floor) - base

        recent = history.recent
        columns = [np.log(now / floor + 1.0), ratio(recent[:, -1].astype(np.float64))]
        for slots in (8, 20, 60):
            columns += [ratio(highest(recent[:, -slots:])), ratio(lowest(recent[:, -slots:]))]
        hours = history.last(180)
        for minutes in (5, 15, 60, 180):
            columns += [ratio(mean(hours[:, -minutes:])), ratio(highest(hours[:, -minutes:]))]
        columns += [ratio(slow.mean_day), ratio(slow.max_day), ratio(slow.max_week)]
        steps = np.log(hours + floor.astype(np.float32)[:, None])
        for minutes in (15, 60, 180):
            columns.append(_spread(steps[:, -minutes:]))
        columns.append(slow.idle_day)
        levels = {
            lag: mean(history.between(history.minute - lag - LEVEL_MINUTES + 1, history.minute - lag))
            for lag in {*GROWTH_LAGS, *DAY_LAGS}
        }
        return cls(history=history, floor=floor, level=now, levels=levels, columns=np.stack(columns, axis=1))

    def table(self, *, start_seconds: Floats, width_seconds: Floats) -> Floats:
        """[services, features] for the maximum over [now + start, now + start + width], by the names of `NAMES`."""
        base = np.log(self.level + self.floor)
        minute = self.history.minute
        first = minute + np.floor(start_seconds / 60.0).astype(np.int64)
        last = minute + np.ceil((start_seconds + width_seconds) / 60.0).astype(np.int64)
        peaks = {lag: np.log(_peak(self.history, first - lag, last - lag) + self.floor) for lag in ALL_LAGS}
        growth = {lag: peaks[lag] - np.log(self.levels[lag] + self.floor) for lag in self.levels}
        days = np.stack([peaks[lag] - base for lag in DAY_LAGS], axis=1)
        hours = np.stack([peaks[lag] - base for lag in HOUR_LAGS], axis=1)
        return np.column_stack(
            [
                np.log(start_seconds),
                np.log(width_seconds),
                self.columns,
                *(peaks[lag] - base for lag in LAGS_MINUTES),
                *(growth[lag] for lag in GROWTH_LAGS),
                highest(days),
                mean(days),
                highest(np.stack([growth[lag] for lag in DAY_LAGS], axis=1)),
                highest(hours),
                mean(hours),
            ]
        )


def _spread(logs: Floats) -> Floats:
    """Standard deviation of what is known."""
    return np.sqrt(np.maximum(mean(np.square(logs)) - mean(logs) ** 2, 0.0))


def _peak(history: History, first: Ints, last: Ints) -> Floats:
    """The largest minute from `first` to `last`, a minute more on either side; NaN for a window that is not over."""
    if not len(first):
        return np.zeros(0)
    begin, end = int(first.min()) - 1, int(last.max()) + 1
    table = history.between(begin, end)
    minute = np.arange(begin, end + 1)
    inside = (minute >= first[:, None] - 1) & (minute <= last[:, None] + 1)
    found = np.fmax.reduce(table, axis=1, where=inside, initial=-1.0).astype(np.float64)
    return np.where((last + 1 < history.minute) & (found >= 0.0), found, np.nan)
