"""Observations made by hand: each service says how many pods it has and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeAlias

import numpy as np

from foretide.scaling.arrays import Ints
from foretide.scaling.capacity.evidence import BatchCounts
from foretide.scaling.decision import Bounds, Fleet
from foretide.scaling.policy import AnyPolicy, Observation, Over, Past, PodList, Promise, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.scaling.tuning import Told, Tuning
from foretide.simulate.peers.profile import Profile

NOW: Final = 1_763_800_000.0


@dataclass(frozen=True, slots=True)
class Total:
    """A value of the whole service: each ready pod answers an equal part of it."""

    value: float


# One number: each ready pod answers it. A list: one answer per pod (ready ones first, then starting, then leaving).
# None, at each place: no series, unknown.
PodAnswers: TypeAlias = float | Total | Sequence[float | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service as a policy sees it. Pods come in the order ready, starting, leaving.

    `answers` is keyed by the quantity (for each query of that quantity) or by one exact query, which wins. What is
    not in it is unknown; pods that start or leave answer only where a list says so.
    """

    ready: int = 1
    starting: int = 0
    leaving: int = 0
    replicas: int | None = None  # spec.replicas; ready + starting unless given
    minimum: int = 1
    maximum: int = 100
    paused: bool = False
    pinned: int | None = None
    rolling: bool = False
    slo_latency_seconds: float = 0.25
    objective: float = 0.99
    max_batch: int = 8
    instances: int = 1
    ready_age_seconds: float | Sequence[float] = 3600.0  # of the ready pods
    age_seconds: float | Sequence[float] = 3600.0  # of all pods
    answers: Mapping[Quantity | Query, PodAnswers] = field(default_factory=dict)

    @property
    def pods(self) -> int:
        return self.ready + self.starting + self.leaving

    def answers_to(self, query: Query) -> list[float | None]:
        """One answer per pod."""
        # What came is what was answered, unless a test tells them apart.
        usual = self.answers.get(Quantity.SUCCESS) if query.quantity is Quantity.ARRIVED else None
        given = self.answers.get(query, self.answers.get(query.quantity, usual))
        others: list[float | None] = [None] * (self.starting + self.leaving)
        if isinstance(given, Total):
            return [given.value / self.ready] * self.ready + others
        if given is None or isinstance(given, float | int):
            return [given] * self.ready + others
        if len(given) != self.pods:
            raise ValueError(f"{query.quantity} has {len(given)} answers for {self.pods} pods")
        return list(given)


def observe(
    *services: Service, queries: Sequence[Query] = (), now_seconds: float = NOW, batches: BatchCounts | None = None
) -> Observation:
    """All services in one observation, with an answer to each query."""
    return Observation(
        now_seconds=now_seconds,
        pods=_pods(services),
        answers={
            query: Readings.of([answer for service in services for answer in service.answers_to(query)])
            for query in queries
        },
        batches=BatchCounts.gather([]) if batches is None else batches,
        fleet=Fleet(
            replicas=_ints(
                service.ready + service.starting if service.replicas is None else service.replicas
                for service in services
            ),
            rolling=np.array([service.rolling for service in services], dtype=np.bool_),
        ),
        tuning=Tuning.usual(len(services)),
        told=Told.nothing(len(services)),
        bounds=Bounds(
            minimum=_ints(service.minimum for service in services),
            maximum=_ints(service.maximum for service in services),
            paused=np.array([service.paused for service in services], dtype=np.bool_),
            is_pinned=np.array([service.pinned is not None for service in services], dtype=np.bool_),
            pinned=_ints(service.pinned or 0 for service in services),
        ),
        promise=Promise(
            slo_latency_seconds=np.array([service.slo_latency_seconds for service in services], dtype=np.float64),
            objective=np.array([service.objective for service in services], dtype=np.float64),
            max_batch=_ints(service.max_batch for service in services),
            instances=_ints(service.instances for service in services),
            window_seconds=np.full(len(services), 28 * 86_400.0),
        ),
    )


def past(
    *demand: Sequence[float | None], step_seconds: float = 60.0, end_seconds: float = NOW, services: int | None = None
) -> Past:
    """Demand before the first tick, one row per service; without a row, an empty past of `services` services."""
    rows = demand or ([],) * (1 if services is None else services)
    flat = Readings.of([value for row in rows for value in row])
    shape = (len(rows), len(rows[0]) if rows else 0)
    return Past(
        demand=Readings(value=flat.value.reshape(shape), known=flat.known.reshape(shape)),
        step_seconds=step_seconds,
        end_seconds=end_seconds,
    )


def profile(
    *,
    services: int = 1,
    per_item_seconds: float = 0.010,
    fixed_seconds: float = 0.040,
    max_batch: int = 8,
    instances: int = 1,
    slo_latency_seconds: float = 0.25,
    objective: float = 0.99,
) -> Profile:
    """The same law for each service: 10 ms an item and 40 ms a batch, which is 66.7 requests a second at most."""
    return Profile(
        per_item_seconds=np.full(services, per_item_seconds),
        fixed_seconds=np.full(services, fixed_seconds),
        max_batch=np.full(services, max_batch, dtype=np.int64),
        instances=np.full(services, instances, dtype=np.int64),
        slo_latency_seconds=np.full(services, slo_latency_seconds),
        objective=np.full(services, objective),
    )


def profile_of_saturation(*saturation_rps: float, slo_latency_seconds: float = 0.25) -> Profile:
    """One service per number; a replica answers that many requests a second at most, one by one."""
    services = len(saturation_rps)
    return Profile(
        per_item_seconds=np.zeros(services),
        fixed_seconds=1.0 / np.array(saturation_rps, dtype=np.float64),
        max_batch=np.ones(services, dtype=np.int64),
        instances=np.ones(services, dtype=np.int64),
        slo_latency_seconds=np.full(services, slo_latency_seconds),
        objective=np.full(services, 0.99),
    )


@dataclass(slots=True)
class Run:
    """A policy through time. Nobody obeys: each tick says what is there."""

    policy: AnyPolicy
    now_seconds: float = NOW
    memory: Any = None
    reason: str = ""  # of the first service, at the last tick
    _begun: bool = False

    def tick(self, *services: Service, after_seconds: float | None = None) -> list[int]:
        """Desired replicas; the first tick is at NOW, the others a tick of the policy later unless told."""
        if self._begun:
            self.now_seconds += self.policy.tick_seconds if after_seconds is None else after_seconds
        elif self.memory is None:
            self.memory = self.policy.start(past(services=len(services)))
        self._begun = True
        seen = observe(*services, queries=self.policy.queries, now_seconds=self.now_seconds)
        answer = self.policy.decide(seen, self.memory)
        self.memory, self.reason = answer.memory, answer.reason(0) if services else ""
        return [int(replicas) for replicas in answer.desired]


def decided(policy: AnyPolicy, *services: Service) -> list[int]:
    """Desired replicas at the first tick, with an empty past."""
    return Run(policy).tick(*services)


def random_service(random: np.random.Generator) -> Service:
    """Anything that a cluster may show: no pods, silent pods, contradictory bounds never."""
    ready, starting, leaving = (int(random.integers(0, most)) for most in (6, 4, 3))
    pods = ready + starting + leaving
    low, high = sorted(int(number) for number in random.integers(1, 12, 2))

    def answers(most: float) -> list[float | None]:
        values = most * random.random(pods) * (random.random(pods) < 0.9)
        return [
            None if silent else float(value) for value, silent in zip(values, random.random(pods) < 0.2, strict=True)
        ]

    most = {Quantity.PENDING: 20.0, Quantity.BUSY_SECONDS: 1.0, Quantity.CONCURRENCY_SECONDS: 30.0}
    return Service(
        ready=ready,
        starting=starting,
        leaving=leaving,
        replicas=int(random.integers(0, 12)) if random.random() < 0.3 else None,
        minimum=low,
        maximum=high,
        paused=random.random() < 0.05,
        pinned=3 if random.random() < 0.05 else None,
        instances=int(random.integers(1, 3)),
        ready_age_seconds=[float(age) for age in random.choice([5.0, 40.0, 400.0], ready)],
        age_seconds=[float(age) for age in random.choice([30.0, 60.0, 900.0], pods)],
        answers={
            **{quantity: answers(most.get(quantity, 90.0)) for quantity in Quantity},
            Query(Quantity.BUSY_SECONDS, Over.AGE): answers(30.0),
        },
    )


def random_profile(random: np.random.Generator, services: int) -> Profile:
    return Profile(
        per_item_seconds=random.uniform(0.001, 0.02, services),
        fixed_seconds=random.uniform(0.001, 0.1, services),
        max_batch=random.choice([1, 2, 8, 16], services),
        instances=random.integers(1, 3, services),
        slo_latency_seconds=random.uniform(0.05, 0.5, services),
        objective=np.full(services, 0.99),
    )


def check_rows_are_independent(make: Callable[[Profile], AnyPolicy], *, seed: int, ticks: int = 4) -> None:
    """What a service gets has the same bits, whichever services are decided with it."""
    random = np.random.default_rng(seed)
    services = 6
    whole = random_profile(random, services)
    demand = random.uniform(0.0, 500.0, (services, 60))
    worlds = [[random_service(random) for _ in range(services)] for _ in range(ticks)]
    steps = [float(step) for step in random.choice([1.0, 1.0, 2.0, 20.0], ticks)]
    policy = make(whole)
    together = Run(policy, memory=policy.start(past(*demand.tolist(), step_seconds=3600.0)))
    expected = [
        together.tick(*world, after_seconds=step * policy.tick_seconds)
        for world, step in zip(worlds, steps, strict=True)
    ]
    for row in range(services):
        single = make(_row(whole, row))
        alone = Run(single, memory=single.start(past(demand[row].tolist(), step_seconds=3600.0)))
        found = [
            alone.tick(world[row], after_seconds=step * policy.tick_seconds)
            for world, step in zip(worlds, steps, strict=True)
        ]
        assert [[replicas[row]] for replicas in expected] == found, f"seed {seed}, row {row}"


def _row(profile: Profile, row: int) -> Profile:
    return replace(profile, **{field.name: getattr(profile, field.name)[row : row + 1] for field in fields(profile)})


def _pods(services: Sequence[Service]) -> PodList:
    rows = [row for row, service in enumerate(services) for _ in range(service.pods)]
    ready: list[bool] = []
    leaving: list[bool] = []
    ready_age: list[float] = []
    age: list[float] = []
    for service in services:
        ready += [True] * service.ready + [False] * (service.starting + service.leaving)
        leaving += [False] * (service.ready + service.starting) + [True] * service.leaving
        ready_age += _spread(service.ready_age_seconds, service.ready) + [0.0] * (service.starting + service.leaving)
        age += _spread(service.age_seconds, service.pods)
    return PodList(
        service=np.array(rows, dtype=np.int64),
        ready=np.array(ready, dtype=np.bool_),
        leaving=np.array(leaving, dtype=np.bool_),
        ready_age_seconds=np.array(ready_age, dtype=np.float64),
        age_seconds=np.array(age, dtype=np.float64),
    )


def _spread(value: float | Sequence[float], pods: int) -> list[float]:
    values = [float(value)] * pods if isinstance(value, float | int) else list(value)
    if len(values) != pods:
        raise ValueError(f"{len(values)} ages for {pods} pods")
    return values


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)
