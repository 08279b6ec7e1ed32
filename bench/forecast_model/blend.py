"""Forecasts as the operator uses them: after the experts of each service, the weights that the voices earned, and the
calibration by what came."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.forecast_model.draw import FLOOR_RPS, REPLICA_RPS
from bench.forecast_model.holdout import Row, Told, scored
from bench.forecast_model.refit import LATER
from bench.forecast_model.sample import MINUTE_SLOTS, Moments, history_at, readings
from bench.forecast_model.series import Series
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.foresight import Target
from foretide.scaling.forecast.history import DAY_MINUTES, SLOT_SECONDS, SLOTS, History
from foretide.scaling.forecast.model import GlobalModel
from foretide.scaling.forecast.sight import Outlook, Sight, look, slots, windows
from foretide.scaling.readings import Readings
from foretide.simulate.command.processes import perform_all
from foretide.simulate.command.results import Run

# A small model on a CPU, and a large one on a GPU.
LEADS_SECONDS: Final = (60.0, 300.0)
REPLICAS: Final = 10.0  # at the highest rate of a series
WARM_DAYS: Final = 0.5  # for calibration and weights, before anything is judged
DAYS: Final = 2.0
DAY_SLOTS: Final = MINUTE_SLOTS * DAY_MINUTES
EPOCH_SLOT: Final = DAY_SLOTS * 20_000  # a midnight, at which the second halves begin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """The operator's forecasts for series that were seen up to `seen_slots`: until then with one model, whose errors
    calibration and weights know, from then on with another."""

    series: Sequence[Series]
    before: bytes  # packed, as `GlobalModel` has it
    after: bytes
    warm_days: float  # before the half
    days: float  # after it, or fewer where a series has no more
    seed: int

    @property
    def weight(self) -> float:
        return 1.0

    def perform(self, progress: Callable[[float], None]) -> list[Run]:
        """One entry a series: the outcome [rows] and the quantiles [rows, levels], once a minute of each window and
        lead time; logarithms of demand and floor."""
        lead = np.tile(LEADS_SECONDS, len(self.series))
        services = len(lead)
        first, last = slots(*windows(lead, step_seconds=SLOT_SECONDS))
        farthest = int(last.max())
        warm = min(round(self.warm_days * DAY_SLOTS), *(one.seen_slots - SLOTS for one in self.series))
        ticks = min(round(self.days * DAY_SLOTS), *(one.slots - one.seen_slots - farthest for one in self.series))
        histories, rows = [], []
        for one in self.series:
            history, demand = _load(one, one.seen_slots - warm, warm, self.seed)
            histories += [history] * len(LEADS_SECONDS)
            rows += [demand[: warm + ticks + farthest]] * len(LEADS_SECONDS)
        demand, floor = np.stack(rows), np.full(services, FLOOR_RPS)
        outlook = Outlook(
            lead_seconds=lead, step_seconds=SLOT_SECONDS, floor_rps=floor, season_seconds=np.full(services, np.nan)
        )
        sight, model = Sight.of(History.concatenate(histories)), GlobalModel.read(self.before)
        judged = range(warm, warm + ticks, MINUTE_SLOTS)
        said = []
        for tick in range(warm + ticks):
            if tick == warm:
                model = GlobalModel.read(self.after)
            now = Readings(value=demand[:, tick], known=np.ones(services, dtype=np.bool_))
            sight, foresight = look(sight, model, now, outlook, now_seconds=(EPOCH_SLOT - warm + tick) * SLOT_SECONDS)
            if tick in judged:
                said.append(np.log(foresight.demand_rps + FLOOR_RPS))
            progress((tick + 1) / (warm + ticks))
        windowed = [
            [_highest(demand[row], judged, int(first[row, one]), int(last[row, one])) for one in Target]
            for row in range(services)
        ]
        # [series, leads, targets, minutes] and the same with levels: the rows of a series one after the other.
        outcome = np.log(np.array(windowed) + FLOOR_RPS).reshape(len(self.series), -1)
        quantiles = np.stack(said, axis=2).reshape(len(self.series), outcome.shape[1], -1)
        return [{"outcome": came, "quantiles": foreseen} for came, foreseen in zip(outcome, quantiles, strict=True)]


def blended(
    series: Sequence[Series],
    models: Mapping[str, bytes],
    *,
    warm_days: float = WARM_DAYS,
    days: float = DAYS,
    seed: int,
    workers: int,
    told: Callable[[float], None],
) -> list[Row]:
    """One row for each series, and one of them all; until the judged days began the operator had the first model."""
    before = next(iter(models.values()))
    replays = [
        Replay(series=series, before=before, after=after, warm_days=warm_days, days=days, seed=seed)
        for after in models.values()
    ]
    runs = perform_all(replays, workers=workers, report=told)
    return scored(
        [
            Told(
                name=one.name.removesuffix(LATER),
                outcome=runs[place]["outcome"],
                quantiles={name: runs[place + at * len(series)]["quantiles"] for at, name in enumerate(models)},
            )
            for place, one in enumerate(series)
        ]
    )


def _highest(demand: Floats, ticks: range, first: int, last: int) -> Floats:
    """The largest reading from `first` to `last` slots after each tick."""
    largest: Floats = sliding_window_view(demand, last - first + 1)[np.array(ticks) + first].max(axis=1)
    return largest


def _load(one: Series, begin: int, warm: int, seed: int) -> tuple[History, Floats]:
    """What is known when quarter minute `begin` comes, and the demand from there on; with the same noise each time."""
    random = np.random.default_rng([seed, zlib.crc32(one.name.encode())])
    counts = random.poisson(one.rates * REPLICAS * REPLICA_RPS * SLOT_SECONDS) / SLOT_SECONDS
    demand = readings(counts)
    newest = Moments(
        newest=np.array([begin - 1]),
        age=np.array([begin]),
        start_seconds=np.array([SLOT_SECONDS]),
        width_seconds=np.array([SLOT_SECONDS]),
    )
    return history_at(counts, demand, newest, slot=EPOCH_SLOT - warm - 1), demand[begin:]
