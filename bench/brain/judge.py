"""Runs variants of the brain over the day around each judge series' largest minute, request by request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import groupby
from multiprocessing import get_context
from typing import Final, Protocol, TypeVar

import numpy as np

from bench.brain.variants import Variant
from bench.scaling.plan import SMALL, Setting, Variation, rate_of_a_replica, service
from bench.scaling.split import Split, read_split
from foretide.scaling.policy import AnyPolicy
from foretide.simulate.optimum import zero_violation
from foretide.simulate.policies import SCRAPE_SECONDS
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions
from foretide.simulate.workload import QueueName, Workload, joined_past

HOUR_SECONDS: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one series with one seed."""

    variant: str
    cold_start_seconds: float
    series: str
    seed: int
    requests: int
    late: int
    replica_hours: float
    optimum_replica_hours: float
    scale_events: int

    @property
    def late_share(self) -> float:
        return self.late / max(self.requests, 1)

    @property
    def cost(self) -> float:
        """In units of the optimum."""
        return self.replica_hours / self.optimum_replica_hours


@dataclass(frozen=True, slots=True)
class Job:
    """One variant in one setting, all series and some seeds in one process."""

    variant: Variant
    cold_start_seconds: float
    seeds: tuple[int, ...]
    hours: float

    @property
    def name(self) -> str:
        """With its seeds."""
        return f"{self.variant.name}, {self.hours:g} h, seeds {', '.join(map(str, self.seeds))}"

    def perform(self) -> list[Ran]:
        """In the order of series and seeds."""
        found: list[Ran] = []
        for same in together(loads_of(self.cold_start_seconds, seeds=self.seeds, hours=self.hours)):
            found += run(self.variant.build(same), same, name=self.variant.name)
        return found


def loads_of(cold_start_seconds: float, *, seeds: Sequence[int], hours: float) -> list[Workload]:
    """The hours around the largest minute of each series that judges, with each seed."""
    setting = Setting(QueueName.DEFAULT, cold_start_seconds)
    return [
        load
        for one in read_split()
        if one.split is Split.JUDGE
        for load in one.loads(
            service(setting, Variation(SMALL, 1.0)),
            rate_at_slo_rps=rate_of_a_replica(1.0),
            seeds=seeds,
            judged_seconds=hours * HOUR_SECONDS,
        )
    ]


def together(loads: Sequence[Workload]) -> Iterator[list[Workload]]:
    """Loads that begin at one time and are of one length can run together."""

    def key(load: Workload) -> tuple[float, float, float]:
        return (load.lane().seconds, load.warm_up_seconds, load.epoch_seconds)

    for _, group in groupby(sorted(loads, key=key), key=key):
        yield list(group)


def run(
    policy: AnyPolicy, loads: Sequence[Workload], *, name: str, scrape_seconds: float = SCRAPE_SECONDS
) -> list[Ran]:
    """Loads that begin at one time and are of one length, under one policy."""
    outcomes = simulate(
        policy,
        [load.lane() for load in loads],
        conditions=Conditions(scrape_seconds=scrape_seconds),
        past=joined_past(loads),
        warm_up_seconds=loads[0].warm_up_seconds,
        epoch_seconds=loads[0].epoch_seconds,
    )
    return [
        Ran(
            variant=name,
            cold_start_seconds=load.service.cold_start.mean_seconds,
            series=load.name,
            seed=load.seed,
            requests=outcome.requests,
            late=outcome.violations,
            replica_hours=outcome.replica_seconds / HOUR_SECONDS,
            optimum_replica_hours=zero_violation(
                load.needed(),
                step_seconds=load.step_seconds,
                cold_start_seconds=load.service.cold_start.mean_seconds,
            ).replica_seconds
            / HOUR_SECONDS,
            scale_events=outcome.scale_events,
        )
        for load, outcome in zip(loads, outcomes, strict=True)
    ]


class Work(Protocol):
    """What a process is given."""

    @property
    def name(self) -> str:
        """For a line about it."""
        ...

    @property
    def cold_start_seconds(self) -> float:
        """The setting."""
        ...

    def perform(self) -> list[Ran]:
        """The runs."""
        ...


W = TypeVar("W", bound=Work)


def perform(jobs: Sequence[W], *, workers: int) -> Iterator[tuple[W, list[Ran]]]:
    """The jobs as they end."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(job.perform): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one variant in one setting: means over the series, each the mean of its seeds; 95 % intervals."""

    late_mean: float
    late_interval: tuple[float, float]
    late_worst: float
    worst_series: str
    cost_mean: float
    cost_interval: tuple[float, float]
    cost_geometric: float
    events_a_day: float

    @classmethod
    def of(cls, rans: Sequence[Ran], *, hours: float) -> Summary:
        """Intervals: bootstrap over the series and over the seeds of each."""
        series = sorted({ran.series for ran in rans})
        late = np.array([[ran.late_share for ran in rans if ran.series == one] for one in series])
        cost = np.array([[ran.cost for ran in rans if ran.series == one] for one in series])
        random = np.random.default_rng(1)
        chosen = random.integers(0, len(series), (4_000, len(series)))
        seeds = random.integers(0, late.shape[1], (4_000, len(series), late.shape[1]))

        def interval(table: np.ndarray) -> tuple[float, float]:
            means = np.take_along_axis(table[chosen], seeds, axis=2).mean(axis=(1, 2))
            low, high = np.quantile(means, [0.025, 0.975])
            return float(low), float(high)

        by_series = late.mean(axis=1)
        return cls(
            late_mean=float(by_series.mean()),
            late_interval=interval(late),
            late_worst=float(by_series.max()),
            worst_series=series[int(by_series.argmax())],
            cost_mean=float(cost.mean()),
            cost_interval=interval(cost),
            cost_geometric=float(np.exp(np.log(cost.mean(axis=1)).mean())),
            events_a_day=float(np.mean([ran.scale_events for ran in rans]) * 24.0 / hours),
        )
