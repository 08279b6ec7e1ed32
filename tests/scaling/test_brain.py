"""The brain behind the seam: the steps of the package in their order, and nothing of one service reaches another."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from foretide.scaling.arrays import Ints
from foretide.scaling.brain import Brain
from foretide.scaling.budget import Spending
from foretide.scaling.capacity import BatchCounts, learn
from foretide.scaling.decision import Bound, Decisions, Plan, Quotas
from foretide.scaling.lag import corrected
from foretide.scaling.memory import Memory
from foretide.scaling.policy import (
    Answer,
    AnyPolicy,
    Observation,
    Over,
    Past,
    PodList,
    Policy,
    Promise,
    Quantity,
    Query,
)
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings
from foretide.scaling.sli import Sli, Source
from foretide.scaling.tuning import Told
from tests.scaling.build import NOW, SETTINGS, World, join_worlds, judge, same
from tests.scaling.strategies import random_sight, random_world, seeds, seldom

BRAIN = Brain(SETTINGS)
# Type-checked: what runs policies takes this one, and its answers.
POLICY: Policy[Memory] = BRAIN
ANY: AnyPolicy = BRAIN


def seen(world: World, batches: BatchCounts, *, now: float = NOW, latency_rate: Readings | None = None) -> Observation:
    """The world as whoever runs the brain shows it; all requests of a second together took `latency_rate` seconds."""
    pods = world.pods
    latency_rate = latency_rate or Readings.unknown(len(pods.service))
    return Observation(
        now_seconds=now,
        pods=PodList(
            service=pods.service,
            ready=pods.ready,
            leaving=~pods.ready,
            ready_age_seconds=pods.ready_age_seconds,
            age_seconds=pods.ready_age_seconds,
        ),
        answers={query: getattr(pods, column, latency_rate) for column, query in BRAIN.questions.items()},
        batches=batches,
        fleet=world.fleet,
        bounds=world.bounds,
        tuning=world.tuning,
        told=Told.nothing(len(world)),
        promise=Promise(
            slo_latency_seconds=world.slo_seconds,
            objective=world.objective,
            max_batch=world.max_batch,
            instances=world.instances,
            window_seconds=np.full(len(world), 28 * 86_400.0),
        ),
    )


def sighted(seed: int, services: int) -> World:
    """With two days of demand behind it."""
    world = random_world(seed, services)
    return replace(world, memory=replace(world.memory, sight=random_sight(np.random.default_rng(seed), services)))


def executions(seed: int, services: int) -> BatchCounts:
    """Some batches of each service, more than one row of the same size among them."""
    random = np.random.default_rng(seed)
    service = np.repeat(np.arange(services), 5)
    size, count = random.integers(1, 9, len(service)), random.uniform(1.0, 500.0, len(service))
    return BatchCounts(
        service=service, batch_size=size, executions=count, seconds=count * random.uniform(0.001, 0.2, len(service))
    )


def rows_of(record: Any, rows: Ints) -> Any:
    """A record of arrays with these rows only."""
    if isinstance(record, np.ndarray):
        return record[rows]
    if isinstance(record, tuple):
        return tuple(rows_of(each, rows) for each in record)
    if not is_dataclass(record) or isinstance(record, type):
        return record
    return replace(record, **{field.name: rows_of(getattr(record, field.name), rows) for field in fields(record)})


def test_it_asks_ten_questions() -> None:
    """And two more are asked for latencies: a dozen for all services."""
    assert len(BRAIN.queries) == len(set(BRAIN.queries)) == 10
    assert BRAIN.queries == tuple(BRAIN.questions.values())


def test_each_column_of_pods_has_its_query() -> None:
    assert Brain(ScalingSettings(scrape_interval_seconds=7.5)).questions == {
        "success_rps": Query(Quantity.SUCCESS, Over.RATE, 45.0),
        "failure_rps": Query(Quantity.FAILURE, Over.RATE, 45.0),
        "cache_hits_rps": Query(Quantity.CACHE_HITS, Over.RATE, 45.0),
        "inference_rps": Query(Quantity.INFERENCE, Over.RATE, 45.0),
        "pending": Query(Quantity.PENDING, Over.NEWEST),
        "pending_growth_rps": Query(Quantity.PENDING, Over.DERIV, 45.0),
        "short_failure_rps": Query(Quantity.FAILURE, Over.RATE, 23.0),
        "short_pending_growth_rps": Query(Quantity.PENDING, Over.DERIV, 23.0),
        "sample_age_seconds": Query(Quantity.SUCCESS, Over.AGE),
        "request_seconds": Query(Quantity.REQUEST_SECONDS, Over.RATE, 45.0),
    }


def test_it_ticks_as_its_settings_say() -> None:
    assert Brain(ScalingSettings(tick_seconds=7.0)).tick_seconds == 7.0


@pytest.mark.parametrize("services", [0, 3])
@pytest.mark.parametrize("steps", [0, 100])
def test_it_starts_with_a_fresh_memory_that_knows_the_past(services: int, steps: int) -> None:
    demand = np.full((services, steps), 7.0)
    past = Past(demand=Readings(value=demand, known=demand > 0.0), step_seconds=60.0, end_seconds=NOW)
    started, fresh = BRAIN.start(past), Memory.fresh(services)
    assert same(replace(started, sight=fresh.sight), fresh)
    history = started.sight.history
    known = history.between(history.minute - 5000, history.minute)
    assert (np.isfinite(known).sum(axis=1) == steps).all()
    assert np.allclose(known[np.isfinite(known)], 7.0, rtol=2e-3)


@seldom
@given(seeds)
def test_where_nothing_is_foreseen_a_decision_is_the_reactive_one(seed: int) -> None:
    world, batches = random_world(seed), executions(seed, 200)
    made = BRAIN.decide(seen(world, batches), world.memory)
    assert not made.plan.ahead.known.any()
    learned = replace(world.memory, evidence=learn(world.memory.evidence, batches), kappa=made.memory.kappa)
    nothing = Plan.none(len(world), hold_seconds=SETTINGS.scale_down_hold_seconds)
    expected = replace(world, memory=learned, plan=nothing).decide()
    for name in ("desired", "bound", "asked", "foreseen", "spacious", "staying", "held", "backlog", "hpa"):
        assert same(getattr(made, name), getattr(expected, name)), name
    for name in ("window", "items_per_request", "evidence"):
        assert same(getattr(made.memory, name), getattr(expected.memory, name)), name


@seldom
@given(seeds, seeds)
def test_no_row_looks_at_another(seed: int, other: int) -> None:
    mine, theirs = sighted(seed, 30), sighted(other, 20)
    both, batches = join_worlds([theirs, mine]), executions(seed, 50)
    of_mine = batches.service >= 20
    own = replace(rows_of(batches, np.flatnonzero(of_mine)), service=batches.service[of_mine] - 20)
    alone = BRAIN.decide(seen(mine, own), mine.memory)
    together = BRAIN.decide(seen(both, batches), both.memory)
    assert same(rows_of(together, np.arange(20, 50)), alone)


@seldom
@given(seeds)
def test_a_quota_takes_from_what_was_decided_and_changes_nothing_that_is_remembered(seed: int) -> None:
    world, batches = sighted(seed, 30), executions(seed, 30)
    random = np.random.default_rng(seed)
    quotas = Quotas(group=random.integers(-1, 2, 30), priority=random.integers(0, 2, 30), limit=np.array([20, 30]))
    free = BRAIN.decide(seen(world, batches), world.memory)
    bound = BRAIN.decide(replace(seen(world, batches), quotas=quotas), world.memory)
    # The risk learns nothing where a quota decided.
    assert same(replace(bound.memory, risk=free.memory.risk), free.memory)
    assert same(rows_of(bound.memory.risk, cut := bound.bound == Bound.QUOTA), rows_of(world.memory.risk, cut))
    assert same(bound.wanted, free.desired)
    assert (bound.desired <= free.desired).all()
    assert (bound.desired < free.desired).any()
    plenty = replace(quotas, limit=np.array([10**9, 10**9]))
    assert same(BRAIN.decide(replace(seen(world, batches), quotas=plenty), world.memory).desired, free.desired)


@seldom
@given(seeds)
def test_rows_of_an_observation_are_decided_as_among_all(seed: int) -> None:
    world, batches = sighted(seed, 30), executions(seed, 30)
    wanted = np.random.default_rng(seed).permutation(30)[:7]
    some = BRAIN.decide(seen(world, batches).take(wanted), world.memory.take(wanted))
    assert same(some, rows_of(BRAIN.decide(seen(world, batches), world.memory), wanted))


@seldom
@given(seeds)
def test_an_imagined_fleet_has_the_load_that_there_is_and_no_queue_where_more_are_ready(seed: int) -> None:
    world, batches = sighted(seed, 30), executions(seed, 30)
    real = BRAIN.decide(seen(world, batches), world.memory)
    assert same(BRAIN.decide(seen(world, batches), world.memory, ready=real.seen.ready), real)
    more = BRAIN.decide(seen(world, batches), world.memory, ready=real.seen.ready + 1)
    assert same(more.seen.demand, real.seen.demand)
    assert same(more.seen.ready, real.seen.ready + 1)
    assert (more.backlog == 0.0).all()
    assert (more.asked <= real.asked).all()


def test_the_budget_is_spent_by_the_sli_where_it_is_known_and_nothing_else_depends_on_it() -> None:
    world, batches = random_world(3, 200), executions(3, 200)
    shown, random = seen(world, batches), np.random.default_rng(3)
    fresh = replace(world.memory, spending=Spending.fresh(200), looked_seconds=np.full(200, NOW - 15.0))
    estimated = BRAIN.decide(shown, fresh)
    share = random.uniform(0.0, 1.0, 200)
    sli = Sli(
        share_late=Readings.checked(share, random.random(200) < 0.7),
        source=random.choice([Source.SUMMARY, Source.HISTOGRAM], 200),
    )
    made = BRAIN.decide(replace(shown, sli=sli), fresh)
    assert same(replace(made.memory, spending=estimated.memory.spending), estimated.memory)
    assert same(made.desired, estimated.desired)
    answered, refused = (
        Readings.checked(rps.value, rps.known, low=0.0, high=1e9)
        for rps in (
            corrected(shown, SETTINGS).total(BRAIN.questions[column]) for column in ("success_rps", "failure_rps")
        )
    )
    heard = made.seen.demand.known & (made.seen.expected > 0)
    measured = sli.share_late.known & answered.known & refused.known & (made.seen.silent == 0) & heard
    assert 10 < measured.sum() < 190
    items = made.seen.items_per_request * 15.0
    spent, before = made.memory.spending, estimated.memory.spending
    expected = (share * answered.value + refused.value) * items
    assert np.allclose(spent.late[measured, 0], expected[measured])
    assert np.allclose(spent.asked[measured, 0], ((answered.value + refused.value) * items)[measured])
    assert same(spent.late[~measured], before.late[~measured])
    assert (spent.source[~measured] == Source.ESTIMATED).all()
    asked = measured & (spent.asked[:, 1] > 0.0)
    assert (spent.source[asked] == sli.source[asked]).all()


def test_where_a_pod_is_silent_the_budget_is_estimated() -> None:
    world = random_world(5, 200)
    told = Sli(share_late=Readings.of([0.0] * 200), source=np.full(200, Source.HISTOGRAM))
    made = BRAIN.decide(
        replace(seen(world, executions(5, 200)), sli=told), replace(world.memory, spending=Spending.fresh(200))
    )
    silent = made.seen.silent > 0
    assert silent.any()
    assert (made.memory.spending.source[silent] == Source.ESTIMATED).all()


def test_a_decision_says_which_bound_decided() -> None:
    made = judge(31.0, replicas=2)
    answer: Answer[Memory] = made
    assert answer.reason(0) == Bound(made.bound[0]).label == "Reactive"
    assert judge(None, replicas=2).reason(0) == "Unknown"
    assert judge(5.0, replicas=10).reason(0) == "StepLimit"


def test_without_services_there_is_nothing_to_decide() -> None:
    world, nobody = random_world(1, 10), np.array([], dtype=np.int64)
    empty = replace(rows_of(replace(world, pods=rows_of(world.pods, nobody)), nobody), memory=Memory.fresh(0))
    made: Decisions = BRAIN.decide(seen(empty, BatchCounts.gather([])), empty.memory)
    assert len(made) == 0
