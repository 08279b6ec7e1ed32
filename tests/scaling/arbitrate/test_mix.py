"""Mixes of hardware classes against an exact solver."""

import time
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from foretide.scaling.arbitrate import Mix, Offer, fill
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.readings import Readings
from tests.scaling.build import floats
from tests.scaling.strategies import anything, often, readings, seeds

# rps and price of a replica: a CPU, a T4, and an Inferentia that is the best buy
CPU: Final = (10.0, 0.20)
T4: Final = (40.0, 0.60)
INF: Final = (30.0, 0.30)


def offer(*classes: tuple[float, float], available: tuple[int, ...] = (), feasible: tuple[bool, ...] = ()) -> Offer:
    table = np.array([classes])
    return Offer(
        rate_rps=table[..., 0],
        price=table[..., 1],
        available=np.array([available or (100,) * len(classes)]),
        feasible=np.array([feasible or (True,) * len(classes)]),
    )


def need(*rps: float | None) -> Readings:
    return Readings.of(rps)


def counts(mix: Mix) -> list[int]:
    return [int(count) for count in mix.replicas[0]]


def random_offer(random: np.random.Generator, services: int, classes: int) -> Offer:
    """A third of the services have classes of the very same price per rps, a third of nearly the same."""
    rate = random.uniform(1.0, 30.0, (services, classes))
    spread = random.choice([0.0, 0.05, 0.5], (services, 1))
    return Offer(
        rate_rps=np.where(random.random((services, 1)) < 0.3, np.ceil(rate), rate),
        price=rate * random.uniform(1.0 - spread, 1.0 + spread, (services, classes)),
        available=random.integers(0, 15, (services, classes)),
        feasible=random.random((services, classes)) < 0.9,
    )


def lowest_price(rps: float, rate: Floats, price: Floats, available: Ints) -> float | None:
    """By HiGHS; None where all that is available is not enough."""
    solved = milp(
        price,
        integrality=np.ones(len(rate)),
        bounds=Bounds(0, available),
        constraints=LinearConstraint(rate[None], rps * (1.0 - 1e-9), np.inf),
        options={"mip_rel_gap": 0.0},
    )
    return float(solved.fun) if solved.success else None


def test_the_best_buy_carries_all_where_it_fits() -> None:
    mix = fill(need(90.0), offer(CPU, T4, INF))
    assert counts(mix) == [0, 0, 3]
    assert mix.price[0] == pytest.approx(0.90)
    assert mix.short_rps[0] == 0.0


def test_the_last_piece_is_what_costs_least_not_what_is_the_best_buy() -> None:
    assert counts(fill(need(68.0), offer(CPU, T4, INF))) == [1, 0, 2]
    assert counts(fill(need(9.0), offer(CPU, T4, INF))) == [1, 0, 0]


def test_what_is_available_bounds_each_class() -> None:
    mix = fill(need(100.0), offer(CPU, T4, INF, available=(100, 1, 1)))
    assert counts(mix) == [3, 1, 1]


def test_a_class_that_cannot_keep_the_slo_is_not_used() -> None:
    assert counts(fill(need(90.0), offer(CPU, T4, INF, feasible=(True, True, False)))) == [1, 2, 0]


def test_where_all_is_not_enough_all_is_used_and_the_rest_is_told() -> None:
    mix = fill(need(100.0), offer(CPU, T4, INF, available=(2, 1, 1), feasible=(True, False, True)))
    assert counts(mix) == [2, 0, 1]
    assert mix.short_rps[0] == pytest.approx(50.0)


def test_of_the_same_price_the_fewest_replicas() -> None:
    assert counts(fill(need(40.0), offer((10.0, 1.0), (20.0, 2.0), (40.0, 4.0)))) == [0, 0, 1]
    assert counts(fill(need(70.0), offer((10.0, 1.0), (20.0, 2.0), (40.0, 4.0)))) == [1, 1, 1]
    assert counts(fill(need(8_000.0), offer((10.0, 1.0), (20.0, 2.0), (40.0, 4.0), available=(900,) * 3))) == [
        0,
        0,
        200,
    ]


def test_three_thirds_carry_a_whole() -> None:
    assert counts(fill(need(1.0), offer((1.0 / 3.0, 1.0)))) == [3]
    assert counts(fill(need(0.1 + 0.2), offer((0.1, 1.0)))) == [3]


def test_no_need_is_no_replica_and_an_unknown_need_no_answer() -> None:
    mix = fill(need(0.0), offer(CPU, INF))
    assert (counts(mix), mix.known[0], mix.price[0]) == ([0, 0], True, 0.0)
    assert not fill(need(None), offer(CPU, INF)).known[0]


@pytest.mark.parametrize("broken", [(0.0, 1.0), (float("nan"), 1.0), (10.0, float("nan")), (float("inf"), 0.1)])
def test_a_class_without_a_number_is_not_used(broken: tuple[float, float]) -> None:
    assert counts(fill(need(90.0), offer(broken, INF))) == [0, 3]


def test_without_classes_and_without_services() -> None:
    nothing = np.zeros((1, 0))
    bare = Offer(rate_rps=nothing, price=nothing, available=nothing.astype(np.int64), feasible=nothing > 0.0)
    assert fill(need(5.0), bare).short_rps[0] == pytest.approx(5.0)
    empty = np.zeros((0, 3))
    none = Offer(rate_rps=empty, price=empty, available=empty.astype(np.int64), feasible=empty > 0.0)
    assert fill(Readings.unknown(0), none).replicas.shape == (0, 3)


@settings(deadline=None, max_examples=20)
@given(seeds, st.integers(1, 4))
def test_no_solver_finds_a_lower_price(seed: int, classes: int) -> None:
    random, services = np.random.default_rng(seed), 3
    offered = random_offer(random, services, classes)
    rps = random.uniform(0.0, 250.0, services)
    mix = fill(need(*rps), offered)
    for row in range(services):
        available = np.where(offered.feasible[row], offered.available[row], 0)
        price = lowest_price(rps[row], offered.rate_rps[row], offered.price[row], available)
        if price is None:
            assert mix.short_rps[row] > 0.0
            assert (mix.replicas[row] == available).all()
        else:
            assert mix.short_rps[row] == 0.0
            assert mix.price[row] == pytest.approx(price, rel=2e-5)  # CLOSE, and the solver's own 1e-6


def test_a_small_class_may_take_many_steps_to_save_one_large_replica() -> None:
    """One large replica fewer and 18 small ones instead: HiGHS agrees."""
    mix = fill(need(3 * 34.0 + 18 * 1.5), offer((34.0, 34.0), (1.5, 1.52), (50.0, 80.0), (48.0, 90.0)))
    assert counts(mix) == [3, 18, 0, 0]


@often
@given(seeds, st.integers(1, 4))
def test_any_numbers_give_replicas_that_are_there_and_no_row_looks_at_another(seed: int, classes: int) -> None:
    random, services = np.random.default_rng(seed), 20
    cells = (services, classes)
    broken = Offer(
        rate_rps=anything(random, services * classes).reshape(cells),
        price=anything(random, services * classes).reshape(cells),
        available=random.choice([-1, 0, 1, 7, 300, 2**62], cells),
        feasible=random.random(cells) < 0.9,
    )
    rps = readings(random, services, anything)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        mix = fill(rps, broken)
    assert (mix.replicas >= 0).all()
    assert (mix.replicas <= np.where(broken.feasible, np.maximum(broken.available, 0), 0)).all()
    assert np.isfinite(mix.price).all()
    assert ((mix.short_rps >= 0.0) & np.isfinite(mix.short_rps)).all()
    assert (mix.replicas[~mix.known] == 0).all()

    one = int(random.integers(services))
    row = slice(one, one + 1)
    alone = Offer(**{name: getattr(broken, name)[row] for name in Offer.__slots__})
    assert (fill(Readings(value=rps.value[row], known=rps.known[row]), alone).replicas[0] == mix.replicas[one]).all()


@often
@given(seeds, st.floats(0.0, 300.0), st.floats(0.0, 100.0))
def test_a_higher_need_never_costs_less(seed: int, rps: float, more: float) -> None:
    offered = random_offer(np.random.default_rng(seed), 1, 3)
    less, after = fill(need(rps), offered), fill(need(rps + more), offered)
    assert after.price[0] >= less.price[0] * (1.0 - 1e-5)  # CLOSE
    assert after.short_rps[0] >= less.short_rps[0] - 1e-6


def test_classes_of_the_same_price_per_rps_end_within_a_replica_of_the_best() -> None:
    """Hundreds of replicas of four classes that are equally good: the worst case for branch and bound."""
    random, services = np.random.default_rng(5), 100
    rate = random.uniform(1.0, 30.0, (services, 4))
    offered = Offer(rate_rps=rate, price=rate, available=np.full((services, 4), 1_000), feasible=rate > 0.0)
    rps = random.uniform(5_000.0, 9_000.0, services)
    began = time.process_time()
    mix = fill(Readings(value=rps, known=rps > 0.0), offered)
    assert time.process_time() - began < 0.8  # it takes about 80 ms of one core
    assert (mix.price <= rps * (1.0 + 1e-4)).all()


def test_five_thousand_services_of_four_classes_take_some_milliseconds() -> None:
    random, services = np.random.default_rng(2), 5_000
    rate = random.uniform(1.0, 30.0, (services, 4))
    offered = Offer(
        rate_rps=rate,
        price=rate * random.uniform(0.7, 1.5, (services, 4)),
        available=random.integers(0, 60, (services, 4)),
        feasible=random.random((services, 4)) < 0.9,
    )
    rps = random.uniform(0.0, 400.0, services)
    began = time.process_time()
    mix = fill(Readings(value=rps, known=rps >= 0.0), offered)
    assert time.process_time() - began < 0.6  # it takes 50 to 100 ms of one core
    assert ((mix.replicas * rate).sum(axis=1) + mix.short_rps >= rps * (1.0 - 1e-8)).all()


def test_the_order_of_classes_plays_no_part() -> None:
    mix = fill(need(68.0), offer(INF, T4, CPU))
    assert counts(mix) == [2, 0, 1]
    assert mix.price == pytest.approx(floats(0.80))
