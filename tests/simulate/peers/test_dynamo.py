"""Dynamo's planner: replicas for the predicted load, and the correction by queues."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.dynamo import Dynamo
from foretide.simulate.peers.forecasters.persistence import Persistence
from tests.simulate.peers.forecasts import Foreseen
from tests.simulate.peers.observations import (
    Run,
    Service,
    Total,
    check_rows_are_independent,
    past,
    profile,
    profile_of_saturation,
)


def dynamo(rate: float = 38.0, **knobs: Any) -> Run:
    """Ten requests a second a replica, one at a time (100 ms), to be answered in 500 ms."""
    policy = Dynamo(
        **{
            "profile": profile_of_saturation(10.0, slo_latency_seconds=0.5),
            "forecaster": Foreseen([rate]),
            **knobs,
        }
    )
    return Run(policy, memory=policy.start(past([10.0] * 20, step_seconds=180.0)))


def serving(replicas: int, *pending: float | None, rate: float = 10.0, **others: Any) -> Service:
    """`pending` of each replica."""
    answers: dict[Quantity | Query, Any] = {Quantity.SUCCESS: Total(rate)}
    if pending:
        answers[Quantity.PENDING] = [*pending, *[None] * others.get("starting", 0)]
    return Service(**{"ready": replicas, "slo_latency_seconds": 0.5, "answers": answers, **others})


# --- throughput


def test_every_180_seconds_demand_over_the_rate_of_a_replica_rounded_up() -> None:
    run = dynamo()
    assert run.policy.tick_seconds == 180.0
    run.tick(serving(1))
    assert run.tick(serving(1)) == [4]
    assert run.reason == "Throughput"


def test_the_constant_predictor_repeats_the_last_interval() -> None:
    run = dynamo(forecaster=Persistence())
    run.tick(serving(1, rate=25.0))
    assert run.tick(serving(1, rate=25.0)) == [3]


def test_the_default_predictor_is_arima() -> None:
    policy = Dynamo(profile=profile_of_saturation(10.0, slo_latency_seconds=0.5))
    # A load that alternates: constant would foresee the last value, an autoregression the other one.
    run = Run(policy, memory=policy.start(past([20.0, 60.0] * 40, step_seconds=180.0)))
    run.tick(serving(2, rate=20.0))
    assert run.tick(serving(2, rate=20.0)) == [6]


def test_never_below_min_endpoint() -> None:
    run = dynamo(5.0, min_endpoint=3)
    run.tick(serving(4))
    assert run.tick(serving(4)) == [3]


def test_the_rate_of_a_replica_is_the_best_one_whose_own_latency_is_within_the_slo() -> None:
    assert Dynamo(profile=profile()).engine_rps == pytest.approx(8 / 0.120)
    assert Dynamo(profile=profile(slo_latency_seconds=0.1)).engine_rps == pytest.approx(6 / 0.100)
    assert Dynamo(profile=profile(instances=2)).engine_rps == pytest.approx(16 / 0.120)


def test_an_slo_that_no_request_meets_still_gives_the_best_rate_and_as_many_replicas_as_it_is_missed_by() -> None:
    tight = profile(fixed_seconds=0.09, slo_latency_seconds=0.04)
    assert Dynamo(profile=tight).engine_rps == pytest.approx(1 / 0.1)
    run = dynamo(1.0, profile=tight)
    service = serving(1, slo_latency_seconds=0.04)
    run.tick(service)
    assert run.tick(service) == [3], "ceil(100 ms / 40 ms)"


def test_an_unknown_load_is_the_last_one_and_no_zero() -> None:
    run = dynamo(forecaster=Persistence())
    silent = Service(ready=2, slo_latency_seconds=0.5)
    run.tick(silent)
    assert run.tick(silent) == [1], "the ten requests a second of the past"


def test_a_service_never_seen_keeps_its_replicas() -> None:
    policy = Dynamo(profile=profile_of_saturation(10.0), forecaster=Persistence())
    run = Run(policy, memory=policy.start(past(services=1)))
    run.tick(Service(ready=3))
    assert run.tick(Service(ready=3)) == [3]
    assert run.reason == "NoData"


def test_the_budget_is_the_maximum_of_the_service() -> None:
    run = dynamo(500.0)
    run.tick(serving(2, maximum=8))
    assert run.tick(serving(2, maximum=8)) == [8]


def test_in_between_nothing_is_decided() -> None:
    run = dynamo()
    run.tick(serving(1))
    assert run.tick(serving(1), after_seconds=100.0) == [1]
    assert run.reason == "Held"


# --- load scaling


def load(rate: float = 1.0, **knobs: Any) -> Run:
    """With a prediction that asks for so many, made before the test begins."""
    run = dynamo(rate, load_scaling=True, **knobs)
    run.tick(serving(4, 0.0, 0.0, 0.0, 0.0))
    run.tick(serving(4, 0.0, 0.0, 0.0, 0.0), after_seconds=180.0)
    return run


def test_load_scaling_looks_every_five_seconds_at_queues() -> None:
    run = load()
    assert run.policy.tick_seconds == 5.0
    assert Query(Quantity.PENDING, Over.NEWEST, 0.0) in run.policy.queries


def test_one_more_when_the_next_request_would_be_late_in_every_replica() -> None:
    # Behind five requests of 100 ms the next one takes 600 ms.
    assert load().tick(serving(2, 5.0, 9.0)) == [3]
    run = load()
    assert run.tick(serving(2, 5.0, 4.0)) == [2], "one is on time"


def test_one_less_when_the_others_would_hold_the_queues_with_a_fifth_to_spare() -> None:
    # The queue may cost 80 % of 500 - 100 ms = 320 ms. Of 2 x 3/2 = 3 requests it costs 300 ms, of 3 x 3/2 = 4.5,
    # rounded down to 4, 400 ms.
    assert load().tick(serving(3, 2.0, 2.0, 0.0)) == [2]
    run = load()
    assert run.tick(serving(3, 2.0, 3.0, 0.0)) == [3]
    assert run.reason == "Held"
    assert load().tick(serving(5, 3.0, 0.0, 0.0, 0.0, 0.0)) == [4], "3.75 requests are 3"
    # With batches: 80 % of 400 - 50 ms = 280 ms. Behind 18 requests it is 310 ms, behind 22 it is 350 ms, of which
    # 50 are its own.
    slo = 0.4
    batched = load(profile=profile(slo_latency_seconds=slo))
    assert batched.tick(serving(2, 9.0, 0.0, slo_latency_seconds=slo)) == [1]
    assert batched.tick(serving(2, 11.0, 0.0, slo_latency_seconds=slo)) == [2], "300 ms would do within 350"


def test_the_last_replica_stays() -> None:
    assert load().tick(serving(1, 0.0)) == [1]


def test_an_own_time_beyond_the_slo_refuses_to_take_away() -> None:
    run = load(profile=profile(slo_latency_seconds=0.04))
    assert run.tick(serving(3, 0.0, 0.0, 0.0, slo_latency_seconds=0.04)) == [4]


def test_the_prediction_is_a_lower_bound() -> None:
    run = load(38.0)
    assert run.tick(serving(4, 0.0, 0.0, 0.0, 0.0)) == [4], "queues would do with three"
    assert run.reason == "LowerBound"
    assert run.tick(serving(2, 0.0, 0.0)) == [4]
    assert run.tick(serving(4, 9.0, 9.0, 9.0, 9.0)) == [5], "and queues ask for more"


def test_nothing_happens_while_a_scaling_is_in_progress() -> None:
    run = load(38.0)
    assert run.tick(serving(2, 9.0, 9.0, starting=1)) == [3]
    assert run.reason == "ScalingInProgress"


def test_nothing_happens_unless_every_replica_tells_its_queue() -> None:
    run = load()
    assert run.tick(serving(3, 9.0, 9.0, None)) == [3]
    assert run.reason == "NoData"


def test_queues_are_served_in_batches() -> None:
    # Batches of 8 take 120 ms: behind 8 requests the next takes 120 + 50 ms, behind 24 it takes 3 x 120 + 50 ms.
    slo = 0.4
    run = load(profile=profile(slo_latency_seconds=slo))
    assert run.tick(serving(1, 23.0, slo_latency_seconds=slo)) == [1], "three whole batches: 360 ms"
    assert run.tick(serving(1, 24.0, slo_latency_seconds=slo)) == [2]


def test_instances_share_a_queue() -> None:
    slo = 0.4
    run = load(profile=profile(slo_latency_seconds=slo, instances=2))
    assert run.tick(serving(1, 46.0, slo_latency_seconds=slo)) == [1]
    assert run.tick(serving(1, 48.0, slo_latency_seconds=slo)) == [2]


# --- seam


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("load_scaling", [False, True])
def test_rows_are_independent(seed: int, load_scaling: bool) -> None:
    check_rows_are_independent(
        lambda profile: Dynamo(profile=profile, load_scaling=load_scaling, throughput_interval_seconds=60.0),
        seed=seed,
        ticks=10,
    )


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("throughput_interval_seconds", 1.0),
        ("scaling_down_sensitivity", 1.5),
        ("min_endpoint", 0),
        ("demand_factor", 0.0),
    ],
)
def test_knobs_outside_their_range_are_refused_by_name(knob: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{knob} must be within"):
        dynamo(**{knob: value})


def test_a_prediction_that_is_an_exact_number_of_replicas_asks_for_no_more() -> None:
    for replicas in range(1, 30):
        run = dynamo(replicas * 10.0)
        run.tick(serving(1))
        assert run.tick(serving(1)) == [replicas]
    assert np.all(dynamo().policy.start(past([1.0])).lower_bound == 1)
