"""What is sent: pieces of real traces that judge, in a quarter of an hour each, and a crowd that nobody has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np

from bench.scaling.split import read_split
from e2e.load import Profile
from foretide.scaling.arrays import Floats
from foretide.simulate.capacity import rate_at_slo
from foretide.simulate.scenario import Duration, Law, Queue
from foretide.simulate.workload import QueueName, Service

OBJECTIVE: Final = 0.99
HOUR_SECONDS: Final = 3_600.0
STEP_SECONDS: Final = 5.0
SEED: Final = 1  # of the arrivals: the same requests for every system, counted from the start of the load
# Each system knows its capacity from a load before; what it takes to learn it is not judged.
WARM_UP_SECONDS: Final = 120.0
COLD_STARTS_SECONDS: Final = (45.0, 120.0)
# Of a pod that loads at once: the scheduler, the container, Triton itself.
OWN_START_SECONDS: Final = 4.0
# Of which three are a run.
DAY_SECONDS: Final = 600.0
# Replicas that a series needs in all steps but one of a thousand.
SIZE: Final = 3


@dataclass(frozen=True, slots=True)
class Model:
    """A model that sleeps b x per item + fixed seconds for a batch of b, and its promise."""

    law: Law
    slo_seconds: float

    @property
    def rate_at_slo_rps(self) -> float:
        """Of one replica; requests a second."""
        return _rate(self.law, self.slo_seconds)


# Two instances of 20 ms an item and 80 ms: 66 requests a second at most. Two, as `instances: Auto` is on a GPU.
QUICK_MODEL: Final = Model(Law(per_item_seconds=0.020, fixed_seconds=0.080, max_batch=8, instances=2), 0.5)
# The same in one instance, for which Foretide knows no limit of the queue.
SINGLE_MODEL: Final = Model(Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8), 0.25)
# The first three times as slow: a third of the requests, so that three times as many systems run at once.
SLOW_MODEL: Final = Model(Law(per_item_seconds=0.060, fixed_seconds=0.240, max_batch=8, instances=2), 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One service's requests over time: `profile` begins with the warm-up."""

    name: str
    about: str
    model: Model
    profile: Profile
    cold_start_seconds: float
    judged: bool = True  # by the bars; else it shows what a setting costs
    # Where a part begins that is judged by itself as well, in seconds after the warm-up; and when demand stepped up.
    last_part_seconds: float | None = None
    step_at_seconds: float | None = None
    step_ends_seconds: float | None = None

    @property
    def key(self) -> str:
        """A name that no other load has."""
        return f"{self.name}-{self.cold_start_seconds:.0f}s"

    @property
    def title(self) -> str:
        """As pages and the terminal call it."""
        return f"{self.name}, cold start {self.cold_start_seconds:.0f} s"

    def service(self, queue: QueueName) -> Service:
        """What the simulator knows of it."""
        return _service(self.model, self.cold_start_seconds, queue)

    def starting_in(self, cold_start_seconds: float) -> Load:
        """The same with other cold starts."""
        return replace(self, cold_start_seconds=cold_start_seconds)


def loads(*, quick: bool) -> tuple[Load, ...]:
    """All that is run, in order; one short crowd where it must be quick."""
    single = replace(_flash(SINGLE_MODEL, before=60.0, high=180.0, after=60.0), name="flash-single", judged=False)
    if quick:
        return (_flash(QUICK_MODEL, before=60.0, high=180.0, after=60.0), single)
    seen = (day(), _flash(QUICK_MODEL, before=120.0, high=300.0, after=240.0))
    both = tuple(load.starting_in(seconds) for seconds in COLD_STARTS_SECONDS for load in seen)
    return (*both, _bursty(), _cron(), single)


def day(seconds: float = DAY_SECONDS) -> Load:
    """Three times the same day, each told in so many seconds."""
    rates = _judged("azure_llm_2024_code", "code", hours=24.0, seconds=seconds)
    return _of(
        "day",
        f"office hours of a language model (azure_llm_2024_code), a day in {seconds / 60:.0f} min, three times over",
        SLOW_MODEL,
        np.tile(rates, 3),
        last_part_seconds=2 * seconds,
    )


def _bursty() -> Load:
    rates = _judged("servegen_m_small", "client11", hours=24.0, seconds=900.0)
    return _of("bursty", "one client with bursts (servegen_m_small/client11), a day in 15 min", SLOW_MODEL, rates)


def _cron() -> Load:
    rates = _judged("azure_functions_2019", "38589360b1b6", hours=1.5, seconds=900.0)
    return _of("cron", "spikes by the clock (azure_functions_2019/38589360b1b6), 90 min in 15 min", SLOW_MODEL, rates)


def _flash(model: Model, *, before: float, high: float, after: float) -> Load:
    steps = [(before, 20.0), (high, 150.0), (after, 20.0)]
    rates = np.concatenate([np.full(round(seconds / STEP_SECONDS), rate) for seconds, rate in steps])
    return _of(
        "flash",
        f"20 requests/s, then 150, then 20; instances of a replica: {model.law.instances}",
        model,
        rates,
        step_at_seconds=before,
        step_ends_seconds=before + high,
    )


def _of(name: str, about: str, model: Model, rates_rps: Floats, **parts: Any) -> Load:
    warm_up = np.full(round(WARM_UP_SECONDS / STEP_SECONDS), rates_rps[0])
    profile = Profile(tuple(np.concatenate([warm_up, rates_rps]).tolist()), STEP_SECONDS)
    seconds = COLD_STARTS_SECONDS[0]
    return Load(name=name, about=about, model=model, profile=profile, cold_start_seconds=seconds, **parts)


def _judged(trace: str, series: str, *, hours: float, seconds: float) -> Floats:
    """The hours around the largest minute of a series, scaled to the model and told in so many seconds."""
    (found,) = (entry for entry in read_split() if entry.name == f"{trace}/{series}")
    service = _service(SLOW_MODEL, COLD_STARTS_SECONDS[0], QueueName.DEFAULT)
    (load,) = found.loads(
        service, rate_at_slo_rps=SLOW_MODEL.rate_at_slo_rps, seeds=(1,), judged_seconds=hours * HOUR_SECONDS
    )
    rates = load.rates_rps[round(load.judged_from_seconds / load.step_seconds) :]
    # The mean of what falls into each step, by the integral: steps of traces are longer and shorter than ours.
    so_far = np.concatenate([[0.0], np.cumsum(rates)])
    edges = np.linspace(0.0, len(rates), round(seconds / STEP_SECONDS) + 1)
    means: Floats = np.diff(np.interp(edges, np.arange(len(so_far)), so_far)) / np.diff(edges)
    return means


def _service(model: Model, cold_start_seconds: float, queue: QueueName) -> Service:
    return Service(
        law=model.law,
        slo_latency_seconds=model.slo_seconds,
        objective=OBJECTIVE,
        cold_start=Duration.constant(cold_start_seconds),
        size=SIZE,
        queue=queue,
    )


@cache
def _rate(law: Law, slo_seconds: float) -> float:
    return rate_at_slo(law, slo_latency_seconds=slo_seconds, objective=OBJECTIVE, queue=Queue())
