import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.capacity import BatchCounts, Evidence, increase, learn
from foretide.scaling.capacity.evidence import CLASS_STARTS, REMEMBERED_EXECUTIONS
from tests.scaling.strategies import any_float, often


def test_an_increase_is_the_difference_of_counters() -> None:
    assert increase({1: (10, 0.5)}, {1: (14, 0.7), 8: (2, 0.3)}) == {1: (4, pytest.approx(0.2)), 8: (2, 0.3)}
    assert increase({1: (10, 0.5)}, {1: (10, 0.5)}) == {}


def test_after_a_restart_of_triton_all_counters_are_new() -> None:
    assert increase({1: (1000, 50.0), 4: (7, 1.0)}, {1: (3, 0.2)}) == {1: (3, 0.2)}
    assert increase({4: (7, 1.0)}, {1: (3, 0.2)}) == {1: (3, 0.2)}


def test_sizes_of_one_class_are_pooled_with_their_mean_size() -> None:
    evidence = learn(Evidence.none(1), BatchCounts.gather([(0, {7: (30.0, 3.0), 8: (10.0, 1.2)})]))
    column = CLASS_STARTS.index(7)
    assert evidence.executions[0, column] == 40.0
    assert evidence.items[0, column] == 7 * 30 + 8 * 10
    assert evidence.seconds[0, column] == pytest.approx(4.2)


def test_rows_belong_to_their_service_and_pods_of_one_service_add_up() -> None:
    counts = BatchCounts.gather([(1, {1: (5.0, 0.5)}), (2, {1: (7.0, 0.7)}), (1, {1: (1.0, 0.1)})])
    assert learn(Evidence.none(3), counts).executions[:, 0].tolist() == [0.0, 6.0, 7.0]


def test_the_past_fades_with_new_executions_of_like_size_only() -> None:
    evidence = learn(Evidence.none(1), BatchCounts.gather([(0, {1: (500.0, 5.0), 8: (500.0, 40.0)})]))
    for _ in range(20):
        evidence = learn(evidence, BatchCounts.gather([(0, {1: (1_000.0, 20.0)})]))
    assert evidence.executions[0, 0] == pytest.approx(REMEMBERED_EXECUTIONS)
    assert evidence.seconds[0, 0] / evidence.executions[0, 0] == pytest.approx(0.02, rel=1e-3)
    eight = CLASS_STARTS.index(7)
    assert evidence.executions[0, eight] == 500.0
    assert evidence.seconds[0, eight] == 40.0


def test_one_outlier_moves_a_mean_by_a_bounded_share_and_a_lasting_change_is_followed() -> None:
    usual = learn(Evidence.none(1), BatchCounts.gather([(0, {1: (900.0, 9.0)})]))
    paused = learn(usual, BatchCounts.gather([(0, {1: (100.0, 6_000.0)})]))
    assert paused.seconds[0, 0] / paused.executions[0, 0] < 0.0125
    slower = usual
    for _ in range(12):
        slower = learn(slower, BatchCounts.gather([(0, {1: (500.0, 500.0 * 0.2)})]))
    assert slower.seconds[0, 0] / slower.executions[0, 0] == pytest.approx(0.2, rel=0.05)


counts = st.dictionaries(st.integers(-3, 2**40), st.tuples(any_float, any_float), max_size=6)


@often
@given(st.lists(counts, max_size=4))
def test_any_counts_leave_finite_evidence(readings: list[dict[int, tuple[float, float]]]) -> None:
    evidence = Evidence.none(2)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        for reading in readings:
            evidence = learn(evidence, BatchCounts.gather([(0, reading)]))
    for column in (evidence.executions, evidence.items, evidence.seconds):
        assert np.isfinite(column).all()
        assert (column >= 0.0).all()
        assert (column[1] == 0.0).all()
    assert (evidence.executions <= REMEMBERED_EXECUTIONS * 1.000001).all()


@often
@given(counts, counts)
def test_an_increase_of_any_counters_is_positive(
    before: dict[int, tuple[float, float]], after: dict[int, tuple[float, float]]
) -> None:
    assert all(executions > 0 for executions, _ in increase(before, after).values())


def test_nothing_gathered_is_nothing_learnt() -> None:
    evidence = learn(Evidence.none(2), BatchCounts.gather([]))
    assert evidence.executions.sum() == 0.0
