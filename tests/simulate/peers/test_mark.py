"""MArk: the plan of each minute, and when instances are destroyed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.mark import Mark
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


def mark(rates: list[float], *, history: int = 60, **knobs: Any) -> Run:
    """A replica serves ten requests a second; no headroom unless asked for."""
    policy = Mark(
        **{
            "profile": profile_of_saturation(10.0),
            "forecaster": Foreseen(rates),
            "headroom": 1.0,
            **knobs,
        }
    )
    begun = past([10.0] * history, services=1)
    return Run(policy, memory=policy.start(begun))


def serving(replicas: int, rate: float = 10.0, **others: Any) -> Service:
    return Service(ready=replicas, answers={Quantity.SUCCESS: Total(rate)}, **others)


def minutes(run: Run, count: int, service: Service) -> list[int]:
    return [run.tick(service, after_seconds=60.0)[0] for _ in range(count)]


def filled(forecast: list[float], capacity: float, running: int) -> int:
    """MArk's loop with one type, written down as in its paper: price 1 a second, a launch costs 180 s."""
    plan, left = 0, running
    while True:
        residual = [rate - plan * capacity for rate in forecast]
        head = residual[:6]
        if max(head) <= 0.0:
            return plan
        first = head.index(max(head))
        span = 0
        while first + span < len(residual) and residual[first + span] >= 0.0:
            span += 1
        served = sum(min(capacity, max(rate, 0.0)) for rate in residual[first : first + span])
        new, old = (span * 60.0 + 180.0) / served, span * 60.0 / served
        left -= int(left > 0 and old <= new)
        plan += 1


@given(
    forecast=st.lists(st.floats(0.0, 300.0), min_size=7, max_size=12),
    capacity=st.floats(1.0, 50.0),
    running=st.integers(0, 20),
)
def test_with_one_type_the_greedy_fill_is_the_largest_of_six_minutes_over_capacity(
    forecast: list[float], capacity: float, running: int
) -> None:
    run = mark(forecast, profile=profile_of_saturation(capacity), target_utilisation=1.0)
    service = serving(1, maximum=1000)
    service_seen = run.tick(service)
    assert service_seen == [1]
    # `profile_of_saturation` keeps a time of 1 / capacity, which may differ in the last bit.
    exact = run.policy.capacity_rps[0]  # type: ignore[attr-defined]
    found = run.tick(service, after_seconds=60.0)[0]
    assert max(found, 1) == max(filled(forecast, float(exact) * (1.0 + 1e-9), running), 1)


def test_only_the_first_six_minutes_of_the_forecast_count() -> None:
    run = mark([12.0, 15.0, 11.0, 38.0, 5.0, 5.0, 990.0])
    run.tick(serving(1))
    assert run.tick(serving(1), after_seconds=60.0) == [4]
    assert run.reason == "Launch"


def test_the_load_is_multiplied_by_one_fifth_more() -> None:
    run = mark([38.0], headroom=Mark(profile=profile()).headroom)
    run.tick(serving(1))
    assert run.tick(serving(1), after_seconds=60.0) == [5], "ceil(38 x 1.2 / 10)"


def test_it_plans_again_when_a_minute_is_over() -> None:
    run = mark([38.0])
    assert [run.tick(serving(1))[0] for _ in range(9)] == [1, 1, 1, 1, 4, 1, 1, 1, 4]


def test_instances_are_destroyed_when_none_of_the_last_six_plans_asked_for_them() -> None:
    run = mark([12.0])
    run.tick(serving(4))
    assert minutes(run, 7, serving(4)) == [4, 4, 4, 4, 4, 2, 2]
    assert run.reason == "Destroy"


def test_a_plan_that_asked_for_more_keeps_them_for_six_plans() -> None:
    policy = mark([12.0]).policy
    run = Run(policy, memory=mark([32.0]).memory)
    high = Run(mark([32.0]).policy, memory=run.memory)
    high.tick(serving(4))
    high.tick(serving(4), after_seconds=60.0)
    run = Run(policy, memory=high.memory, now_seconds=high.now_seconds)
    run.tick(serving(4))
    assert minutes(run, 6, serving(4)) == [4, 4, 4, 4, 4, 2]


def test_nothing_is_decided_before_five_minutes_are_known() -> None:
    run = mark([38.0], history=0)
    run.tick(serving(2))
    assert minutes(run, 5, serving(2)) == [2, 2, 2, 2, 4]
    cold = mark([38.0], history=0)
    cold.tick(serving(2))
    cold.tick(serving(2), after_seconds=60.0)
    assert cold.reason == "WarmUp"


def test_the_largest_rate_within_a_minute_is_the_load_of_the_minute() -> None:
    run = mark([10.0])
    for rate in (5.0, 22.0, 9.0, 7.0, 8.0):
        run.tick(serving(1, rate))
    assert run.memory.foresight.history.value[0, -1] == pytest.approx(22.0)


def test_an_unknown_load_repeats_the_last_one() -> None:
    run = mark([10.0])
    run.tick(Service(ready=2))
    run.tick(Service(ready=2), after_seconds=60.0)
    assert run.memory.foresight.history.value[0, -1] == 10.0
    assert not run.memory.foresight.history.known[0, -1]


def test_a_replica_is_counted_on_for_the_rate_at_which_two_batches_fit_into_the_slo() -> None:
    assert Mark(profile=profile()).capacity_rps == pytest.approx(8 / 0.120)
    assert Mark(profile=profile(slo_latency_seconds=0.19)).capacity_rps == pytest.approx(5 / 0.090)
    assert Mark(profile=profile(slo_latency_seconds=0.01)).capacity_rps == pytest.approx(1 / 0.050)
    assert Mark(profile=profile(instances=2), target_utilisation=0.5).capacity_rps == pytest.approx(8 / 0.120)


def test_it_stays_within_the_bounds() -> None:
    run = mark([500.0])
    run.tick(serving(2, maximum=9))
    assert run.tick(serving(2, maximum=9), after_seconds=60.0) == [9]
    low = mark([1.0], kept_plans=1)
    low.tick(serving(6, minimum=3))
    assert low.tick(serving(6, minimum=3), after_seconds=60.0) == [3]


def test_it_asks_for_what_came_in_a_quarter_of_a_minute() -> None:
    assert Mark(profile=profile()).queries == (Query(Quantity.ARRIVED, Over.RATE, 15.0),)


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_independent(seed: int) -> None:
    check_rows_are_independent(lambda profile: Mark(profile=profile, kept_plans=2), seed=seed, ticks=8)


@pytest.mark.parametrize("knob", ["target_utilisation", "headroom", "head_steps", "kept_plans", "tick_seconds"])
def test_knobs_outside_their_range_are_refused_by_name(knob: str) -> None:
    with pytest.raises(ValueError, match=f"{knob} must be within"):
        mark([1.0], **{knob: 0})


def test_its_own_forecaster_follows_a_ramp() -> None:
    policy = Mark(profile=profile_of_saturation(10.0))
    ramp = np.linspace(10.0, 50.0, 200).tolist()
    run = Run(policy, memory=policy.start(past(ramp)))
    run.tick(serving(5, 50.0))
    assert run.tick(serving(5, 50.0), after_seconds=60.0)[0] >= 6
