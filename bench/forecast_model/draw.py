"""Which samples are drawn of a series: sizes, moments, ages and windows, all of one seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.forecast_model.sample import Moments, Samples, samples
from bench.forecast_model.series import Source
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.forecast.history import DAY_MINUTES, SLOT_SECONDS, SLOTS
from foretide.simulate.command.processes import perform_all
from foretide.simulate.command.results import Run

# Items a second of one replica, as that of the benchmark. Features know no units; noise does: counts are Poisson.
REPLICA_RPS: Final = 46.9
FLOOR_RPS: Final = 0.1 * REPLICA_RPS
# What a service needs at its highest. Between any two the present level does not tell how far that is away.
FEWEST_REPLICAS, MOST_REPLICAS = 3.0, 100.0
# Half of the loads are burstier than Poisson: the rates of their quarter minutes have a coefficient of variation,
# and in half of those it lasts for up to two minutes. Steps of a minute and more do not tell what happens within them;
# real loads of shorter steps are like this.
BURSTY_SHARE: Final = 0.5
LEAST_CV, MOST_CV = 0.01, 0.4
LASTING_SHARE: Final = 0.5
LONGEST_BURST_SLOTS: Final = 8
# So many rows know no more than the time since the service began: from 150 s, before which no forecast is trusted, to
# two weeks.
NEW_SHARE: Final = 0.3
YOUNGEST_SLOTS: Final = 10
OLDEST_SLOTS: Final = 14 * 4 * DAY_MINUTES
# Half of the windows are AHEAD: a replica that is ready then, and the next decision. The others begin now: MEANWHILE.
AHEAD_SHARE: Final = 0.5
SOON_SECONDS: Final = 5.0
LONGEST_START_SECONDS: Final = 900.0
WIDEST_AHEAD_SLOTS: Final = 8
NARROWEST_SECONDS, WIDEST_SECONDS = 30.0, 1_125.0
# The last slot of the farthest window.
FARTHEST_SLOTS: Final = int(np.ceil((SOON_SECONDS + WIDEST_SECONDS) / SLOT_SECONDS))


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """So many samples of one source, in a process of its own."""

    source: Source
    rows: int
    seed: int

    @property
    def weight(self) -> float:
        """Long series take longer: each load has noise of its own on all of it."""
        return self.rows * (1.0 + self.source.slots / 400_000)

    @property
    def loads(self) -> int:
        """How many."""
        return -(-self.rows // self.source.load_rows)

    def perform(self, progress: Callable[[float], None]) -> list[Run]:
        """One entry a load."""
        found = []
        for load in range(self.loads):
            begin = load * self.source.load_rows
            random = np.random.default_rng([self.seed, zlib.crc32(self.source.name.encode()), begin])
            rates = self.source.load(random)
            rows = min(self.source.load_rows, self.rows - begin)
            some = chunk(rates, rows=rows, random=random, seen_slots=self.source.seen_slots)
            found.append({"features": some.features, "outcome": some.outcome})
            progress((load + 1) / (self.loads + 1))
        return found


def chunk(rates: Floats, *, rows: int, random: np.random.Generator, seen_slots: int = 0) -> Samples:
    """Of a series scaled to one size and with one noise; `rates` in units of its highest."""
    size = _log_uniform(random, FEWEST_REPLICAS, MOST_REPLICAS, 1)[0]
    expected = rates * bursts(random, len(rates)) * size * REPLICA_RPS * SLOT_SECONDS
    counts = random.poisson(expected) / SLOT_SECONDS
    slot = 4 * DAY_MINUTES * 20_000 + int(random.integers(4 * DAY_MINUTES))
    when = moments(random, rows, slots=len(counts), seen_slots=seen_slots)
    return samples(counts, when, slot=slot, floor_rps=FLOOR_RPS)


def bursts(random: np.random.Generator, slots: int) -> Floats:
    """What the rate of each quarter minute is multiplied by: 1 in the mean."""
    if random.random() >= BURSTY_SHARE:
        return np.ones(slots)
    cv = _log_uniform(random, LEAST_CV, MOST_CV, 1)[0]
    noise = random.gamma(1.0 / cv**2, cv**2, slots) - 1.0
    if random.random() < LASTING_SHARE:
        length = int(random.integers(2, LONGEST_BURST_SLOTS, endpoint=True))
        # Of the same variance as before.
        noise = np.convolve(noise, np.ones(length) / np.sqrt(length))[:slots]
    return np.maximum(1.0 + noise, 0.0)


def moments(random: np.random.Generator, rows: int, *, slots: int, seen_slots: int = 0) -> Moments:
    """Any moment after the first twenty minutes, or after what was seen before, whose window ends within the series."""
    new = random.random(rows) < (0.0 if seen_slots else NEW_SHARE)
    age = _log_uniform(random, YOUNGEST_SLOTS, OLDEST_SLOTS, rows)
    ahead = random.random(rows) < AHEAD_SHARE
    late = _log_uniform(random, SOON_SECONDS, LONGEST_START_SECONDS, rows)
    narrow = SLOT_SECONDS * random.integers(1, WIDEST_AHEAD_SLOTS, rows, endpoint=True)
    wide = _log_uniform(random, NARROWEST_SECONDS, WIDEST_SECONDS, rows)
    newest: Ints = random.integers(max(SLOTS, seen_slots), slots - FARTHEST_SLOTS, rows)
    return Moments(
        newest=newest,
        age=np.where(new, np.minimum(age.astype(np.int64), newest + 1), newest + 1),
        start_seconds=np.where(ahead, late, SOON_SECONDS),
        width_seconds=np.where(ahead, narrow, wide),
    )


def drawn(
    sources: Sequence[Source], *, rows: int, seed: int, workers: int, told: Callable[[float], None]
) -> list[Samples]:
    """Samples of each source by its weight, about `rows` of all, in the order of the sources; equal for an equal
    seed."""
    unit = rows / sum(one.weight for one in sources)
    tasks = [Draw(one, max(int(unit * one.weight), 1), seed) for one in sources]
    loads = iter(perform_all(tasks, workers=workers, report=told))
    return [_joined([next(loads) for _ in range(task.loads)]) for task in tasks]


def _joined(loads: Sequence[Run]) -> Samples:
    return Samples(
        np.concatenate([one["features"] for one in loads]), np.concatenate([one["outcome"] for one in loads])
    )


def _log_uniform(random: np.random.Generator, low: float, high: float, rows: int) -> Floats:
    return np.exp(random.uniform(np.log(low), np.log(high), rows))
