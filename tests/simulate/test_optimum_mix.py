"""Several hardware classes: the linear program against exact optima and schedules of whole replicas."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.simulate.optimum import HardwareOption, cheapest_mix, zero_violation
from tests.scaling.build import floats, ints

HOUR = 3600.0
GPU = HardwareOption(served_rps=5.0, price_per_hour=2 * HOUR, cold_start_seconds=3.0)
CPU = HardwareOption(served_rps=2.0, price_per_hour=1 * HOUR, cold_start_seconds=0.5)

needs = st.lists(st.integers(0, 5), min_size=1, max_size=20)
cold_starts = st.integers(0, 60).map(lambda tenths: tenths / 10)


def option(cold: float, *, rate: float = 4.0, price: float = HOUR) -> HardwareOption:
    return HardwareOption(served_rps=rate, price_per_hour=price, cold_start_seconds=cold)


@given(needs, cold_starts, st.sampled_from([1.0, 15.0]))
def test_one_class_at_whole_multiples_of_its_rate_is_the_exact_optimum(
    needed: list[int], cold: float, step: float
) -> None:
    mix = cheapest_mix(4.0 * floats(*needed), [option(cold)], step_seconds=step)
    exact = zero_violation(ints(*needed), step_seconds=step, cold_start_seconds=cold)
    assert mix.cost == pytest.approx(exact.replica_seconds, abs=1e-6)


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=20), cold_starts)
def test_one_class_never_costs_more_than_the_exact_optimum(load: list[float], cold: float) -> None:
    mix = cheapest_mix(floats(*load), [option(cold)], step_seconds=1.0)
    needed = np.ceil(floats(*load) / 4.0).astype(np.int64)
    assert mix.cost <= zero_violation(needed, step_seconds=1.0, cold_start_seconds=cold).replica_seconds + 1e-6


@settings(max_examples=15)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_no_schedule_of_whole_replicas_is_cheaper(load: list[int]) -> None:
    best = np.inf
    for gpus in product(range(3), repeat=len(load)):
        # For each number of GPUs the CPUs serve the rest, at their own exact optimum.
        rest = np.maximum(floats(*load) - GPU.served_rps * ints(*gpus), 0.0)
        cpus = np.ceil(rest / CPU.served_rps).astype(np.int64)
        cost = 2 * zero_violation(ints(*gpus), step_seconds=1.0, cold_start_seconds=3.0).replica_seconds
        best = min(best, cost + zero_violation(cpus, step_seconds=1.0, cold_start_seconds=0.5).replica_seconds)
    assert cheapest_mix(floats(*load), [GPU, CPU], step_seconds=1.0).cost <= best + 1e-6


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=15), cold_starts, cold_starts)
def test_the_schedule_serves_the_load_and_costs_what_it_says(load: list[float], one: float, other: float) -> None:
    options = [option(one, rate=5.0, price=1.8 * HOUR), option(other, rate=2.0, price=HOUR)]
    mix = cheapest_mix(floats(*load), options, step_seconds=1.0)
    assert np.all(mix.serving.T @ np.array([5.0, 2.0]) >= floats(*load) - 1e-6)
    assert ((mix.serving + mix.starting).sum(axis=1) * np.array([1.8, 1.0])).sum() == pytest.approx(mix.cost, abs=1e-6)


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=15), cold_starts, cold_starts)
def test_a_longer_cold_start_is_never_cheaper(load: list[float], one: float, other: float) -> None:
    short, long = sorted((one, other))
    cheap = cheapest_mix(floats(*load), [option(short), CPU], step_seconds=1.0).cost
    assert cheap <= cheapest_mix(floats(*load), [option(long), CPU], step_seconds=1.0).cost + 1e-6


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=15), st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_a_larger_budget_is_never_dearer(load: list[float], one: float, other: float) -> None:
    small, large = sorted((one, other))
    dear = cheapest_mix(floats(*load), [GPU, CPU], step_seconds=1.0, violations=small)
    assert dear.violated.sum() <= small + 1e-6
    assert cheapest_mix(floats(*load), [GPU, CPU], step_seconds=1.0, violations=large).cost <= dear.cost + 1e-6


def test_the_cheap_class_carries_the_base_and_the_fast_one_the_burst() -> None:
    """GPUs cost less per request; a burst of one step is not worth their three steps of start."""
    load = np.full(30, 10.0)
    load[15] = 16.0
    mix = cheapest_mix(load, [GPU, CPU], step_seconds=1.0)
    assert mix.serving[0] == pytest.approx(np.full(30, 2.0))
    assert mix.serving[1].nonzero()[0].tolist() == [15]
    assert mix.starting[1, 14] == pytest.approx(1.5)
    assert mix.cost == pytest.approx(2 * 2 * 30 + 3 * 1.5)


def test_a_start_is_paid_through_the_steps_before() -> None:
    mix = cheapest_mix(floats(0, 0, 0, 0, 8), [option(2.5, rate=1.0)], step_seconds=1.0)
    assert mix.starting[0] == pytest.approx([0.0, 4.0, 8.0, 8.0, 0.0])


def test_a_day_of_minutes_of_three_classes_is_solved() -> None:
    load = 100.0 * (1.1 + np.sin(np.arange(1440) / 229.0))
    slow = HardwareOption(served_rps=20.0, price_per_hour=1.5, cold_start_seconds=600.0)
    mix = cheapest_mix(load, [GPU, CPU, slow], step_seconds=60.0, violations=0.001 * load.sum() * 60)
    assert mix.serving[2].max() * 20.0 == pytest.approx(mix.serving.T.dot([5.0, 2.0, 20.0]).max(), rel=0.05)


@pytest.mark.parametrize(
    ("load", "options", "violations", "word"),
    [
        ([], [GPU], 0.0, "load_rps"),
        ([-1.0], [GPU], 0.0, "load_rps"),
        ([np.nan], [GPU], 0.0, "load_rps"),
        ([1.0], [], 0.0, "options"),
        ([1.0], [GPU], -1.0, "violations"),
        ([1.0], [GPU], np.nan, "violations"),
    ],
)
def test_nonsense_is_refused_by_name(
    load: list[float], options: list[HardwareOption], violations: float, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        cheapest_mix(floats(*load), options, step_seconds=1.0, violations=violations)


@pytest.mark.parametrize(
    ("rate", "price", "word"), [(0.0, 1.0, "served_rps"), (np.inf, 1.0, "served_rps"), (1.0, -1.0, "price_per_hour")]
)
def test_a_class_that_serves_nothing_or_pays_its_user_is_refused(rate: float, price: float, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        HardwareOption(served_rps=rate, price_per_hour=price, cold_start_seconds=1.0)
