"""Samples of one load: what the operator would know at a quarter minute, and what came after it.

All of a sample's features are made of counts up to its newest quarter minute, by the code that the operator runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.forecast.features import Scene, Slow
from foretide.scaling.forecast.history import DAY_MINUTES, DAYS, SLOTS, Halves, History, Singles
from foretide.scaling.forecast.sight import slots

MINUTE_SLOTS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """When the operator looks, and what it asks; one row per sample."""

    newest: Ints  # quarter minute of the load, the last that is known
    age: Ints  # quarter minutes that are known, the newest included: few of a new service
    start_seconds: Floats  # of the window that is asked for, from now
    width_seconds: Floats

    def __len__(self) -> int:
        return len(self.newest)

    @property
    def first(self) -> Ints:
        """Slots from the newest one to the first of the window, as `forecast.sight` scores outcomes."""
        return slots(self.start_seconds, self.width_seconds)[0]

    @property
    def last(self) -> Ints:
        """Slots to its last one."""
        return slots(self.start_seconds, self.width_seconds)[1]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What the model is told, and what it should have said."""

    features: Singles  # [rows, features], by the names of `features.NAMES`
    outcome: Floats  # [rows], log((maximum + floor) / (level + floor))

    def __len__(self) -> int:
        return len(self.outcome)


def samples(counts: Floats, moments: Moments, *, slot: int, floor_rps: float) -> Samples:
    """Of a load of so many items a second in each quarter minute (exact counts / 15 s).

    `slot` is the newest quarter minute on the operator's clock, of all samples: which hour it is makes no difference to
    the features, but where in its minute it is does.
    """
    demand = readings(counts)
    floor = np.full(len(moments), floor_rps)
    history = history_at(counts, demand, moments, slot=slot)
    scene = Scene.of(history, Slow.of(history, floor), floor)
    table = scene.table(start_seconds=moments.start_seconds, width_seconds=moments.width_seconds)
    outcome = np.log(highest_after(demand, moments) + floor) - np.log(scene.level + floor)
    return Samples(table.astype(np.float32), outcome)


def readings(counts: Floats) -> Floats:
    """A rate over 30 s, asked for every 15 s."""
    rates: Floats = 0.5 * (counts + np.concatenate([counts[:1], counts[:-1]]))
    return rates


def highest_after(demand: Floats, moments: Moments) -> Floats:
    """The largest reading in each window."""
    ahead = np.arange(1, int(moments.last.max()) + 1)
    inside = (ahead >= moments.first[:, None]) & (ahead <= moments.last[:, None])
    place = np.minimum(moments.newest[:, None] + ahead, len(demand) - 1)
    highest: Floats = np.where(inside, demand[place], 0.0).max(axis=1)
    return highest


def history_at(counts: Floats, demand: Floats, moments: Moments, *, slot: int) -> History:
    """Readings of the last quarter minutes, means of whole minutes before; nothing from before a service began."""
    place = moments.newest[:, None] + np.arange(1 - SLOTS, 1)
    born = moments.newest - moments.age + 1
    known = place >= np.maximum(born, 0)[:, None]
    day, minute_of_day = divmod(slot // MINUTE_SLOTS, DAY_MINUTES)
    minutes = np.full((len(moments), DAYS * DAY_MINUTES), np.nan, dtype=np.float16)
    whole = (DAYS - 1) * DAY_MINUTES + minute_of_day
    so_far = slot % MINUTE_SLOTS  # of the minute in progress, before the newest slot
    began = moments.newest - so_far
    minutes[:, :whole] = _whole_minutes(counts, began, np.maximum(began - born, 0) // MINUTE_SLOTS, columns=whole)
    recent = np.arange(-so_far, 1)
    minutes[:, whole] = np.sqrt(counts[np.maximum(moments.newest[:, None] + recent, 0)].mean(axis=1))
    return History(
        slot=slot,
        recent=np.where(known, demand[np.maximum(place, 0)], np.nan).astype(np.float32),
        day=day,
        minutes=tuple(minutes.reshape(len(moments), DAYS, DAY_MINUTES).transpose(1, 0, 2)),
    )


def _whole_minutes(counts: Floats, end: Ints, known: Ints, *, columns: int) -> Halves:
    """Roots of the means of the last `known` minutes that end with slot `end` (not included): [rows, columns]."""
    # A minute may begin at each of four slots: four tables, each behind as much of nothing as a row may reach back.
    phases = []
    for phase in range(MINUTE_SLOTS):
        used = (len(counts) - phase) // MINUTE_SLOTS * MINUTE_SLOTS
        means = counts[phase : phase + used].reshape(-1, MINUTE_SLOTS).mean(axis=1)
        phases.append(np.concatenate([np.full(columns, np.nan), np.sqrt(means)]).astype(np.float16))
    begins = np.cumsum([0, *(len(table) for table in phases[:-1])])
    minute, phase_of = np.divmod(end, MINUTE_SLOTS)
    found: Halves = sliding_window_view(np.concatenate(phases), columns)[begins[phase_of] + minute]
    (short,) = np.nonzero(known < np.minimum(minute, columns))
    found[short] = np.where(np.arange(columns) >= columns - known[short, None], found[short], np.float16(np.nan))
    return found
