import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from foretide.api.reasons import Reason
from foretide.scaling.demand import ABSURD, observe, past_demand
from foretide.scaling.ledger import metrics_reason
from foretide.scaling.observation import Gap, Pods, Seen
from foretide.scaling.readings import Readings
from tests.scaling.build import SETTINGS, bools, floats, ints
from tests.scaling.strategies import anything, random_world, seeds, seldom


def pods(
    count: int = 1,
    *,
    service: list[int] | None = None,
    success: list[float | None] | None = None,
    failure: list[float | None] | None = None,
    hits: list[float | None] | None = None,
    items: list[float | None] | None = None,
    pending: list[float | None] | None = None,
    growth: list[float | None] | None = None,
    short_failure: list[float | None] | None = None,
    short_growth: list[float | None] | None = None,
    sample_age: list[float | None] | None = None,
    ready: list[bool] | None = None,
    ready_age: list[float] | None = None,
) -> Pods:
    """Pods that answer 10 requests/s each, unless told otherwise."""
    success = success or [10.0] * count
    return Pods(
        service=ints(*(service or [0] * count)),
        ready=bools(*(ready or [True] * count)),
        ready_age_seconds=floats(*(ready_age or [600.0] * count)),
        success_rps=Readings.of(success),
        failure_rps=Readings.of(failure or [0.0] * count),
        cache_hits_rps=Readings.of(hits or [None] * count),
        inference_rps=Readings.of(items or success),
        pending=Readings.of(pending or [0.0] * count),
        pending_growth_rps=Readings.of(growth or [0.0] * count),
        short_failure_rps=Readings.of(short_failure or failure or [0.0] * count),
        short_pending_growth_rps=Readings.of(short_growth or growth or [0.0] * count),
        sample_age_seconds=Readings.of(sample_age or [3.0] * count),
    )


def look(table: Pods, *, services: int = 1, max_batch: int = 8, before: float = 1.0) -> Seen:
    return observe(
        table,
        services=services,
        max_batch=ints(*[max_batch] * services),
        items_per_request=floats(*[before] * services),
        settings=SETTINGS,
    )


def test_a_burst_shows_first_in_what_is_refused_and_what_queues_up() -> None:
    """Of two replicas that serve 66/s each: ten seconds of 800/s are a third of a window of 30 s."""
    table = pods(
        2, success=[66.0, 66.0], failure=[50.0, 50.0], growth=[60.0, 60.0], short_failure=[150.0, 150.0],
        short_growth=[184.0, 184.0],
    )  # fmt: skip
    seen = look(table)
    assert seen.demand.value[0] == pytest.approx(352.0)
    assert seen.short_window_rps[0] == pytest.approx(800.0)
    assert seen.burst_items[0] == pytest.approx(15.0 * (800.0 - 352.0))


def test_a_pod_that_does_not_tell_of_a_burst_adds_what_it_answers() -> None:
    seen = look(pods(2, success=[10.0, 10.0], short_failure=[None, 5.0], short_growth=[None, 5.0]))
    assert seen.demand.value[0] == pytest.approx(20.0)
    assert seen.short_window_rps[0] == pytest.approx(30.0)


def test_demand_is_answered_and_refused_requests_and_growth_of_the_queue() -> None:
    seen = look(pods(2, success=[66.0, 60.0], failure=[84.0, 0.0], growth=[5.0, 2.0]))
    assert seen.demand.known[0]
    assert seen.demand.value[0] == pytest.approx(66 + 60 + 84 + 5 + 2)


def test_what_the_response_cache_answers_is_asked_of_no_model() -> None:
    """Nine of ten requests are hits, which Triton counts as answered, and not as items: those have four each."""
    seen = look(pods(2, success=[100.0, 50.0], hits=[90.0, 45.0], items=[40.0, 20.0], failure=[2.0, 0.0]))
    assert seen.items_per_request[0] == pytest.approx(4.0)
    assert seen.demand.value[0] == pytest.approx(4.0 * (10 + 5 + 2))
    assert seen.short_window_rps[0] == pytest.approx(4.0 * (10 + 5 + 2))
    assert seen.cached[0] == pytest.approx(4.0 * 135)


@pytest.mark.parametrize("hits", [None, math.nan, -1.0, 1e308])
def test_a_pod_that_does_not_tell_its_hits_has_none_and_is_known_all_the_same(hits: float | None) -> None:
    seen = look(pods(2, success=[10.0, 10.0], hits=[hits, 4.0], items=[10.0, 6.0]))
    assert seen.demand.known[0]
    assert seen.silent[0] == 0
    assert seen.demand.value[0] == pytest.approx(16.0)


def test_more_hits_than_answers_are_all_of_one_pod_and_none_of_another() -> None:
    """Two rates over one window differ by a request."""
    assert look(pods(2, success=[10.0, 10.0], hits=[10.4, 0.0], items=[0.0, 10.0])).demand.value[0] == pytest.approx(
        10.0
    )


def test_a_queue_that_empties_takes_nothing_away() -> None:
    assert look(pods(2, growth=[-8.0, 3.0])).demand.value[0] == pytest.approx(20.0)
    assert look(pods(2, growth=[-3.0, 8.0])).demand.value[0] == pytest.approx(25.0)


def test_requests_of_several_items_count_as_items() -> None:
    seen = look(pods(success=[10.0], failure=[5.0], items=[40.0], pending=[3.0]))
    assert seen.items_per_request[0] == pytest.approx(4.0)
    assert seen.demand.value[0] == pytest.approx(60.0)
    assert seen.pending[0] == pytest.approx(12.0)


def test_items_per_request_are_remembered_while_nothing_is_answered() -> None:
    seen = look(pods(success=[0.0], failure=[84.0], items=[0.0]), before=4.0)
    assert seen.items_per_request[0] == 4.0
    assert seen.demand.value[0] == pytest.approx(336.0)


@pytest.mark.parametrize(("success", "items"), [(0.02, 1e6), (5e-324, 1e9), (10.0, 1.0), (1e9, 5e-324)])
def test_no_ratio_leaves_what_a_batch_can_hold(success: float, items: float) -> None:
    assert 1.0 <= look(pods(success=[success], items=[items])).items_per_request[0] <= 8.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, -5e-324, 1e308, 1.01e9])
@pytest.mark.parametrize("column", ["success_rps", "failure_rps", "pending"])
def test_a_reading_that_cannot_be_true_is_unknown(column: str, value: float) -> None:
    changes: dict[str, Any] = {column: Readings(value=floats(value), known=bools(True))}
    seen = look(replace(pods(), **changes))
    assert not seen.demand.known[0]
    assert seen.gap[0] == Gap.UNUSABLE_VALUES
    assert metrics_reason(seen, 0) == Reason.NOT_FINITE


@pytest.mark.parametrize(("age", "known"), [(0.0, True), (20.0, True), (20.1, False), (-5.0, True), (-600.0, False)])
def test_samples_too_old_or_from_the_future_are_dropped(age: float, known: bool) -> None:
    seen = look(pods(sample_age=[age]))
    assert seen.demand.known[0] == known
    unknown = Reason.STALE_SERIES if age > 0.0 else Reason.CLOCK_SKEW
    assert metrics_reason(seen, 0) == (Reason.METRICS_COMPLETE if known else unknown)
    assert seen.ahead_seconds[0] == (600.0 if age == -600.0 else 0.0)


def test_ready_pods_without_any_series_are_unknown_and_not_idle() -> None:
    nothing: list[float | None] = [None, None]
    seen = look(pods(2, success=nothing, failure=nothing, pending=nothing, growth=nothing, sample_age=nothing))
    assert not seen.demand.known[0]
    assert seen.silent[0] == 2
    assert metrics_reason(seen, 0) == Reason.NO_SERIES


def test_no_pods_are_unknown_for_want_of_ready_replicas() -> None:
    seen = look(pods(0))
    assert not seen.demand.known[0]
    assert metrics_reason(seen, 0) == Reason.NO_READY_REPLICAS


def test_idle_is_known() -> None:
    seen = look(pods(2, success=[0.0, 0.0]))
    assert seen.demand.known[0]
    assert seen.demand.value[0] == 0.0


def test_half_of_the_pods_not_scraped_leaves_a_lower_bound() -> None:
    seen = look(pods(4, sample_age=[3.0, None, 3.0, None]))
    assert (seen.expected[0], seen.reporting[0], seen.silent[0]) == (4, 2, 2)
    assert seen.demand.value[0] == pytest.approx(20.0)
    assert metrics_reason(seen, 0) == Reason.PARTIAL_SERIES


def test_a_pod_that_tells_only_part_counts_for_that_part_and_as_silent() -> None:
    seen = look(pods(2, failure=[0.0, None]))
    assert seen.demand.value[0] == pytest.approx(20.0)
    assert seen.silent[0] == 1


def test_young_pods_and_pods_being_deleted_are_not_awaited_but_their_load_counts() -> None:
    seen = look(
        pods(
            4, ready=[True, True, False, False], ready_age=[600.0, 5.0, 600.0, 600.0], sample_age=[3.0, None, 3.0, None]
        )
    )
    assert (seen.ready[0], seen.expected[0], seen.silent[0]) == (2, 1, 0)
    assert seen.demand.value[0] == pytest.approx(20.0)


def test_an_age_that_is_no_number_does_not_excuse_silence() -> None:
    seen = look(pods(2, ready_age=[math.nan, 600.0], sample_age=[None, 3.0]))
    assert seen.silent[0] == 1


def test_rows_belong_to_their_service() -> None:
    seen = look(pods(3, service=[2, 0, 2], success=[1.0, 2.0, 4.0]), services=4)
    assert seen.demand.value.tolist() == [2.0, 0.0, 5.0, 0.0]
    assert seen.demand.known.tolist() == [True, False, True, False]


@seldom
@given(seeds)
def test_whatever_is_read_demand_is_finite_and_unknown_has_a_reason(seed: int) -> None:
    world = random_world(seed)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        seen = world.seen()
    assert np.isfinite(seen.demand.value).all()
    assert (seen.demand.value >= 0.0).all()
    assert np.isfinite(seen.cached).all()
    assert (seen.cached >= 0.0).all()
    assert np.isfinite(seen.pending).all()
    assert ((seen.gap == Gap.NONE) == seen.demand.known).all()
    assert (seen.reporting <= seen.expected).all()
    assert (seen.expected <= seen.ready).all()


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        replace(pods(2), ready=bools(True))


nan = math.nan


@pytest.mark.parametrize(
    ("success", "failure", "items", "expected"),
    [
        ([10.0], [0.0], [10.0], [10.0]),
        ([10.0], [5.0], [30.0], [45.0]),  # what is refused comes in batches like the rest
        ([0.0], [0.0], [0.0], [0.0]),
        ([nan], [0.0], [5.0], [nan]),
        ([10.0], [nan], [10.0], [nan]),  # success without failures would read as less load
        ([10.0], [0.0], [1.0], [10.0]),  # at least one item a request
        ([10.0], [0.0], [1e6], [80.0]),  # at most the largest batch
        ([10.0], [0.0], [nan], [10.0]),
        ([0.0, 10.0], [5.0, 0.0], [0.0, 30.0], [15.0, 30.0]),  # the ratio of the other steps
        ([10.0, 10.0], [0.0, 0.0], [nan, 40.0], [40.0, 40.0]),
        ([-1.0], [0.0], [1.0], [nan]),
        ([math.inf], [0.0], [1.0], [nan]),
        ([1e308], [0.0], [1.0], [nan]),
        ([5e-324], [0.0], [1e9], [0.0]),
    ],
    ids=str,
)
def test_demand_of_the_past(
    success: list[float], failure: list[float], items: list[float], expected: list[float]
) -> None:
    rates = (floats(*column)[None] for column in (success, failure, items, [nan] * len(success)))
    found = past_demand(*rates, max_batch=ints(8))
    np.testing.assert_allclose(np.where(found.known, found.value, nan), [expected], atol=1e-9)
    assert (found.value[~found.known] == 0.0).all()


@pytest.mark.parametrize(
    ("hits", "items", "expected"),
    [
        ([90.0, 0.0], [40.0, 20.0], [4.0 * 15, 20.0 / 10 * 15]),
        ([nan, nan], [100.0, 10.0], [105.0, 15.0]),
        ([100.0, 10.0], [0.0, 0.0], [5.0, 5.0]),  # no model was asked for anything that it answered
        ([100.5, nan], [40.0, 20.0], [2.0 * 5, 2.0 * 15]),
    ],
)
def test_what_a_cache_answered_was_asked_of_no_model(
    hits: list[float], items: list[float], expected: list[float]
) -> None:
    success, failure = [100.0, 10.0], [5.0, 5.0]
    rates = (floats(*column)[None] for column in (success, failure, items, hits))
    found = past_demand(*rates, max_batch=ints(8))
    np.testing.assert_allclose(found.value, [expected])
    assert found.known.all()


@seldom
@given(seeds)
def test_demand_of_any_past_is_a_number_and_no_row_looks_at_another(seed: int) -> None:
    random = np.random.default_rng(seed)
    rates = [anything(random, 60).reshape(6, 10) for _ in range(4)]
    max_batch = random.integers(-1, 64, 6)
    found = past_demand(*rates, max_batch=max_batch)
    assert np.isfinite(found.value).all()
    assert (found.value >= 0.0).all()
    assert (found.value <= 2.0 * ABSURD * 64).all()
    assert not found.known[~np.isfinite(rates[0])].any()
    for row in range(6):
        alone = past_demand(*(rate[row : row + 1] for rate in rates), max_batch=max_batch[row : row + 1])
        np.testing.assert_array_equal(alone.value[0], found.value[row])
