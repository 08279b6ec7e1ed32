"""How often what came was below the quantile that was foreseen, series by series."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import Final

import numpy as np

from bench.forecast_model.sample import readings
from bench.forecast_model.series import quarters
from bench.scaling.plan import rate_of_a_replica
from bench.scaling.split import Split, read_split
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.foresight import Target
from foretide.scaling.forecast.history import SLOT_SECONDS
from foretide.scaling.forecast.model import shipped
from foretide.scaling.forecast.sight import Outlook, Sight, look, slots, windows
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from foretide.simulate.traces import Trace
from foretide.simulate.workload import JUDGED_FROM_SHARE

LEADS_SECONDS: Final = (30.0, 120.0, 300.0, 600.0)
SIZES: Final = (3, 10, 40)
LEVEL: Final = 0.99
MINUTE_SLOTS: Final = 4
MOST_PAST_MINUTES: Final = 14 * 1_440


@dataclass(frozen=True, slots=True)
class Covered:
    """One series at one size and lead time."""

    series: str
    size: int
    lead_seconds: float
    share: dict[str, float]  # of outcomes below the quantile, by target


def coverage(*, days: float, workers: int, seed: int = 1) -> list[Covered]:
    """Of all series that judge, from where their past ends, as many days as there are."""
    names = [one.name for one in read_split() if one.split is Split.JUDGE]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found: list[Covered] = []
        for name, some in zip(names, pool.map(partial(_of_series, days=days, seed=seed), names), strict=True):
            print(f"quantiles of {name}: counted", flush=True)
            found += some
        return found


def _of_series(name: str, *, days: float, seed: int) -> list[Covered]:
    trace = next(one.trace for one in read_split() if one.name == name)
    random = np.random.default_rng(seed)
    demand = np.concatenate([_demand(trace, size, random) for size in SIZES])
    begin = int(JUDGED_FROM_SHARE * demand.shape[1]) // MINUTE_SLOTS * MINUTE_SLOTS
    end = min(demand.shape[1], begin + round(days * 86_400.0 / SLOT_SECONDS))
    shares = _replay(np.repeat(demand[:, :end], len(LEADS_SECONDS), axis=0), begin)
    return [
        Covered(name, size, lead, {target.name: float(shares[row, target]) for target in Target})
        for row, (size, lead) in enumerate(product(SIZES, LEADS_SECONDS))
    ]


def _demand(trace: Trace, size: int, random: np.random.Generator) -> Floats:
    """What Prometheus shows each 15 s of Poisson requests; [1, slots]."""
    rates = quarters(trace.scaled_to(size * rate_of_a_replica(1.0)))
    return readings(random.poisson(rates * SLOT_SECONDS) / SLOT_SECONDS)[None, :]


def _replay(demand: Floats, begin: int) -> Floats:
    """[services, targets]: shares of outcomes below the quantile LEVEL."""
    services, length = demand.shape
    minutes = demand[:, max(begin - MOST_PAST_MINUTES * MINUTE_SLOTS, 0) : begin]
    minutes = minutes.reshape(services, -1, MINUTE_SLOTS).mean(axis=2)
    # Slots are counted from a midnight, as the past is.
    epoch_seconds = 20_000 * 86_400.0
    past = Past(
        demand=Readings(value=minutes, known=np.ones(minutes.shape, dtype=np.bool_)),
        step_seconds=60.0,
        end_seconds=epoch_seconds,
    )
    lead = np.tile(LEADS_SECONDS, len(SIZES))
    start, width = windows(lead, step_seconds=SLOT_SECONDS)
    first, last = slots(start, width)
    sight, model = Sight.started(past), shipped()
    level = int(np.flatnonzero(model.levels == LEVEL)[0])
    floor = np.full(services, 0.1 * rate_of_a_replica(1.0))
    unknown = np.full(services, np.nan)
    outlook = Outlook(lead_seconds=lead, step_seconds=SLOT_SECONDS, floor_rps=floor, season_seconds=unknown)
    below, counted = np.zeros((services, len(Target))), 0
    for slot in range(begin, length - int(last.max())):
        sight, foresight = look(
            sight,
            model,
            Readings(value=demand[:, slot], known=np.ones(services, dtype=np.bool_)),
            outlook,
            now_seconds=epoch_seconds + (slot - begin) * SLOT_SECONDS,
        )
        counted += 1
        for row in range(services):
            for target in Target:
                window = demand[row, slot + first[row, target] : slot + last[row, target] + 1]
                below[row, target] += window.max() <= foresight.demand_rps[row, target, level]
    return below / max(counted, 1)
