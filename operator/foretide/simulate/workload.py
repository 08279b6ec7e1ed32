"""From a trace to what is run: lanes, the past that a policy may learn from, and what the optimum needs.

All times of a workload are multiples of its step, and the judged part begins and ends with a bin of the timeline.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, floor
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from foretide.serving.queue_policy import TIMEOUT_SHARE
from foretide.simulate.run import EPOCH_SECONDS
from foretide.simulate.scenario import MOST_REPLICAS, Duration, Lane, Law, Nodes, Queue, Routing
from foretide.simulate.state import BIN_SECONDS
from foretide.simulate.traces.trace import Trace

# The first part of each series is for whoever learns, the rest is judged.
JUDGED_FROM_SHARE: Final = 0.6
WARM_UP_SECONDS: Final = 1_800.0
PAST_STEP_SECONDS: Final = 60.0
WEEK_SECONDS: Final = 7 * 86_400.0
# What Prometheus keeps if nobody tells it otherwise.
LONGEST_PAST_SECONDS: Final = 15 * 86_400.0
MAXIMUM_PER_SIZE: Final = 4
LARGEST_SIZE: Final = MOST_REPLICAS // MAXIMUM_PER_SIZE
# Timeout of the queue that is derived from the law: what waits longer would be late. 5 ms are for the way and noise.
QUEUE_MARGIN_SECONDS: Final = 0.005
LEAST_TIMEOUT_SHARE: Final = 0.25  # of the SLO, for models whose full batch nearly takes all of it
QUEUE_SIZE: Final = 2_000
# Steps of a lane: each divides a minute, and it or a multiple of it is a bin. So every trace whose steps are whole
# seconds is kept as it is; others are averaged over each second.
STEPS_SECONDS: Final = (60.0, 30.0, 15.0, 5.0, 3.0, 1.0)
# Of the seeds of a workload, so that the noise of the past is not that of the arrivals.
PAST_STREAM: Final = 99


class QueueName(StrEnum):
    """How long Triton's queue may be."""

    DEFAULT = "default"  # no limit: Triton's own, and what Foretide renders for one instance
    HALF = "half"  # what has waited for half of the SLO is refused: what Foretide renders for two instances and more
    SLO = "slo"  # what cannot be in time any more is refused, by who knows how long a full batch takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is served: the model, its promise, its cold start and size, and how requests and pods find their place."""

    law: Law
    slo_latency_seconds: float
    objective: float
    cold_start: Duration
    size: int = 10  # replicas that the load needs in all steps but one of a thousand
    queue: QueueName = QueueName.DEFAULT
    arrival_cv: float = 1.0
    routing: Routing = Routing.RANDOM
    nodes: Nodes = field(default_factory=Nodes)

    def __post_init__(self) -> None:
        if not 1 <= self.size <= LARGEST_SIZE:
            raise ValueError(f"size must be from 1 to {LARGEST_SIZE}, not {self.size}")
        if not 0.0 < self.objective < 1.0:
            raise ValueError(f"objective must be above 0 and below 1, not {self.objective:g}")

    @property
    def max_replicas(self) -> int:
        return MAXIMUM_PER_SIZE * self.size

    @property
    def limits(self) -> Queue:
        """The queue of each replica."""
        if self.queue is QueueName.DEFAULT:
            return Queue()
        slo = self.slo_latency_seconds
        if self.queue is QueueName.HALF:
            return Queue(timeout_seconds=TIMEOUT_SHARE * slo)
        left = slo - self.law.batch_seconds(self.law.max_batch) - QUEUE_MARGIN_SECONDS
        return Queue(timeout_seconds=max(left, LEAST_TIMEOUT_SHARE * slo), max_size=QUEUE_SIZE)


@dataclass(frozen=True, slots=True)
class Window:
    """The part that is judged, in seconds since the trace began."""

    begin_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.begin_seconds < self.end_seconds:
            raise ValueError(
                f"a window must begin at 0 s or later and end after that, not {self.begin_seconds:g} s to "
                f"{self.end_seconds:g} s"
            )

    @classmethod
    def last_part(cls, trace: Trace) -> Window:
        """What is judged by default."""
        return cls(JUDGED_FROM_SHARE * trace.seconds, trace.seconds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workload:
    """One service under one series with one seed: all that decides a result, but for the policy."""

    service: Service
    trace: str
    series: str
    seed: int
    noise_seed: int = 0  # of the batch times alone
    rate_at_slo_rps: float  # of one replica, with the default queue
    rates_rps: Floats = field(repr=False)  # from the beginning of the trace to the end of the judged part
    step_seconds: float
    start_seconds: float  # of the lane; the past ends here
    judged_from_seconds: float
    begins_at_seconds: float = 0.0  # when the trace begins, in seconds since midnight on a Monday

    @property
    def name(self) -> str:
        """One of its kind among all traces; arrivals are drawn by it."""
        return f"{self.trace}/{self.series}"

    @property
    def warm_up_seconds(self) -> float:
        return self.judged_from_seconds - self.start_seconds

    @property
    def judged_seconds(self) -> float:
        return len(self.rates_rps) * self.step_seconds - self.judged_from_seconds

    @property
    def epoch_seconds(self) -> float:
        """Unix time at which the lane begins, for policies that know hours and days."""
        return EPOCH_SECONDS + (self.begins_at_seconds + self.start_seconds) % WEEK_SECONDS

    def lane(self) -> Lane:
        """The warm-up and the judged part."""
        rates = self.rates_rps[self._step_at(self.start_seconds) :]
        return Lane(
            name=self.name,
            rates_rps=rates,
            step_seconds=self.step_seconds,
            seed=self.seed,
            noise_seed=self.noise_seed,
            law=self.service.law,
            slo_latency_seconds=self.service.slo_latency_seconds,
            objective=self.service.objective,
            queue=self.service.limits,
            cold_start=self.service.cold_start,
            nodes=self.service.nodes,
            routing=self.service.routing,
            arrival_cv=self.service.arrival_cv,
            max_replicas=self.service.max_replicas,
            initial_replicas=min(int(self._replicas_for(rates[:1])[0]), self.service.max_replicas),
        )

    def needed(self) -> Ints:
        """Replicas that each step of the judged part needs: for the optimum, which as every policy keeps one."""
        return self._replicas_for(self.rates_rps[self._step_at(self.judged_from_seconds) :])

    def past(self) -> Past:
        """The demand before the lane begins, as counters have it: each minute's requests with their noise."""
        rates = self.rates_rps[: self._step_at(self.start_seconds)]
        together = round(PAST_STEP_SECONDS / self.step_seconds)
        minutes = min(len(rates) // together, round(LONGEST_PAST_SECONDS / PAST_STEP_SECONDS))
        means = rates[len(rates) - minutes * together :].reshape(minutes, together).mean(axis=1) * PAST_STEP_SECONDS
        random = np.random.default_rng([zlib.crc32(self.name.encode()), self.seed, PAST_STREAM])
        # The variance of the counts of a renewal process is its squared cv times their mean.
        clump = self.service.arrival_cv**2
        demand = clump * random.poisson(means / clump) / PAST_STEP_SECONDS
        return Past(
            demand=Readings(value=demand[None, :], known=np.ones((1, minutes), dtype=np.bool_)),
            step_seconds=PAST_STEP_SECONDS,
            end_seconds=self.epoch_seconds,
        )

    def _step_at(self, seconds: float) -> int:
        return round(seconds / self.step_seconds)

    def _replicas_for(self, rates_rps: Floats) -> Ints:
        """With random routing each replica gets its share of the requests whatever the others do."""
        return np.maximum(np.ceil(rates_rps / self.rate_at_slo_rps - 1e-9), 1.0).astype(np.int64)


def workloads(
    trace: Trace,
    service: Service,
    *,
    rate_at_slo_rps: float,
    seeds: Iterable[int],
    window: Window | None = None,
    begins_at_seconds: float = 0.0,
) -> tuple[Workload, ...]:
    """Each series with each seed; the trace needs a request in every series.

    Series are scaled by their whole length, so that a window does not change the load. `begins_at_seconds` is when the
    trace begins, in seconds since midnight on a Monday.
    """
    scaled = trace.scaled_to(service.size * rate_at_slo_rps)
    rates, step_seconds = _regular(scaled)
    unit = max(step_seconds, BIN_SECONDS)
    judged = window if window is not None else Window.last_part(trace)
    begin = unit * ceil(round(judged.begin_seconds / unit, 6))
    end = unit * floor(round(min(judged.end_seconds, rates.shape[1] * step_seconds) / unit, 6))
    if end <= begin:
        raise ValueError(
            f"nothing of {trace.name} is judged: it has {trace.seconds:g} s, and from {judged.begin_seconds:g} s to "
            f"{judged.end_seconds:g} s there is no whole step of {unit:g} s"
        )
    start = max(begin - WARM_UP_SECONDS, 0.0)
    return tuple(
        Workload(
            service=service,
            trace=trace.name,
            series=series,
            seed=seed,
            rate_at_slo_rps=rate_at_slo_rps,
            rates_rps=rates[row, : round(end / step_seconds)],
            step_seconds=step_seconds,
            start_seconds=start,
            judged_from_seconds=begin,
            begins_at_seconds=begins_at_seconds,
        )
        for row, series in enumerate(scaled.series)
        for seed in seeds
    )


def joined_past(together: Sequence[Workload]) -> Past:
    """The past of workloads that begin at one time, one row each; of a shorter one the beginning is unknown."""
    demands = [workload.past().demand for workload in together]
    steps = max(demand.value.shape[1] for demand in demands)
    value, known = (np.zeros((len(demands), steps), dtype=kind) for kind in (np.float64, np.bool_))
    for row, demand in enumerate(demands):
        length = demand.value.shape[1]
        value[row, steps - length :] = demand.value[0]
        known[row, steps - length :] = demand.known[0]
    end_seconds = together[0].epoch_seconds
    return Past(demand=Readings(value=value, known=known), step_seconds=PAST_STEP_SECONDS, end_seconds=end_seconds)


def _regular(trace: Trace) -> tuple[Floats, float]:
    """Rates, and the length of their steps, one of `STEPS_SECONDS`."""
    for step in STEPS_SECONDS:
        parts = round(trace.step_seconds / step)
        if parts >= 1 and abs(parts * step - trace.step_seconds) <= 1e-6:
            return np.repeat(trace.rates_rps, parts, axis=1), step
    step = STEPS_SECONDS[-1]
    edges = np.arange(floor(trace.seconds / step) + 1) * step
    times = np.arange(trace.steps + 1) * trace.step_seconds
    so_far = np.concatenate([np.zeros((len(trace.series), 1)), np.cumsum(trace.counts, axis=1)], axis=1)
    counts = [np.diff(np.interp(edges, times, row)) for row in so_far]
    return np.array(counts).reshape(len(trace.series), -1) / step, step
