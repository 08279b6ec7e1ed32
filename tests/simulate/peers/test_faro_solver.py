"""Faro's plan, with and without a quota."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.scaling.arrays import Ints
from foretide.simulate.peers.faro_solver import NEGLIGIBLE, Objective, Plan, alone, shared
from foretide.simulate.peers.faro_utility import Jobs, utility
from tests.simulate.peers.test_faro_utility import jobs


def ones(count: int) -> Ints:
    return np.ones(count, dtype=np.int64)


def some(count: int = 5, *, running: float = 3.0, seed: int = 0) -> Jobs:
    """Services of 180 ms a request and 720 ms to answer, as in Faro's experiments; five need about 18 replicas."""
    random = np.random.default_rng(seed)
    rates = random.uniform(1.0, 22.0, (count, 1)) * random.uniform(0.8, 1.2, (count, 7))
    return jobs(*rates.tolist(), running=running, service_seconds=0.18, slo_seconds=0.72)


TWO = jobs([26.0, 20.0, 21.0], [33.0, 28.0, 10.0])  # of its own unit tests: 5 and 6 replicas at the 95th percentile


def test_without_a_quota_each_service_gets_what_it_is_better_off_with() -> None:
    assert alone(TWO, maximum=np.array([100, 100]), percentile=95).tolist() == [5, 6]


@given(seed=st.integers(0, 10_000), maximum=st.integers(1, 30))
@settings(max_examples=30)
def test_without_a_quota_the_last_replica_is_worth_more_than_the_negligible_and_the_next_is_not(
    seed: int, maximum: int
) -> None:
    services = some(10, seed=seed)
    found = alone(services, maximum=np.full(10, maximum))
    there = utility(services, found.astype(np.float64))
    assert (found <= maximum).all()
    fewer = utility(services, np.maximum(found - 1.0, 1.0))
    assert ((there - fewer > NEGLIGIBLE) | (found == 1)).all()
    more = utility(services, np.minimum(found + 1.0, maximum))
    assert (more - there <= NEGLIGIBLE).all()


def test_without_a_quota_no_service_looks_at_another() -> None:
    services = some(10)
    together = alone(services, maximum=np.full(10, 50))
    for row in range(10):
        single = services.chosen(np.arange(10) == row)
        assert alone(single, maximum=np.array([50])).tolist() == [together[row]]


def test_a_quota_with_room_gives_each_what_it_needs_and_returns_the_rest() -> None:
    assert shared(TWO, Plan(quota=32, percentile=95), minimum=ones(2)).tolist() == [5, 6]


@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("quota", [8, 16])
def test_the_plan_never_exceeds_the_quota_and_leaves_each_service_its_minimum(objective: Objective, quota: int) -> None:
    found = shared(some(), Plan(quota=quota, objective=objective, delay_steps=1), minimum=ones(5))
    assert found.sum() <= quota
    assert (found >= 1).all()


def test_a_quota_below_the_minima_gives_the_minima() -> None:
    assert shared(TWO, Plan(quota=3), minimum=np.array([2, 2])).tolist() == [2, 2]


def test_the_sum_gives_up_on_a_service_that_the_fair_objective_serves() -> None:
    # One service too large for the quota, four small ones: the sum is best without it.
    services = replace(some(), rate_rps=np.repeat([[60.0], *[[5.0]] * 4], 7, axis=1))
    by_sum = shared(services, Plan(quota=10, objective=Objective.SUM), minimum=ones(5))
    by_fairness = shared(services, Plan(quota=10, objective=Objective.FAIR), minimum=ones(5))
    assert by_sum[0] < by_fairness[0]
    least = [utility(services, found.astype(np.float64)).min() for found in (by_sum, by_fairness)]
    assert least[1] > least[0]


def test_fair_sum_weighs_the_spread_as_much_as_all_services() -> None:
    one_large = replace(some(), rate_rps=np.repeat([[60.0], *[[5.0]] * 4], 7, axis=1))
    by_sum, by_both = (
        shared(one_large, Plan(quota=10, objective=objective), minimum=ones(5))
        for objective in (Objective.SUM, Objective.FAIR_SUM)
    )
    assert by_both[0] > by_sum[0]

    services = some()

    def score(objective: Objective) -> float:
        found = shared(services, Plan(quota=16, objective=objective), minimum=ones(5))
        worth = utility(services, found.astype(np.float64))
        return float(worth.sum() + 5.0 * (worth.min() - worth.max() + 1.0))

    # COBYLA is no exact solver: within a hundredth.
    assert score(Objective.FAIR_SUM) >= max(score(Objective.SUM), score(Objective.FAIR)) - 0.01


def test_a_replica_that_nobody_misses_is_given_back() -> None:
    found = shared(some(), Plan(quota=100), minimum=ones(5))
    worth = utility(some(), found.astype(np.float64))
    for row in range(5):
        if found[row] > 1:
            fewer = found.astype(np.float64) - (np.arange(5) == row)
            assert worth.sum() - utility(some(), fewer).sum() > NEGLIGIBLE


def test_the_delay_of_new_replicas_is_halved_while_quota_is_left() -> None:
    # 65 s are one whole minute, and 1 // 2 = 0: only with a full quota does the first minute use what is there.
    full = shared(TWO, Plan(quota=20, delay_steps=1, percentile=95), minimum=ones(2))
    assert full.tolist() == [5, 6]
    services = replace(TWO, running=np.array([10.0, 10.0]), rate_rps=np.array([[26.0, 1.0], [33.0, 1.0]]))
    spare = shared(services, Plan(quota=30, delay_steps=1, percentile=95), minimum=ones(2))
    used_up = shared(replace(services, running=np.array([1.0, 29.0])), Plan(quota=30, delay_steps=1), minimum=ones(2))
    assert spare[0] >= 5, "it counts at once"
    assert used_up[0] < spare[0], "nothing helps in the first minute, and later there is no load"


def test_many_services_are_solved_as_groups_and_then_within_each_group() -> None:
    many = some(6, seed=1)
    found = shared(many, Plan(quota=20, groups=3), minimum=ones(6))
    whole = shared(many, Plan(quota=20), minimum=ones(6))
    assert found.sum() <= 20
    assert (found >= 1).all()
    values = [utility(many, replicas.astype(np.float64)).sum() for replicas in (found, whole)]
    assert values[0] > 0.9 * values[1]


def test_groups_divide_all_of_the_quota() -> None:
    heavy = jobs(*[[40.0] * 7] * 5, running=2.0, service_seconds=0.18, slo_seconds=0.72)
    assert shared(heavy, Plan(quota=17, groups=2), minimum=ones(5)).sum() == 17


def test_the_plan_is_the_same_each_time() -> None:
    plan = Plan(quota=16, objective=Objective.FAIR_SUM, delay_steps=1)
    assert shared(some(), plan, minimum=ones(5)).tolist() == shared(some(), plan, minimum=ones(5)).tolist()
