"""Synthetic loads, of which no trace has enough: steady ones, steps, ramps, spikes and clocks.

The traces that train have steps of a minute and more, most of them of ten minutes. None of them is steady, and a load
test, a new customer or a timer is no rarity in a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.forecast.history import DAY_MINUTES, SLOT_SECONDS

DAY_SLOTS: Final = 4 * DAY_MINUTES
SLOTS: Final = 8 * DAY_SLOTS
MINUTE_SLOTS: Final = 4
# Times between two changes, seconds.
SOONEST, LATEST = 600.0, 43_200.0
# Of clocks, minutes: as people write them into cron.
PERIODS_MINUTES: Final = (2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1_440)
LONGEST_PULSE_SLOTS: Final = 40


def steady(random: np.random.Generator) -> Floats:
    """As it is, for ever."""
    return np.ones(SLOTS)


def steps(random: np.random.Generator) -> Floats:
    """One level after the other, each lasting; up as often as down."""
    starts = _moments(random)
    return np.exp(np.repeat(_levels(random, len(starts)), np.diff([*starts, SLOTS])))


def ramps(random: np.random.Generator) -> Floats:
    """Straight from one level to the next."""
    starts = _moments(random)
    return np.interp(np.arange(SLOTS), starts, np.exp(_levels(random, len(starts))))


def spikes(random: np.random.Generator) -> Floats:
    """On a level or a day, crowds that come within five minutes and fade by e within an hour."""
    load: Floats = _day(random)
    for start in _moments(random)[1:]:
        rise = int(random.integers(1, 20))
        fade = np.exp(random.uniform(np.log(8.0), np.log(240.0)))
        after = np.arange(SLOTS - start)
        shape = np.minimum(after / rise, 1.0) * np.exp(-np.maximum(after - rise, 0) / fade)
        load[start:] += np.exp(random.uniform(np.log(0.3), np.log(8.0))) * shape
    return load


def clocks(random: np.random.Generator) -> Floats:
    """On a level or a day, one to three timers: pulses of a fixed period, some of them late or left out."""
    load: Floats = _day(random) * np.exp(random.uniform(np.log(0.01), 0.0))
    for _ in range(random.integers(1, 4)):
        period = MINUTE_SLOTS * int(random.choice(PERIODS_MINUTES))
        starts = np.arange(random.integers(period), SLOTS, period)
        starts = starts[random.random(len(starts)) >= random.choice([0.0, 0.0, 0.05])]
        starts = starts + random.integers(0, random.choice([1, 1, 3, 8]), len(starts))
        length = int(np.exp(random.uniform(0.0, np.log(min(LONGEST_PULSE_SLOTS, period)))))
        height = np.exp(random.uniform(np.log(0.2), np.log(3.0)))
        heights = height * np.exp(random.choice([0.0, 0.1, 0.4]) * random.standard_normal(len(starts)))
        pulses = np.zeros(SLOTS + LONGEST_PULSE_SLOTS + 8)
        for begin in range(length):
            np.add.at(pulses, starts + begin, heights)
        load = load + pulses[:SLOTS]
    return load


KINDS: Final[Mapping[str, Callable[[np.random.Generator], Floats]]] = {
    one.__name__: one for one in (steady, steps, ramps, spikes, clocks)
}


def synthetic(kind: str, random: np.random.Generator) -> Floats:
    """One load of that kind: the rate of each quarter minute, in units of its highest."""
    load = KINDS[kind](random)
    highest: Floats = load / load.max()
    return highest


def _moments(random: np.random.Generator) -> Ints:
    """When something changes, by a rate of its own; the first at once."""
    mean = np.exp(random.uniform(np.log(SOONEST), np.log(LATEST))) / SLOT_SECONDS
    gaps = random.exponential(mean, int(3 * SLOTS / mean) + 8)
    moments = np.cumsum(gaps).astype(np.int64)
    found: Ints = np.unique([0, *moments[moments < SLOTS]])
    return found


def _levels(random: np.random.Generator, count: int) -> Floats:
    """Logarithms: a walk that comes back."""
    spread = random.uniform(0.1, 0.8)
    levels = np.zeros(count)
    for place in range(1, count):
        levels[place] = 0.7 * levels[place - 1] + spread * random.standard_normal()
    return levels


def _day(random: np.random.Generator) -> Floats:
    """A day of some depth, or none."""
    depth = random.choice([0.0, random.uniform(0.1, 0.95)])
    phase = random.uniform(0.0, 1.0)
    day: Floats = 1.0 - 0.5 * depth * (1.0 + np.cos(2.0 * np.pi * (np.arange(SLOTS) / DAY_SLOTS + phase)))
    return day
