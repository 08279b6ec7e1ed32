"""What a replica is worth under a quota: hulls, what runs, and any numbers at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from foretide.scaling.arbitrate import Claims, Lateness, Worth, grant
from foretide.scaling.arbitrate import lateness as module
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
    """35 rps on three replicas are all late, on four a fifth, on five 1 %: the hull has what the first four save."""
    found = saved(lateness(35.0), 5)[0] / 100.0
    assert late(35.0, 3) > 1.0
    assert found[:4] == pytest.approx((late(35.0, 0) - late(35.0, 4)) / 4.0 * np.ones(4), rel=1e-6)
    assert found[4] == pytest.approx(late(35.0, 4) - late(35.0, 5), rel=1e-6)


def test_what_runs_is_worth_the_time_until_another_is_ready_too() -> None:
    new, old = (saved(lateness(35.0, running=running))[0] for running in (0, 8))
    assert old == pytest.approx(2.0 * new, rel=1e-6)
    later = saved(lateness(35.0, running=8, soon=0.0))[0]
    assert later == pytest.approx(new, rel=1e-6)


def test_until_then_nothing_is_worth_what_only_others_would_bring() -> None:
    """35 rps are late on two replicas for all that a third and a fourth would save."""
    new, old = (saved(lateness(35.0, running=running))[0] for running in (0, 2))
    assert (old - new)[:2] == pytest.approx(100.0 * (late(35.0, 0) - late(35.0, 2)) / 2.0 * np.ones(2), rel=1e-6)
    assert (old - new)[2:] == pytest.approx(np.zeros(6), abs=1e-6)
    new, old = (saved(lateness(270.0, running=running, wanted=30), 30)[0] for running in (0, 9))
    assert old == pytest.approx(new)


def test_what_runs_is_apart_where_the_demand_is_unknown() -> None:
    """It is guaranteed, like a minimum."""
    unknown = replace(lateness(25.0, running=2, soon=0.0), known=np.array([False]))
    assert saved(unknown, 4)[0, 2:] == pytest.approx(saved(lateness(25.0, minimum=2), 4)[0, 2:])


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


def test_of_two_above_saturation_one_is_brought_below_it() -> None:
    """35 rps on three replicas are all late, and on four a fifth: of seven or six one gets four, the other the rest."""
    case = Claims(group=ints(0, 0), priority=ints(0, 0), desired=ints(5, 5), minimum=ints(1, 1), running=ints(0, 0))
    worth = lateness(35.0, 35.0, minimum=1, wanted=5)
    assert grant(case, worth, quota=ints(8)).tolist() == [4, 4]
    assert grant(case, worth, quota=ints(7)).tolist() == [4, 3]
    assert grant(case, worth, quota=ints(6)).tolist() == [4, 2]


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


def test_one_service_that_wants_the_world_is_looked_at_in_few_steps() -> None:
    case = Claims(group=ints(0, 0), priority=ints(0, 0), desired=ints(2**62, 3), minimum=ints(1, 1), running=ints(1, 1))
    worth = replace(lateness(95_000.0, 20.0), wanted=case.desired)
    assert grant(case, worth, quota=ints(5)).tolist() == [2, 3]
    plenty = grant(replace(case, desired=ints(10_000, 3)), replace(worth, wanted=ints(10_000, 3)), quota=ints(10_002))
    assert plenty.tolist() == [9_999, 3]


@pytest.mark.parametrize("load", [0.3, 0.7, 0.95, 1.4])
def test_steps_of_several_replicas_are_hardly_off(load: float, monkeypatch: pytest.MonkeyPatch) -> None:
    worth = lateness(10_000.0 * load, minimum=3, running=700, wanted=1_000)
    steps = saved(worth, 1_000)[0, 3:]
    monkeypatch.setattr(module, "MOST_STEPS", 1_000)
    exact = saved(worth, 1_000)[0, 3:]
    assert np.cumsum(steps) == pytest.approx(np.cumsum(exact), abs=exact.sum() / 100.0)


def test_nobody_is_worth_nothing() -> None:
    assert len(lateness().saved(ints(), ints())) == 0
