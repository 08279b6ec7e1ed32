"""A quota that services share, on top of what was decided for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arbitrate import NO_QUOTA
from foretide.scaling.arrays import Ints
from foretide.scaling.decision import Bound, Decisions, Plan, Quotas
from foretide.scaling.forecast.foresight import Foresight, Target, Trust
from foretide.scaling.ration import ration
from tests.scaling.build import SETTINGS, bounds, floats, ints, join, judge, same
from tests.scaling.strategies import anything, often, plausible, random_world, seeds

LEVELS: Final = np.array([0.1, 0.5, 0.9, 0.99])
GROUPS: Final = 3
SERVICES: Final = 60


def foreseen(*demand: float, trust: Trust = Trust.GOOD) -> Foresight:
    """The same at each level and in each window."""
    services = len(demand)
    return Foresight(
        levels=LEVELS,
        demand_rps=np.broadcast_to(floats(*demand)[:, None, None], (services, len(Target), len(LEVELS))),
        trust=np.full(services, trust),
    )


def one_quota(limit: int, *priority: int) -> Quotas:
    return Quotas(group=np.zeros(len(priority), dtype=np.int64), priority=ints(*priority), limit=ints(limit))


def services(*made: Decisions) -> Decisions:
    """Each as it was decided alone."""
    columns = [replace(one, settings=SETTINGS) for one in made]
    first = columns[0]
    joined = {
        name: join([getattr(one, name) for one in columns])
        for name in first.__dataclass_fields__
        if name not in ("settings", "divided")
    }
    return replace(first, **joined)


def random_case(seed: int) -> tuple[Decisions, Quotas, Foresight]:
    random = np.random.default_rng(seed)
    demand = np.sort(plausible(random, SERVICES * 2 * len(LEVELS)).reshape(SERVICES, 2, len(LEVELS)), axis=2)
    quotas = Quotas(
        group=random.integers(NO_QUOTA, GROUPS, SERVICES),
        priority=random.integers(0, 3, SERVICES),
        limit=random.integers(0, 150, GROUPS),
    )
    return (
        random_world(seed, SERVICES).decide(),
        quotas,
        Foresight(levels=LEVELS, demand_rps=demand, trust=random.choice([0, 0, 0, 1], SERVICES)),
    )


def taken(quotas: Quotas, replicas: Ints) -> Ints:
    """Replicas of each group."""
    return np.array([replicas[quotas.group == group].sum() for group in range(len(quotas.limit))])


def guaranteed(made: Decisions) -> Ints:
    """Minimums and pinned numbers, and what runs where some of the demand is unknown."""
    minimum = np.where(made.bounds.is_pinned, made.bounds.pinned, made.bounds.minimum)
    whole = made.seen.demand.known & (made.seen.silent == 0)
    return np.minimum(np.maximum(minimum, np.where(whole, 0, made.fleet.replicas)), made.desired)


def keeps_the_quota(made: Decisions, quotas: Quotas, foresight: Foresight) -> None:
    rationed = ration(made, quotas, foresight)
    paused = made.bounds.paused
    fixed = taken(quotas, np.where(paused, made.desired, 0))
    assert (taken(quotas, rationed.desired) <= np.maximum(quotas.limit, fixed)).all()
    assert (rationed.desired[paused] == made.desired[paused]).all()
    assert ((rationed.desired >= 0) & (rationed.desired <= made.desired)).all()
    # What is left over is left because nobody wants it.
    spare = taken(quotas, rationed.desired) < quotas.limit
    whole = (quotas.group < 0) | spare[quotas.group]
    assert (rationed.desired[whole] == made.desired[whole]).all()
    # Nothing that is guaranteed is taken for what is not.
    low = guaranteed(made)
    enough = taken(quotas, np.where(paused, made.desired, low)) <= quotas.limit
    sure = (quotas.group < 0) | enough[quotas.group]
    assert (rationed.desired >= low)[sure].all()


@often
@given(seeds)
def test_a_group_takes_no_more_than_its_quota_but_for_those_that_are_paused(seed: int) -> None:
    keeps_the_quota(*random_case(seed))


@often
@given(seeds)
def test_any_numbers_at_all_keep_the_quota(seed: int) -> None:
    random = np.random.default_rng(seed)
    made, quotas, foresight = random_case(seed)
    wild = anything(random, foresight.demand_rps.size).reshape(foresight.demand_rps.shape)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        keeps_the_quota(made, quotas, replace(foresight, demand_rps=wild))


@often
@given(seeds)
def test_only_those_that_get_less_are_told_of_the_quota(seed: int) -> None:
    made, quotas, foresight = random_case(seed)
    rationed = ration(made, quotas, foresight)
    less = rationed.desired < made.desired
    assert (rationed.bound == np.where(less, Bound.QUOTA, made.bound)).all()
    assert (rationed.wanted == made.desired).all()
    assert (rationed.quota == [NO_QUOTA if one < 0 else quotas.limit[one] for one in quotas.group]).all()


@often
@given(seeds, st.integers(0, GROUPS - 1), st.integers(1, 40))
def test_more_quota_never_takes_a_replica_away(seed: int, group: int, more: int) -> None:
    made, quotas, foresight = random_case(seed)
    larger = replace(quotas, limit=quotas.limit + more * (np.arange(GROUPS) == group))
    assert (ration(made, larger, foresight).desired >= ration(made, quotas, foresight).desired).all()


@often
@given(seeds)
def test_the_same_is_shared_in_the_same_way(seed: int) -> None:
    assert same(ration(*random_case(seed)), ration(*random_case(seed)))


@often
@given(seeds)
def test_without_quotas_nothing_changes(seed: int) -> None:
    made, quotas, foresight = random_case(seed)
    assert ration(made, Quotas.none(), foresight) is made
    nobody = replace(quotas, group=np.full(SERVICES, NO_QUOTA))
    assert same(ration(made, nobody, foresight), made)
    plenty = replace(quotas, limit=np.full(GROUPS, 10**9))
    assert same(replace(ration(made, plenty, foresight), quota=made.quota), made)


@often
@given(seeds)
def test_a_higher_priority_goes_without_only_below_what_is_guaranteed_to_all(seed: int) -> None:
    made, quotas, foresight = random_case(seed)
    granted, least = ration(made, quotas, foresight).desired, guaranteed(made)
    free = (quotas.group >= 0) & ~made.bounds.paused
    for row in np.flatnonzero(free & (granted < made.desired)):
        below = free & (quotas.group == quotas.group[row]) & (quotas.priority < quotas.priority[row])
        assert (granted[below] <= least[below]).all()


def test_a_replica_goes_where_it_saves_most_of_an_error_budget() -> None:
    """Three replicas are all that the small one needs; to the large one they are worth less than a third of its ten."""
    made = services(judge(100.0, replicas=1), judge(30.0, replicas=1))
    rationed = ration(made, one_quota(12, 0, 0), foreseen(100.0, 30.0))
    assert rationed.desired.tolist() == [9, 3]
    assert [rationed.reason(row) for row in range(2)] == ["Quota", "Reactive"]


def test_who_promises_more_counts_for_more() -> None:
    made = services(judge(30.0, replicas=1), judge(30.0, replicas=1))
    strict = replace(made, capacity=replace(made.capacity, objective=floats(0.99, 0.999)))
    assert ration(strict, one_quota(4, 0, 0), foreseen(30.0, 30.0)).desired.tolist() == [1, 3]


def test_what_is_foreseen_counts_and_what_is_asked_now_does_too() -> None:
    plan = Plan.none(1, hold_seconds=300.0)
    calm = judge(20.0, replicas=1, plan=replace(plan, ahead=foreseen(60.0).at(Target.AHEAD, floats(0.0))))
    busy = judge(60.0, replicas=1)
    made = services(calm, busy)
    assert made.desired.tolist() == [6, 6]
    # Both tie, and the lower row is given what it needs; the sixth replica saves little.
    assert ration(made, one_quota(8, 0, 0), foreseen(60.0, 20.0)).desired.tolist() == [5, 3]
    # A forecast that nobody trusts tells nothing: 20 rps need two replicas.
    untrusted = replace(foreseen(60.0, 20.0), trust=ints(Trust.MISSED, Trust.GOOD))
    assert ration(made, one_quota(7, 0, 0), untrusted).desired.tolist() == [2, 5]


def test_a_surge_is_worth_what_it_is() -> None:
    """By its whole window the first service needs two replicas, by half of it six."""
    made = services(judge(20.0, replicas=2, short=60.0), judge(60.0, replicas=2))
    assert made.desired.tolist() == [6, 6]
    assert ration(made, one_quota(8, 0, 0), foreseen(20.0, 20.0)).desired.tolist() == [5, 3]
    queued = services(judge(20.0, replicas=2, pending=32.0 + 40.0 * SETTINGS.drain_seconds), judge(60.0, replicas=2))
    assert queued.desired.tolist() == [6, 6]
    assert ration(queued, one_quota(8, 0, 0), foreseen(20.0, 20.0)).desired.tolist() == [5, 3]


def test_where_the_load_is_unknown_what_runs_is_kept() -> None:
    made = services(judge(None, replicas=5), judge(100.0, replicas=5))
    assert ration(made, one_quota(9, 0, 0), foreseen(0.0, 100.0)).desired.tolist() == [5, 4]
    assert ration(made, one_quota(9, 0, 1), foreseen(0.0, 100.0)).desired.tolist() == [5, 4]


def test_where_pods_are_silent_what_runs_is_kept() -> None:
    """One of eight reports; the others may have as much to do."""
    made = services(judge(10.0, replicas=8, expected=8, silent=7), judge(80.0, replicas=1))
    assert made.desired.tolist() == [8, 8]
    assert ration(made, one_quota(12, 0, 0), foreseen(10.0, 80.0)).desired.tolist() == [8, 4]


@pytest.mark.parametrize(("limit", "expected"), [(9, [6, 2, 1]), (7, [6, 0, 1]), (3, [6, 0, 0])])
def test_what_is_paused_is_taken_from_the_others(limit: int, expected: list[int]) -> None:
    paused = replace(judge(0.0, replicas=6), bounds=bounds(paused=True), desired=ints(6))
    made = services(paused, judge(20.0, replicas=0), judge(5.0, replicas=1))
    rationed = ration(made, one_quota(limit, 0, 0, 1), foreseen(0.0, 20.0, 5.0))
    assert rationed.desired.tolist() == expected


@pytest.mark.parametrize(
    ("limit", "expected"), [(14, [9, 5]), (12, [9, 3]), (8, [7, 1]), (1, [0, 1])]
)  # after the minimum of a higher priority, before what it wants above that
def test_a_pinned_number_is_a_minimum_under_a_quota(limit: int, expected: list[int]) -> None:
    made = services(judge(0.0, replicas=9, limits=bounds(pinned=9)), judge(50.0, replicas=1))
    rationed = ration(made, one_quota(limit, 0, 9), foreseen(0.0, 50.0))
    assert rationed.desired.tolist() == expected
    assert rationed.reason(0) == ("Pinned" if expected[0] == 9 else "Quota")


def test_a_quota_takes_at_once_what_runs_in_a_roll_out_too() -> None:
    made = services(judge(90.0, replicas=9, rolling=True), judge(90.0, replicas=1))
    assert ration(made, one_quota(10, 0, 1), foreseen(90.0, 90.0)).desired.tolist() == [1, 9]


def test_a_minimum_is_served_before_what_others_want() -> None:
    made = services(judge(0.0, replicas=2, limits=bounds(2, 9)), judge(90.0, replicas=1))
    assert ration(made, one_quota(5, 0, 7), foreseen(0.0, 90.0)).desired.tolist() == [2, 3]


def test_replicas_that_run_are_taken_for_a_higher_priority() -> None:
    made = services(judge(50.0, replicas=5), judge(50.0, replicas=1))
    rationed = ration(made, one_quota(6, 0, 1), foreseen(50.0, 50.0))
    assert (rationed.desired.tolist(), rationed.fleet.replicas.tolist()) == ([1, 5], [5, 1])


def test_groups_do_not_share() -> None:
    made = services(judge(50.0, replicas=1), judge(50.0, replicas=1), judge(50.0, replicas=1))
    quotas = Quotas(group=ints(0, 1, NO_QUOTA), priority=ints(0, 0, 0), limit=ints(2, 4))
    assert ration(made, quotas, foreseen(50.0, 50.0, 50.0)).desired.tolist() == [2, 4, 5]


def test_where_nothing_may_shrink_a_quota_takes_nothing_that_runs() -> None:
    made = services(judge(90.0, replicas=4), judge(30.0, replicas=4))
    quotas, foresight = one_quota(8, 9, 0), foreseen(90.0, 30.0)
    assert ration(made, quotas, foresight).desired.tolist() != [4, 4]
    assert ration(made, quotas, foresight, may_shrink=False).desired.tolist() == [4, 4]
