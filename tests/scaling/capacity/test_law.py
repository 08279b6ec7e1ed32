from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foretide.scaling.capacity import BatchCounts, Evidence, Law, fit, learn
from foretide.scaling.capacity import law as law_module
from foretide.scaling.capacity.evidence import CLASS_STARTS, ENOUGH_EXECUTIONS
from tests.scaling.build import evidence_of
from tests.scaling.strategies import evidences, often, seldom


@pytest.mark.parametrize(
    ("per_item", "fixed", "sizes"),
    [(0.010, 0.040, (1, 2, 3, 4)), (0.001, 0.008, (1, 8)), (0.0012, 0.0045, (1, 2, 5, 32)), (0.0, 0.006, (1, 16))],
)
def test_the_law_is_found_from_times_per_batch_size(per_item: float, fixed: float, sizes: tuple[int, ...]) -> None:
    law = fit(evidence_of(per_item, fixed, sizes=sizes))
    assert law.per_item_seconds[0] == pytest.approx(per_item, abs=1e-9)
    assert law.fixed_seconds[0] == pytest.approx(fixed, rel=1e-6)
    assert law.largest[0] == max(sizes)
    assert law.known[0]


@seldom
@given(st.integers(0, 2**32 - 1))
def test_noise_of_ten_percent_moves_predicted_times_by_less_than_fifteen(seed: int) -> None:
    noise = np.random.default_rng(seed)
    counts = {size: (50.0, 50.0 * (0.040 + 0.010 * size) * noise.uniform(0.9, 1.1)) for size in range(1, 9)}
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))
    for size in (1, 4, 8):
        predicted = law.per_item_seconds[0] * size + law.fixed_seconds[0]
        assert predicted == pytest.approx(0.040 + 0.010 * size, rel=0.15)


@pytest.mark.parametrize("factor", [0.05, 0.2, 5.0, 20.0])
@pytest.mark.parametrize("wrong", [1, 4, 6, 12])
def test_one_class_far_off_does_not_bend_the_law(wrong: int, factor: float) -> None:
    times = {size: 0.040 + 0.010 * size for size in (1, 2, 3, 4, 6, 8, 12)}
    counts = {size: (90.0, 90.0 * time * (factor if size == wrong else 1.0)) for size, time in times.items()}
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))
    for size, time in times.items():
        if size != wrong:
            assert law.per_item_seconds[0] * size + law.fixed_seconds[0] == pytest.approx(time, rel=0.25)


def law_of(times: dict[int, float], *, executions: float = 200.0) -> Law:
    counts = {size: (executions, executions * time) for size, time in times.items()}
    return fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))


def on_a_gpu(size: int) -> float:
    """Some items in the time of one, then each takes its time: what an H200 did to an encoder, in seconds."""
    return max(0.009, 0.00265 * size)


def test_full_batches_take_no_less_than_they_did() -> None:
    """Most batches are small, and of them the line tells; a replica is counted on for full ones."""
    sizes = (1, 2, 3, 4, 5, 7, 9, 13, 16)
    executions = dict(zip(sizes, (1000.0, 1000.0, 1000.0, 800.0, 500.0, 300.0, 200.0, 150.0, 120.0), strict=True))
    counts = {size: (executions[size], executions[size] * on_a_gpu(size)) for size in sizes}
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))
    largest = law.largest[0]
    assert law.per_item_seconds[0] * largest + law.fixed_seconds[0] >= 0.99 * on_a_gpu(largest)
    assert law.per_item_seconds[0] + law.fixed_seconds[0] == pytest.approx(on_a_gpu(1), rel=0.3)


def test_a_slow_first_batch_of_one_does_not_make_every_replica_slow() -> None:
    """Five seconds for the first of a hundred, as where kernels are compiled."""
    counts = {1: (100.0, 99 * 0.009 + 5.0), 4: (50.0, 50 * 0.012), 8: (50.0, 50 * 0.016)}
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))
    assert law.per_item_seconds[0] + law.fixed_seconds[0] < 0.03


def test_of_few_full_batches_nothing_follows() -> None:
    """Ten of them are noise."""
    usual = {1: (200.0, 200.0 * 0.05), 8: (200.0, 200.0 * 0.12)}
    few = {**usual, 16: (12.0, 12.0 * 0.3)}  # the line through the others: 0.2 s
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, few)])))
    assert law.per_item_seconds[0] * 8 + law.fixed_seconds[0] == pytest.approx(0.12, rel=0.1)


@often
@given(evidences())
def test_lifted_is_never_lowered(evidence: Evidence) -> None:
    lifted = fit(evidence)
    with mock.patch.object(law_module, "MANY_EXECUTIONS", np.inf):
        plain = fit(evidence)
    seen = evidence.executions >= ENOUGH_EXECUTIONS
    sizes = np.where(seen, evidence.items / np.where(seen, evidence.executions, 1.0), np.nan)
    for size in sizes.T:
        held = np.isfinite(size)
        before, after = (one.per_item_seconds * size + one.fixed_seconds for one in (plain, lifted))
        assert (after[held] >= (1 - 1e-9) * before[held]).all()


@often
@example(launch_seconds=0.03125, item_seconds=0.001953125, sizes={1, 2, 3, 4, 13, 17, 129})
@example(launch_seconds=0.03125, item_seconds=0.005859375, sizes={1, 5, 7, 13, 65})
@given(
    launch_seconds=st.floats(0.001, 0.05),
    item_seconds=st.floats(1e-5, 0.01),
    sizes=st.sets(st.sampled_from(CLASS_STARTS), min_size=2),
)
def test_no_gpu_is_counted_on_for_more_than_its_full_batches_give(
    launch_seconds: float, item_seconds: float, sizes: set[int]
) -> None:
    law = law_of({size: max(launch_seconds, item_seconds * size) for size in sizes})
    for size in (min(sizes), max(sizes)):
        taken = law.per_item_seconds[0] * size + law.fixed_seconds[0]
        assert taken >= 0.999 * max(launch_seconds, item_seconds * size)


def test_full_batches_that_take_longer_than_smaller_ones_would_are_believed_to_three_times_the_line() -> None:
    """A shape that is compiled at each start, say: 30 s of 200 executions."""
    law = law_of({1: 0.009, 2: 0.009, 4: 0.009, 8: 0.009, 16: 0.16})
    assert law.per_item_seconds[0] * 16 + law.fixed_seconds[0] == pytest.approx(3 * 0.009, rel=0.1)


def test_of_far_smaller_ones_nearly_everything_follows_for_full_batches() -> None:
    """Nobody can tell a shape that is compiled from a GPU that is full: too many replicas for a while, not too few."""
    executions, seconds = {1: 1000.0, 2: 1000.0, 3: 500.0, 4: 500.0, 64: 120.0}, {64: 0.160}
    counts = {size: (times, times * seconds.get(size, 0.009)) for size, times in executions.items()}
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))
    assert law.per_item_seconds[0] * 64 + law.fixed_seconds[0] == pytest.approx(64 * 0.009 / 4)


def test_with_one_size_seen_all_of_its_time_is_taken_for_fixed() -> None:
    law = fit(evidence_of(0.010, 0.040, sizes=(8,)))
    assert law.per_item_seconds[0] == 0.0
    assert law.fixed_seconds[0] == pytest.approx(0.120)
    assert law.largest[0] == 8.0
    assert not law.single_known[0]
    assert fit(evidence_of(0.010, 0.040, sizes=(1,))).single_known[0]


def test_a_handful_of_executions_is_no_measurement() -> None:
    assert not fit(evidence_of(0.010, 0.040, sizes=(1, 4), executions=9)).known[0]
    assert fit(evidence_of(0.010, 0.040, sizes=(1, 4), executions=10)).known[0]


def test_larger_batches_that_take_less_time_give_no_negative_slope() -> None:
    counts = {1: (100.0, 10.0), 8: (100.0, 5.0)}
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))
    assert law.per_item_seconds[0] == 0.0
    assert 0.05 <= law.fixed_seconds[0] <= 0.1


def test_times_steeper_than_proportional_give_no_negative_start() -> None:
    counts = {1: (100.0, 1.0), 8: (100.0, 40.0)}
    law = fit(learn(Evidence.none(1), BatchCounts.gather([(0, counts)])))
    assert law.fixed_seconds[0] == 0.0
    assert law.per_item_seconds[0] > 0.0


@often
@given(evidences())
def test_the_law_of_any_evidence_is_finite_and_not_negative(evidence: Evidence) -> None:
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        law = fit(evidence)
    for column in (law.per_item_seconds, law.fixed_seconds, law.largest):
        assert np.isfinite(column).all()
        assert (column >= 0.0).all()
    time_of_one = law.per_item_seconds + law.fixed_seconds
    assert ((time_of_one > 0.0) | ~law.known).all()
