"""Small builders: a world of services as decisions see it, and a clock that only tests move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity import BatchCounts, Capacity, Evidence, fit, learn, rate_per_replica
from foretide.scaling.decide import decide
from foretide.scaling.decision import Bounds, Decisions, Fleet, Plan
from foretide.scaling.demand import observe
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Gap, Pods, Seen
from foretide.scaling.policy import PodList
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings
from foretide.scaling.tuning import Tuning

SETTINGS: Final = ScalingSettings()
NOW: Final = 1_763_800_000.0


def ints(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


def floats(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def bools(*values: bool) -> Bools:
    return np.array(values, dtype=np.bool_)


NO_PODS: Final = PodList(
    service=ints(), ready=bools(), leaving=bools(), ready_age_seconds=floats(), age_seconds=floats()
)


def join(records: Sequence[Any]) -> Any:
    """The rows of all records (arrays, or dataclasses of them, however deep) in one."""
    first = records[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(records)
    if isinstance(first, Memory):  # holds values that are not one per service: clocks, and days of blocks
        return Memory.concatenate(records)
    columns = {field.name: [getattr(record, field.name) for record in records] for field in fields(first)}
    return type(first)(**{name: join(column) for name, column in columns.items()})


def same(one: Any, other: Any) -> bool:
    """Bit for bit, also where it is NaN, however deep."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    if is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    return bool(one == other)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """All that a tick gets."""

    bounds: Bounds
    fleet: Fleet
    pods: Pods
    memory: Memory
    slo_seconds: Floats
    objective: Floats
    max_batch: Ints
    instances: Ints
    plan: Plan
    tuning: Tuning

    def __len__(self) -> int:
        return len(self.slo_seconds)

    def seen(self, settings: ScalingSettings = SETTINGS) -> Seen:
        return observe(
            self.pods,
            services=len(self),
            max_batch=self.max_batch,
            items_per_request=self.memory.items_per_request,
            settings=settings,
        )

    def capacity(self) -> Capacity:
        return rate_per_replica(
            fit(self.memory.evidence),
            slo_latency_seconds=self.slo_seconds,
            objective=self.objective,
            max_batch=self.max_batch,
            instances=self.instances,
            kappa=self.memory.kappa,
        )

    def decide(self, *, now_seconds: float = NOW, settings: ScalingSettings = SETTINGS) -> Decisions:
        return decide(
            self.bounds,
            self.tuning,
            self.fleet,
            self.seen(settings),
            self.capacity(),
            self.plan,
            self.memory,
            now_seconds=now_seconds,
            settings=settings,
        )


def join_worlds(worlds: Sequence[World]) -> World:
    """All services in one world; the service column of pods is shifted along."""
    shifts = np.cumsum([0, *(len(world) for world in worlds[:-1])])
    shifted = [
        replace(world, pods=replace(world.pods, service=world.pods.service + shift))
        for world, shift in zip(worlds, shifts, strict=True)
    ]
    joined: World = join(shifted)
    return joined


def bounds(low: int = 1, high: int = 10, *, paused: bool = False, pinned: int | None = None) -> Bounds:
    return Bounds(
        minimum=ints(low),
        maximum=ints(high),
        paused=bools(paused),
        is_pinned=bools(pinned is not None),
        pinned=ints(pinned or 0),
    )


def fleet(replicas: int, *, rolling: bool = False) -> Fleet:
    return Fleet(replicas=ints(replicas), rolling=bools(rolling))


def seen(
    demand: float | None,
    *,
    short: float = 0.0,
    pending: float = 0.0,
    expected: int = 4,
    silent: int = 0,
    young: int = 0,
    gap: Gap = Gap.NO_SERIES,
) -> Seen:
    known = demand is not None
    return Seen(
        demand=Readings.of([demand]),
        cached=floats(0.0),
        short_window_rps=floats(short if known else 0.0),
        burst_items=floats(15.0 * max(short - demand, 0.0) if demand is not None else 0.0),
        pending=floats(pending),
        items_per_request=floats(1.0),
        ready=ints(expected + young),
        expected=ints(expected),
        reporting=ints(expected - silent if known else 0),
        young=ints(young),
        gap=ints(Gap.NONE if known else gap),
        ahead_seconds=floats(600.0 if not known and gap is Gap.CLOCK_SKEW else 0.0),
    )


def capacity(rate_rps: float = 10.0, *, measured: bool = True, feasible: bool = True) -> Capacity:
    return Capacity(
        rate_rps=floats(rate_rps),
        batch=floats(8.0),
        queue_items=floats(8.0),
        utilisation=floats(0.7),
        per_item_seconds=floats(0.0012),
        fixed_seconds=floats(0.0045),
        known=bools(measured),
        told=bools(False),
        feasible=bools(feasible),
        slo_seconds=floats(0.1),
        objective=floats(0.99),
    )


def foreseen(
    ahead: float | None = None,
    meanwhile: float | None = None,
    *,
    hold_seconds: float = SETTINGS.scale_down_hold_seconds,
    lead_seconds: float = 60.0,
    score: float = 0.0,
    highest: float | None = None,
) -> Plan:
    """One service; what is `None` is not foreseen."""
    return Plan(
        ahead=Readings.of([ahead]),
        likely=Readings.of([ahead]),
        meanwhile=Readings.of([meanwhile]),
        hold_seconds=floats(hold_seconds),
        lead_seconds=floats(lead_seconds),
        score=floats(score),
        trust=ints(0),
        highest=Readings.of([highest]),
    )


def held_since_long(peak: int, *, now_seconds: float = NOW) -> Memory:
    """A memory in which `peak` was needed all through the hold, up to the last tick."""
    memory = Memory.fresh(1)
    width = SETTINGS.scale_down_hold_seconds / 7
    window = replace(
        memory.window,
        started=bools(True),
        last_seen_seconds=floats(now_seconds - SETTINGS.tick_seconds),
        hold_seconds=floats(SETTINGS.scale_down_hold_seconds),
        slot=ints(int(now_seconds // width)),
        peaks=np.full((1, 8), peak, dtype=np.int64),
    )
    return replace(memory, window=window)


def judge(
    demand: float | None,
    *,
    replicas: int,
    memory: Memory | None = None,
    limits: Bounds | None = None,
    rolling: bool = False,
    plan: Plan | None = None,
    tuning: Tuning | None = None,
    rate_rps: float = 10.0,
    short: float = 0.0,
    pending: float = 0.0,
    expected: int = 4,
    silent: int = 0,
    young: int = 0,
    gap: Gap = Gap.NO_SERIES,
    now_seconds: float = NOW,
    may_shrink: bool = True,
) -> Decisions:
    """One service, one decision; the memory lets it shrink at once unless another is given."""
    return decide(
        limits or bounds(),
        tuning or Tuning.usual(1),
        fleet(replicas, rolling=rolling),
        seen(demand, short=short, pending=pending, expected=expected, silent=silent, young=young, gap=gap),
        capacity(rate_rps),
        plan or Plan.none(1, hold_seconds=SETTINGS.scale_down_hold_seconds),
        held_since_long(0, now_seconds=now_seconds) if memory is None else memory,
        now_seconds=now_seconds,
        settings=SETTINGS,
        may_shrink=may_shrink,
    )


def evidence_of(
    per_item: float, fixed: float, *, sizes: Sequence[int] = range(1, 9), executions: float = 200
) -> Evidence:
    counts = {size: (executions, executions * (per_item * size + fixed)) for size in sizes}
    return learn(Evidence.none(1), BatchCounts.gather([(0, counts)]))


@dataclass(slots=True)
class Timeline:
    """One service through virtual time: replicas obey at once, load arrives as it is told."""

    replicas: int
    memory: Memory
    now_seconds: float = NOW
    limits: Bounds | None = None
    rate_rps: float = 10.0

    def tick(
        self, demand: float | None, *, seconds: float = SETTINGS.tick_seconds, silent: int = 0, rolling: bool = False
    ) -> int:
        self.now_seconds += seconds
        decisions = judge(
            demand,
            replicas=self.replicas,
            memory=self.memory,
            limits=self.limits or bounds(1, 100),
            rate_rps=self.rate_rps,
            expected=self.replicas,
            silent=silent,
            rolling=rolling,
            now_seconds=self.now_seconds,
        )
        self.memory, self.replicas = decisions.memory, int(decisions.desired[0])
        return self.replicas
