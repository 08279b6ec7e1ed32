"""Runs variants of the brain over the day around each judge series' largest minute, request by request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from bench.brain.variants import Variant
from bench.scaling.cell import OWN, key_of
from bench.scaling.plan import FULL, Plan, Setting, together
from bench.scaling.split import Split, read_split
from bench.scaling.store import Keyed, Store
from foretide.simulate.command.disturbances import UNDISTURBED
from foretide.simulate.command.results import HOUR_SECONDS, Run, run_of
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import SCRAPE_SECONDS
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions
from foretide.simulate.workload import QueueName, Workload, joined_past


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

    @classmethod
    def of(cls, run: Run) -> Ran:
        """What is compared of an entry."""
        return cls(
            variant=run["policy"],
            cold_start_seconds=run["cold_start_seconds"],
            series=run["series"],
            seed=run["seed"],
            requests=run["requests"],
            late=run["violations"],
            replica_hours=run["replica_hours"],
            optimum_replica_hours=run["optimum_replica_hours"],
            scale_events=run["scale_events"],
        )

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

    @property
    def weight(self) -> float:
        """About how long it takes: hours of series."""
        return len(self.seeds) * self.hours

    @property
    def policy(self) -> str:
        """As a file of results is named."""
        return OWN

    @property
    def key(self) -> str:
        """For the store."""
        variant = (self.variant.name, sorted(self.variant.without), self.variant.level, self.variant.foresees)
        loads = loads_of(self.cold_start_seconds, seeds=self.seeds, hours=self.hours)
        return key_of([*variant, self.variant.reactive], loads, own=True)

    def perform(self, progress: Callable[[float], None]) -> list[Run]:
        """In the order of series and seeds."""
        return [
            run
            for loads in together(loads_of(self.cold_start_seconds, seeds=self.seeds, hours=self.hours))
            for run in self._performed(loads, progress)
        ]

    def _performed(self, loads: Sequence[Workload], progress: Callable[[float], None]) -> Iterator[Run]:
        outcomes = simulate(
            self.variant.build(loads),
            [load.lane() for load in loads],
            conditions=Conditions(scrape_seconds=SCRAPE_SECONDS),
            past=joined_past(loads),
            warm_up_seconds=loads[0].warm_up_seconds,
            epoch_seconds=loads[0].epoch_seconds,
            progress=progress,
        )
        for load, outcome in zip(loads, outcomes, strict=True):
            yield run_of(
                load,
                outcome,
                policy=self.variant.name,
                knobs={},
                fidelity=Fidelity.ARRIVALS,
                disturbances=UNDISTURBED,
            )


@lru_cache(maxsize=16)
def loads_of(cold_start_seconds: float, *, seeds: tuple[int, ...], hours: float) -> list[Workload]:
    """The hours around the largest minute of each series that judges, with each seed."""
    plan = Plan(FULL, read_split(), policies=())
    setting = Setting(QueueName.DEFAULT, cold_start_seconds)
    return plan.loads(plan.of(Split.JUDGE), setting, hours * HOUR_SECONDS, seeds=seeds)


W = TypeVar("W", bound=Keyed)


def performed(jobs: Sequence[W], store: Store, what: str) -> dict[W, list[Ran]]:
    """What came of each job, now or before."""
    store.performed(jobs, what)
    return {job: [Ran.of(run) for run in store.performed([job], what)] for job in jobs}


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
