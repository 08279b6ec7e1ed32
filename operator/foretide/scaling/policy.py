"""The seam between whoever runs services (the operator, the simulator) and whoever decides how many replicas.

A policy declares the queries it wants answered, and each tick gets their answers, the pods and the orders of the
users: what it would see in production and nothing else. It has no other way in, so that it cannot look ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arrays import Bools, Floats, Ints, count, total
from foretide.scaling.capacity.evidence import BatchCounts
from foretide.scaling.classes import Classes
from foretide.scaling.decision import Bounds, Fleet, Quotas, Stuck
from foretide.scaling.readings import Readings
from foretide.scaling.sli import Sli
from foretide.scaling.tuning import Told, Tuning


class Quantity(StrEnum):
    """What a scrape of one pod tells, over all versions of its model."""

    SUCCESS = "success"  # counter: requests answered
    FAILURE = "failure"  # counter: requests refused or failed, all reasons that Triton counts
    INFERENCE = "inference"  # counter: items answered
    EXECUTION = "execution"  # counter: batches executed
    PENDING = "pending"  # gauge: requests that wait for an instance
    REQUEST_SECONDS = "request_seconds"  # counter: latency of all requests answered
    BUSY_SECONDS = "busy_seconds"  # counter: time that instances were executing; its rate / instances is utilisation
    # counter: requests that came, as a router before the pods counts them. No server of ours exports it, nor the next
    # one: only peers may ask for them.
    ARRIVED = "arrived"
    # counter: integral of the requests in the pod; its rate is the average concurrency, as Knative's queue-proxy
    # reports it
    CONCURRENCY_SECONDS = "concurrency_seconds"
    # counter: requests answered from the response cache, which count as answered, too; only of models that have one
    CACHE_HITS = "cache_hits"


class Over(StrEnum):
    """What PromQL makes of the samples in a window."""

    NEWEST = "newest"  # the newest sample (staleness 5 min); the window is not used
    RATE = "rate"  # per second, with resets and extrapolation as Prometheus has them
    DERIV = "deriv"  # slope per second by least squares, of a gauge
    AVERAGE = "avg_over_time"
    MAXIMUM = "max_over_time"
    AGE = "age"  # seconds since the newest sample; the window is not used


@dataclass(frozen=True, slots=True)
class Query:
    """One question about every pod of every service."""

    quantity: Quantity
    over: Over = Over.NEWEST
    window_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PodList:
    """The pods as the API server shows them: one row per pod, `service` is the row of its service."""

    service: Ints
    ready: Bools  # false also for a pod that is told to leave
    leaving: Bools  # told to leave
    ready_age_seconds: Floats  # 0 where not ready
    age_seconds: Floats  # since its creation; NaN where it tells nothing of how long a start takes

    def __len__(self) -> int:
        return len(self.service)

    def count(self, chosen: Bools, *, services: int) -> Ints:
        """Chosen pods per service."""
        return count(self.service, chosen, length=services)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Promise:
    """What each service promises, and what is known of its shape; one row per service."""

    slo_latency_seconds: Floats
    objective: Floats  # share of requests within the latency, e.g. 0.99
    max_batch: Ints
    instances: Ints  # of the model in each pod
    window_seconds: Floats  # over which the error budget counts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observation:
    """All that a policy is told at a tick."""

    now_seconds: float  # Unix time
    pods: PodList
    answers: Mapping[Query, Readings]  # one row per pod of `pods`, for each query of the policy
    batches: BatchCounts  # executions since the last tick, of the pods that were asked
    fleet: Fleet
    bounds: Bounds
    promise: Promise
    tuning: Tuning
    told: Told
    # What range queries still find of pods that have ended, summed by service; a query of the newest sample finds none.
    ended: Mapping[Query, Floats] = field(default_factory=dict)
    quotas: Quotas = field(default_factory=Quotas.none)
    stuck: Stuck | None = None  # None where nobody looked: the simulator
    sli: Sli | None = None  # None where nobody measures latencies: the simulator
    classes: Classes | None = None  # None where every service lists one hardware class
    # False while the answers are not those of a Prometheus whose windows are whole: they do for growing.
    may_shrink: bool = True

    def __len__(self) -> int:
        return len(self.fleet.replicas)

    def take(self, wanted: Ints) -> Observation:
        """The services of these rows, in this order; without the quotas, which others share."""
        place = np.full(len(self), -1, dtype=np.int64)
        place[wanted] = np.arange(len(wanted))
        pods = np.flatnonzero(place[self.pods.service] >= 0)
        executed = rows.take(self.batches, np.flatnonzero(place[self.batches.service] >= 0))
        theirs = rows.take(self.pods, pods)
        return Observation(
            now_seconds=self.now_seconds,
            pods=replace(theirs, service=place[theirs.service]),
            answers={query: rows.take(answer, pods) for query, answer in self.answers.items()},
            batches=replace(executed, service=place[executed.service]),
            fleet=rows.take(self.fleet, wanted),
            bounds=rows.take(self.bounds, wanted),
            promise=rows.take(self.promise, wanted),
            tuning=rows.take(self.tuning, wanted),
            told=rows.take(self.told, wanted),
            ended={query: totals[wanted] for query, totals in self.ended.items()},
            stuck=None if self.stuck is None else rows.take(self.stuck, wanted),
            sli=None if self.sli is None else rows.take(self.sli, wanted),
            classes=None if self.classes is None else self.classes.take(wanted),
            may_shrink=self.may_shrink,
        )

    def total(self, query: Query, *, ready_only: bool = False) -> Readings:
        """The sum per service over the pods that answer; unknown where none does (`sum()` of no series).

        `ready_only` leaves out the pods that have ended, too.
        """
        found = self.answers[query]
        counted = found.known & self.pods.ready if ready_only else found.known
        value = total(self.pods.service, np.where(counted, found.value, 0.0), length=len(self))
        if not ready_only and query in self.ended:
            value = value + self.ended[query]
        return Readings(value=value, known=self.pods.count(counted, services=len(self)) > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """Demand before the first tick, as a range query returns it: shape [services, steps], oldest first."""

    demand: Readings  # items a second that were asked for; mean of each step
    step_seconds: float
    end_seconds: float  # Unix time at which the last step ends

    def __post_init__(self) -> None:
        if self.demand.value.ndim != 2:
            raise ValueError(f"demand must be [services, steps], not of shape {self.demand.value.shape}")

    @property
    def services(self) -> int:
        return len(self.demand.value)


M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


class Answer(Protocol[M_co]):
    """What a policy answers; `Decisions` is one."""

    @property
    def desired(self) -> Ints:
        """Replicas of each service from now on."""
        ...

    @property
    def memory(self) -> M_co:
        """What the policy wants to see again at the next tick."""
        ...

    def reason(self, service: int) -> str:
        """The bound or rule that decided, in one CamelCase word."""
        ...


class Policy(Protocol[M]):
    """Decides for all services at once; a pure function of its arguments. No row looks at another, but
    where services share a quota."""

    @property
    def tick_seconds(self) -> float:
        """How often it wants to be asked."""
        ...

    @property
    def queries(self) -> tuple[Query, ...]:
        """What it wants answered at each tick."""
        ...

    def start(self, past: Past) -> M:
        """The memory of the first tick, made of the past; an empty past is no fault."""
        ...

    def decide(self, seen: Observation, memory: M) -> Answer[M]:
        """Desired replicas, the new memory and why."""
        ...


AnyPolicy = Policy[Any]
