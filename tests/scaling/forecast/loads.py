"""Loads of every shape, as a service's minutes and ticks show them, and somebody who looks at them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.foresight import Foresight
from foretide.scaling.forecast.model import shipped
from foretide.scaling.forecast.sight import Outlook, Sight, look
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings

TICK: Final = 15.0
MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0
# Midnight, as Unix time has it.
MIDNIGHT: Final = 20_420 * DAY
LEAD: Final = 60.0
FLOOR: Final = 1.0

# Items a second at any Unix times; NaN is not known.
Load = Callable[[Floats], Floats]


def noise(times: Floats, spread: float) -> Floats:
    """Lognormal, the same at each call."""
    return np.asarray(np.exp(spread * np.random.default_rng(0).standard_normal(times.shape)))


def daily(times: Floats) -> Floats:
    """From 20 at night to 180 at noon."""
    return 100.0 - 80.0 * np.cos(2.0 * np.pi * times / DAY)


def stepped(times: Floats) -> Floats:
    """20, and 200 from nine to five, each day."""
    hour = times % DAY / HOUR
    return np.where((hour >= 9.0) & (hour < 17.0), 200.0, 20.0)


def shifted(times: Floats) -> Floats:
    """The daily wave; since yesterday people get up an hour earlier."""
    return daily(np.where(times > MIDNIGHT - DAY, times + HOUR, times))


def growing(times: Floats) -> Floats:
    """From next to nothing by e an hour."""
    return np.asarray(1e-3 * np.exp(np.clip((times - MIDNIGHT) / HOUR, -50.0, 16.0)), dtype=np.float64)


SHAPES: Final[Mapping[str, Load]] = {
    "constant": lambda times: np.full(times.shape, 50.0),
    "idle": lambda times: np.zeros(times.shape),
    "unknown": lambda times: np.full(times.shape, np.nan),
    "huge": lambda times: np.full(times.shape, 1e300),
    "infinite": lambda times: np.full(times.shape, np.inf),
    "negative": lambda times: np.full(times.shape, -7.0),
    "tiny": lambda times: np.full(times.shape, 5e-324),
    "sparse": lambda times: np.where(times % 1_200.0 < MINUTE, 3.0, 0.0),
    "bursty": lambda times: 5.0 * noise(times, 2.0),
    "cron": lambda times: np.where(times % HOUR < 5 * MINUTE, 400.0, 1.0),
    "gaps": lambda times: np.where(times % 900.0 < 600.0, np.nan, 60.0),
    "resets": lambda times: np.choose((times // MINUTE).astype(int) % 5, [80.0, 0.0, np.inf, -3.0, np.nan]),
    "noisy": lambda times: 50.0 * noise(times, 0.3),
    "daily": daily,
    "daylight saving": shifted,
    "stepped": stepped,
    "growing": growing,
    "switched off": lambda times: np.where(times < MIDNIGHT, 300.0, 0.0),
}


def past(loads: Sequence[Load], *, until: float, days: float) -> Past:
    """The minutes before, one row per load."""
    times: Floats = until - MINUTE * np.arange(round(days * 1_440) - 1, -1, -1, dtype=np.float64)
    return Past(demand=as_known([load(times) for load in loads]), step_seconds=MINUTE, end_seconds=until)


def as_known(rows: Sequence[Floats]) -> Readings:
    """As a careless caller has it: only NaN is unknown."""
    value = np.stack(rows)
    return Readings(value=value, known=~np.isnan(value))


class Watcher:
    """Looks at loads tick by tick, from `now` on."""

    def __init__(
        self,
        *loads: Load,
        now: float = MIDNIGHT,
        days: float = 0.0,
        lead: float = LEAD,
        season: float = math.nan,
    ) -> None:
        self.loads, self.now, self.lead, self.season = loads, now, lead, season
        self.sight = Sight.started(past(loads, until=now, days=days)) if days else Sight.fresh(len(loads))

    def look(self, *, seconds: float = TICK) -> Foresight:
        self.now += seconds
        demand = as_known([load(np.array([self.now]))[0] for load in self.loads])
        self.sight, foresight = look(
            self.sight,
            shipped(),
            demand,
            Outlook(
                lead_seconds=np.full(len(self.loads), self.lead),
                step_seconds=TICK,
                floor_rps=np.full(len(self.loads), FLOOR),
                season_seconds=np.full(len(self.loads), self.season),
            ),
            now_seconds=self.now,
        )
        return foresight

    def watch(self, ticks: int) -> Foresight:
        """What is foreseen after so many ticks."""
        for _ in range(ticks):
            foresight = self.look()
        return foresight
