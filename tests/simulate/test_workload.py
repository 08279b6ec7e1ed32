"""From a trace to lanes: what is judged, what is known before, and how large it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.serving.queue_policy import TIMEOUT_SHARE
from foretide.simulate.observe import profile
from foretide.simulate.run import EPOCH_SECONDS
from foretide.simulate.scenario import Duration, Law
from foretide.simulate.workload import QueueName, Window, joined_past
from tests.simulate.loads import RATE, loads, service, trace, waves
from tests.simulate.worlds import LAW

DAY = trace(np.arange(1.0, 1441.0))


def test_the_peak_of_all_steps_but_one_in_a_thousand_needs_the_size() -> None:
    counts = np.full(10_000, 50.0)
    counts[7_000:7_003] = 5_000.0
    (load,) = loads(trace(counts), size=10)
    assert np.unique(load.needed()).tolist() == [10, 1000]


def test_the_last_two_fifths_are_judged_after_half_an_hour_of_warm_up() -> None:
    (load,) = loads(DAY)
    assert load.judged_from_seconds == 0.6 * 86_400.0
    assert load.warm_up_seconds == 1_800.0
    assert load.lane().seconds == 0.4 * 86_400.0 + 1_800.0
    assert len(load.needed()) == 0.4 * 1440
    scale = 2 * RATE / DAY.peak_rps[0]
    assert load.lane().rates_rps[[0, -1]] * 60.0 == pytest.approx([scale * (0.6 * 1440 - 30 + 1), scale * 1440])


def test_a_short_trace_has_a_short_warm_up() -> None:
    (load,) = loads(waves(20))
    assert load.warm_up_seconds == 720.0
    assert load.past().demand.value.shape == (1, 0)


def test_a_window_may_be_given_and_changes_no_load() -> None:
    (load,) = loads(DAY, window=Window(36_000.0, 39_600.0))
    (whole,) = loads(DAY)
    assert load.lane().seconds == 3_600.0 + 1_800.0
    assert load.rates_rps.tolist() == whole.rates_rps[:660].tolist()


@pytest.mark.parametrize("window", [Window(90_000.0, 99_000.0), Window(10.0, 20.0)])
def test_a_window_without_a_whole_step_is_refused(window: Window) -> None:
    with pytest.raises(ValueError, match="nothing of load is judged: it has 86400 s"):
        loads(DAY, window=window)


@settings(max_examples=20)
@given(
    step=st.one_of(st.integers(1, 700).map(float), st.floats(0.05, 700.0)),
    steps=st.integers(2, 400),
    judged=st.floats(0.0, 0.9),
)
def test_any_step_gives_lanes_that_begin_and_end_with_a_bin(step: float, steps: int, judged: float) -> None:
    some = trace(np.arange(1.0, steps + 1.0), step_seconds=step)
    window = Window(judged * some.seconds, some.seconds)
    try:
        (load,) = loads(some, window=window)
    except ValueError as error:
        assert "nothing of load is judged" in str(error)  # noqa: PT017 - whether it is refused depends on the step
        assert (1.0 - judged) * some.seconds < 120.0
        return
    lane = load.lane()
    assert lane.seconds % 15.0 == 0.0
    assert load.warm_up_seconds % 15.0 == 0.0
    assert len(load.needed()) * load.step_seconds == lane.seconds - load.warm_up_seconds
    assert load.judged_from_seconds == pytest.approx(window.begin_seconds, abs=60.0)
    # No request is lost or made.
    scale = 2 * RATE / some.peak_rps[0]
    end = (load.start_seconds + lane.seconds) / step
    asked = np.interp([load.start_seconds / step, end], np.arange(steps + 1), np.cumsum([0.0, *some.counts[0]]))
    assert lane.rates_rps.sum() * lane.step_seconds == pytest.approx(scale * np.diff(asked)[0], rel=1e-6)


def test_the_past_ends_where_the_lane_begins_in_minutes() -> None:
    (load,) = loads(DAY, seeds=(3,))
    past = load.past()
    assert past.end_seconds == load.epoch_seconds == EPOCH_SECONDS + 0.6 * 86_400.0 - 1_800.0
    assert past.step_seconds == 60.0
    assert past.demand.known.all()
    rates = load.rates_rps[: past.demand.value.shape[1]]
    assert len(rates) == 0.6 * 1440 - 30
    error = (past.demand.value[0] - rates) * 60.0 / np.sqrt(rates * 60.0)
    assert 0.9 < error.std() < 1.1, "of a counter of Poisson arrivals"


def test_the_clock_of_the_lane_is_that_of_its_trace() -> None:
    """A spike at nine each day of a trace that begins at midnight comes at nine for whoever knows the hour."""
    minutes = np.arange(7 * 1440)
    (load,) = loads(trace(np.where(minutes % 1440 == 9 * 60, 900.0, 1.0)))
    past = load.past()
    spike = int(np.argmax(past.demand.value[0]))
    at_seconds = past.end_seconds - (past.demand.value.shape[1] - spike) * past.step_seconds
    assert (at_seconds - EPOCH_SECONDS) % 86_400.0 == 9 * 3_600.0
    rates = load.lane().rates_rps
    assert (load.epoch_seconds + 60.0 * np.argmax(rates) - EPOCH_SECONDS) % 86_400.0 == 9 * 3_600.0


def test_the_past_of_short_steps_is_their_mean_over_each_minute() -> None:
    (load,) = loads(trace(np.tile([0.0, 0.0, 600.0, 0.0, 0.0, 0.0], 400), step_seconds=10.0), size=400)
    assert load.past().demand.value == pytest.approx(np.full((1, 210), 400 * RATE / 6), rel=0.03)


def test_bursty_arrivals_have_a_noisier_past() -> None:
    (load,) = loads(DAY, arrival_cv=2.0)
    rates = load.rates_rps[: load.past().demand.value.shape[1]]
    error = (load.past().demand.value[0] - rates) * 60.0 / np.sqrt(rates * 60.0)
    assert 1.8 < error.std() < 2.2


def test_the_past_is_that_of_the_seed_and_the_series() -> None:
    one, again, other = loads(DAY, seeds=(1, 1, 2))
    (another,) = loads(trace(DAY.counts[0], name="another"))
    assert np.array_equal(one.past().demand.value, again.past().demand.value)
    assert not np.array_equal(one.past().demand.value, other.past().demand.value)
    assert not np.array_equal(one.past().demand.value, another.past().demand.value)


def test_the_load_depends_on_neither_queue_nor_cold_start() -> None:
    (one,) = loads(DAY)
    (other,) = loads(DAY, queue=QueueName.SLO, cold_start=Duration.constant(600.0))
    assert np.array_equal(one.lane().rates_rps, other.lane().rates_rps)
    assert one.lane().name == other.lane().name


def test_series_come_in_their_order_each_with_all_seeds() -> None:
    found = loads(waves(rows=2), seeds=(1, 2))
    assert [(load.name, load.seed) for load in found] == [("load/a", 1), ("load/a", 2), ("load/b", 1), ("load/b", 2)]
    assert joined_past(found).services == 4


@pytest.mark.parametrize(
    ("slo", "timeout"),
    [(0.25, 0.125), (0.15, 0.0375)],  # SLO - tau(8) - 5 ms, and a quarter of an SLO that a full batch nearly takes
)
def test_the_queue_of_the_slo_refuses_what_would_be_late(slo: float, timeout: float) -> None:
    limits = service(queue=QueueName.SLO, slo_latency_seconds=slo).limits
    assert limits.timeout_seconds == pytest.approx(timeout)
    assert limits.max_size == 2_000
    assert not service().limits.limited


def test_the_queue_of_two_instances_is_what_foretide_renders() -> None:
    limits = service(queue=QueueName.HALF, slo_latency_seconds=0.25).limits
    assert limits.timeout_seconds == TIMEOUT_SHARE * 0.25
    assert math.isinf(limits.max_size)


def test_there_may_be_four_times_the_size_and_at_first_what_the_first_step_needs() -> None:
    (load,) = loads(trace([300.0] * 10 + [100.0] * 10), window=Window(300.0, 1_200.0), size=6)
    assert load.lane().max_replicas == 24
    assert load.lane().initial_replicas == 6
    (small,) = loads(waves(), size=1)
    assert small.lane().max_replicas == 4


def test_an_idle_step_needs_one_replica_as_every_policy_keeps_one() -> None:
    (load,) = loads(trace([60.0] * 10 + [0.0] * 10))
    assert load.needed().tolist() == [1] * 8


def test_a_load_test_shows_what_a_replica_can_serve() -> None:
    law = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8, instances=2)
    assert profile([load.lane() for load in loads(waves(), law=law)]).saturation_rps == pytest.approx(
        [law.saturation_rps]
    )
    assert LAW.between_batches_seconds > 0.0


@pytest.mark.parametrize(("more", "words"), [({"size": 0}, "size must be"), ({"objective": 1.0}, "objective must be")])
def test_a_service_out_of_range_is_refused(more: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        service(**more)
