"""What a replica is worth under a quota: hulls, what runs, and any numbers at all."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from foretide.scaling.arbitrate import NO_QUOTA, Claims, Lateness, Worth, grant
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.capacity.attainment import late_share
from tests.scaling.build import floats, ints
from tests.scaling.strategies import anything, often, seeds


def lateness(
    *demand: float, minimum: int = 0, running: int = 0, wanted: int = 8, soon: float | None = None
) -> Lateness:
    """Of demands that are certain, of replicas that keep 99 % at 7 rps and are full at 10."""
    services = len(demand)
    ahead = np.array(demand)[:, None]
    return Lateness(
        shares=floats(1.0),
        soon_rps=ahead if soon is None else np.full_like(ahead, soon),
        ahead_rps=ahead,
        saturation_rps=np.full(services, 10.0),
        utilisation=np.full(services, 0.7),
        objective=np.full(services, 0.99),
        known=np.ones(services, dtype=np.bool_),
        minimum=np.full(services, minimum),
        running=np.full(services, running),
        wanted=np.full(services, wanted),
    )


WORTH: Worth = lateness(1.0)


def saved(worth: Lateness, most: int = 8) -> Floats:
    """[services, replicas] of the error budget."""
    services = len(worth.known)
    row = np.repeat(np.arange(services), most)
    return worth.saved(row, np.tile(np.arange(1, most + 1), services)).reshape(services, most)


def late(demand: float, replicas: int) -> float:
    load = floats(demand / max(10.0 * replicas, 0.01))
    return float(late_share(load, utilisation=floats(0.7), objective=floats(0.99))[0])


def random_lateness(seed: int, services: int = 20) -> Lateness:
    random = np.random.default_rng(seed)
    soon, ahead = random.gamma(1.5, 30.0, (2, services, 3))
    return Lateness(
        shares=floats(0.5, 0.3, 0.2),
        soon_rps=soon,
        ahead_rps=ahead,
        saturation_rps=random.uniform(3.0, 30.0, services),
        utilisation=random.uniform(0.2, 0.9, services),
        objective=random.choice([0.9, 0.99, 0.999], services),
        known=np.ones(services, dtype=np.bool_),
        minimum=random.integers(0, 3, services),
        running=random.integers(0, 12, services),
        wanted=random.integers(0, 12, services),
    )


def test_a_step_of_several_replicas_counts_evenly_for_each_of_them() -> None:
    """35 rps on three replicas are all late, on four a third, on five 1 %: the hull has what the first four save."""
    found = saved(lateness(35.0), 5)[0] / 100.0
    assert late(35.0, 3) > 1.0
    assert found[:4] == pytest.approx((late(35.0, 0) - late(35.0, 4)) / 4.0 * np.ones(4), rel=1e-6)
    assert found[4] == pytest.approx(late(35.0, 4) - late(35.0, 5), rel=1e-6)


def test_what_runs_is_worth_the_time_until_another_is_ready_too() -> None:
    new, old = (saved(lateness(35.0, running=running))[0] for running in (0, 2))
    assert old == pytest.approx(new * ([2.0] * 2 + [1.0] * 6), rel=1e-6)
    later = saved(lateness(35.0, running=8, soon=0.0))[0]
    assert later == pytest.approx(new, rel=1e-6)


def test_what_is_guaranteed_is_apart() -> None:
    """What a minimum saves makes nothing above it dearer."""
    found = saved(lateness(25.0, minimum=2), 4)[0] / 100.0
    assert found[2] == pytest.approx(late(25.0, 2) - late(25.0, 3), rel=1e-6)


def test_a_replica_that_is_not_wanted_saves_nothing() -> None:
    found = saved(lateness(35.0, wanted=4))[0]
    assert (found[:4] > 0.0).all()
    assert (found[4:] == 0.0).all()


def test_a_stricter_objective_counts_for_more() -> None:
    strict = replace(lateness(15.0, 15.0), objective=floats(0.99, 0.999))
    lax, hard = saved(strict, 2).sum(axis=1)
    assert hard > 5.0 * lax


def test_a_service_gets_all_that_it_needs_or_little() -> None:
    """Two that need five each share eight: one in time and the other late, and not both."""
    case = Claims(group=ints(0, 0), priority=ints(0, 0), desired=ints(5, 5), minimum=ints(1, 1), running=ints(0, 0))
    worth = lateness(35.0, 35.0, minimum=1, wanted=5)
    assert grant(case, worth, quota=ints(8)).granted.tolist() == [4, 4]
    assert grant(case, worth, quota=ints(7)).granted.tolist() == [4, 3]
    assert grant(case, worth, quota=ints(6)).granted.tolist() == [4, 2]


@often
@given(seeds)
def test_no_replica_saves_more_than_the_one_before_it(seed: int) -> None:
    worth = random_lateness(seed)
    found = saved(worth, 14)
    assert (found >= 0.0).all()
    above = np.arange(2, 15) > worth.minimum[:, None] + 1
    assert (np.diff(found, axis=1) <= 0.0)[above].all()


@often
@given(seeds)
def test_the_hull_saves_as_much_as_there_is_to_save(seed: int) -> None:
    """Where the hull touches: nothing and all that is wanted."""
    worth = replace(random_lateness(seed), running=np.zeros(20, dtype=np.int64))
    share = late_share(
        worth.ahead_rps / (np.maximum(worth.wanted, 1e-3) * worth.saturation_rps)[:, None],
        utilisation=worth.utilisation[:, None],
        objective=worth.objective[:, None],
    )
    none = late_share(
        worth.ahead_rps / (1e-3 * worth.saturation_rps)[:, None],
        utilisation=worth.utilisation[:, None],
        objective=worth.objective[:, None],
    )
    expected = ((none - share) @ worth.shares) / (1.0 - worth.objective)
    assert saved(worth, 12).sum(axis=1) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@often
@given(seeds)
def test_no_service_looks_at_another_nor_at_how_many_are_asked_about(seed: int) -> None:
    worth = random_lateness(seed)
    found = saved(worth, 12)
    some: Ints = np.flatnonzero(np.random.default_rng(seed).random(20) < 0.5)
    row, number = np.repeat(some, 5), np.tile(np.arange(1, 6), len(some))
    assert (worth.saved(row, number).reshape(-1, 5) == found[some, :5]).all()


@often
@given(seeds)
def test_any_numbers_at_all_are_worth_something_finite(seed: int) -> None:
    random = np.random.default_rng(seed)
    worth = replace(
        random_lateness(seed),
        soon_rps=np.clip(np.nan_to_num(anything(random, 60)), 0.0, 1e15).reshape(20, 3),
        ahead_rps=np.clip(np.nan_to_num(anything(random, 60)), 0.0, 1e15).reshape(20, 3),
        objective=random.choice([0.0, 0.5, 1.0 - 1e-9], 20),
        minimum=random.integers(-3, 20, 20),
        running=random.integers(-3, 20, 20),
        wanted=random.integers(-3, 20, 20),
    )
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        found = saved(worth, 25)
    assert np.isfinite(found).all()
    assert (found >= 0.0).all()


def test_one_service_that_wants_the_world_costs_no_more_than_ten_thousand_replicas() -> None:
    case = Claims(group=ints(0, 0), priority=ints(0, 0), desired=ints(2**62, 3), minimum=ints(1, 1), running=ints(1, 1))
    worth = replace(lateness(1e9, 20.0), wanted=case.desired)
    assert grant(case, worth, quota=ints(5)).granted.tolist() == [2, 3]


def test_five_thousand_services_with_forty_replicas_each_take_a_fraction_of_a_second() -> None:
    random, services, groups = np.random.default_rng(1), 5_000, 6
    wanted = np.full(services, 40)
    worth = replace(
        random_lateness(1, services),
        shares=np.full(12, 1.0 / 12.0),
        soon_rps=random.gamma(2.0, 200.0, (services, 12)),
        ahead_rps=random.gamma(2.0, 200.0, (services, 12)),
        wanted=wanted,
    )
    case = Claims(
        group=random.integers(NO_QUOTA, groups, services),
        priority=random.integers(0, 3, services),
        desired=wanted,
        minimum=worth.minimum,
        running=worth.running,
    )
    spent = []
    for _ in range(3):
        began = time.process_time()
        result = grant(case, worth, quota=np.full(groups, 10_000))
        spent.append(time.process_time() - began)
    assert result.granted[case.group >= 0].sum() == 10_000 * groups
    assert min(spent) < 2.0  # it takes about 0.6 s of one core


def test_nobody_is_worth_nothing() -> None:
    assert len(lateness().saved(ints(), ints())) == 0
