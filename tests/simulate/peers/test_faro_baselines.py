"""The baselines of Faro's evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.simulate.peers.faro_baselines import FairShare, FaroMark, FaroStepping, Step
from tests.simulate.peers.forecasts import Foreseen
from tests.simulate.peers.observations import (
    Run,
    Service,
    check_rows_are_independent,
    decided,
    past,
    profile,
    profile_of_saturation,
)
from tests.simulate.peers.test_faro import FINE, LATE, serving, ticks

SILENT = Service(ready=4, slo_latency_seconds=0.72)


# --- additive (AIAD) and one-shot


@pytest.mark.parametrize("step", list(Step))
def test_thirty_seconds_above_the_slo_scale_up(step: Step) -> None:
    run = Run(FaroStepping(step=step))
    assert ticks(run, 3, serving(4, latency=LATE)) == [[4], [4], [5]]
    assert run.reason == "Upscale"


def test_one_shot_multiplies_replicas_by_latency_over_slo_and_rounds_up() -> None:
    run = Run(FaroStepping(step=Step.ONE_SHOT))
    assert ticks(run, 3, serving(4, latency=1.81))[-1] == [11], "4 x 1.81 / 0.72 = 10.06"


def test_additive_adds_one_however_late() -> None:
    assert ticks(Run(FaroStepping()), 3, serving(4, latency=20.0))[-1] == [5]


@pytest.mark.parametrize(("step", "after"), [(Step.ADDITIVE, 3), (Step.ONE_SHOT, 2)])
def test_six_hundred_seconds_not_above_the_slo_scale_down(step: Step, after: int) -> None:
    run = Run(FaroStepping(step=step))
    found = ticks(run, 60, serving(4, latency=0.3))
    assert found[:-1] == [[4]] * 59
    assert found[-1] == [after]
    assert run.reason == "Downscale"


def test_a_check_on_the_other_side_begins_the_count_anew() -> None:
    run = Run(FaroStepping())
    ticks(run, 2, serving(4, latency=LATE))
    assert run.tick(serving(4, latency=FINE)) == [4]
    assert ticks(run, 3, serving(4, latency=LATE)) == [[4], [4], [5]]


def test_latency_at_the_slo_is_not_above_it() -> None:
    assert ticks(Run(FaroStepping()), 10, serving(4, latency=0.5, slo_latency_seconds=0.5)) == [[4]] * 10


def test_no_requests_are_no_latency_so_that_an_idle_service_shrinks_to_its_minimum() -> None:
    run = Run(FaroStepping(step=Step.ONE_SHOT))
    assert ticks(run, 60, serving(4, latency=0.0, rate=0.0, minimum=2))[-1] == [2]


def test_an_unknown_latency_is_no_check() -> None:
    run = Run(FaroStepping())
    assert ticks(run, 70, SILENT)[-1] == [4]
    assert run.reason == "Unknown"


def test_nothing_happens_while_replicas_of_the_last_action_start() -> None:
    run = Run(FaroStepping())
    assert ticks(run, 5, serving(4, latency=LATE, starting=1)) == [[5]] * 5


def test_a_quota_serves_services_in_their_order_and_partly() -> None:
    run = Run(FaroStepping(step=Step.ONE_SHOT, quota=12))
    late = (serving(4, latency=1.4), serving(4, latency=1.4))
    assert ticks(run, 3, *late)[-1] == [8, 4], "each wants 8, and 4 are left"


def test_a_quota_lets_services_shrink_first() -> None:
    run = Run(FaroStepping(quota=8, downscale_delay_seconds=30.0))
    assert ticks(run, 3, serving(4, latency=LATE), serving(4, latency=FINE))[-1] == [5, 3]


@pytest.mark.parametrize("step", list(Step))
def test_stepping_rows_are_independent_without_a_quota(step: Step) -> None:
    check_rows_are_independent(lambda profile: FaroStepping(step=step, downscale_delay_seconds=20.0), seed=1, ticks=6)


def test_stepping_refuses_knobs_outside_their_range_by_name() -> None:
    with pytest.raises(ValueError, match="upscale_delay_seconds must be within"):
        FaroStepping(upscale_delay_seconds=0.0)


# --- fair share


def test_fair_share_is_the_quota_by_the_number_of_services_rounded_down() -> None:
    assert decided(FairShare(quota=36), *[Service(ready=1)] * 10) == [3] * 10
    assert decided(FairShare(quota=40), *[Service(ready=1)] * 10) == [4] * 10


def test_fair_share_gives_one_replica_at_least() -> None:
    assert decided(FairShare(quota=1), Service(), Service()) == [1, 1]


# --- MArk, Cocktail and Barista as Faro has them


def mark(rates: list[float], *, services: int = 1, **knobs: Any) -> Run:
    policy = FaroMark(
        **{
            "profile": profile_of_saturation(*[1.0 / 0.18] * services, slo_latency_seconds=0.72),
            "forecaster": Foreseen(rates),
            **knobs,
        }
    )
    return Run(policy, memory=policy.start(past(*[[10.0] * 60] * services)))


def test_mark_plans_the_largest_rate_of_seven_minutes_times_the_request_time_over_the_slo() -> None:
    run = mark([10.0, 12.0, 30.0, 8.0, 8.0, 8.0, 8.0, 99.0])
    run.tick(serving(1))
    assert run.tick(serving(1), after_seconds=60.0) == [8], "ceil(30 x 180 / 720)"


def test_mark_takes_its_share_of_a_batch_for_the_time_of_a_request() -> None:
    run = mark([100.0], profile=profile())
    service = serving(1, slo_latency_seconds=0.25)
    run.tick(service)
    assert run.tick(service, after_seconds=60.0) == [6], "ceil(100 x 15 / 250), where 8 items take 120 ms"


def test_mark_adds_one_replica_where_latency_is_too_high_between_plans() -> None:
    run = mark([10.0])
    run.tick(serving(4))
    run.tick(serving(4), after_seconds=301.0)
    assert ticks(run, 3, serving(4, latency=LATE)) == [[4], [4], [5]]


def test_mark_plans_again_at_whole_intervals() -> None:
    run = mark([30.0])
    planned = [tick for tick, desired in enumerate(ticks(run, 62, serving(1))) if desired == [8]]
    assert planned == [6, 30, 60]


def test_mark_within_a_quota_serves_services_in_their_order() -> None:
    run = mark([30.0], services=2, quota=11)
    services = (serving(1), serving(1))
    run.tick(*services)
    assert run.tick(*services, after_seconds=60.0) == [8, 3]


@pytest.mark.parametrize("seed", range(3))
def test_mark_rows_are_independent_without_a_quota(seed: int) -> None:
    check_rows_are_independent(lambda profile: FaroMark(profile=profile), seed=seed)
