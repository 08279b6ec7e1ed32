"""A fixed number of replicas."""

from __future__ import annotations

import pytest

from foretide.simulate.peers.static import Static, demand_quantile
from tests.simulate.peers.observations import Run, Service, check_rows_are_independent, past, profile_of_saturation


def sized(policy: Static, *demand: float | None, service: Service | None = None) -> int:
    run = Run(policy, memory=policy.start(past(list(demand))))
    return run.tick(service or Service(ready=2))[0]


def test_the_peak_of_the_past_over_the_target_share_of_saturation() -> None:
    assert sized(Static(profile=profile_of_saturation(100.0)), 10.0, 690.0, 30.0) == 10
    assert sized(Static(profile=profile_of_saturation(100.0), target_utilisation=1.0), 10.0, 690.0, 30.0) == 7


def test_a_quantile_of_the_past_is_not_exceeded_in_that_share_of_its_steps() -> None:
    demand = [float(step) for step in range(1, 1001)]
    policy = Static(profile=profile_of_saturation(1.0), target_utilisation=1.0, quantile=0.95)
    assert sized(policy, *demand, service=Service(ready=2, maximum=2000)) == 950
    readings = past(demand, [None, *demand[1:]]).demand
    assert demand_quantile(readings, 0.5).value.tolist() == [500.0, 501.0]
    assert demand_quantile(readings, 1.0).value.tolist() == [1000.0, 1000.0]
    assert demand_quantile(readings, 0.0).value.tolist() == [1.0, 2.0]


def test_a_number_that_is_given_needs_no_past() -> None:
    assert sized(Static(profile=profile_of_saturation(100.0), replicas=5)) == 5


def test_it_never_looks_at_the_load() -> None:
    assert Static(profile=profile_of_saturation(100.0)).queries == ()


def test_a_past_without_load_needs_one() -> None:
    assert sized(Static(profile=profile_of_saturation(100.0)), 0.0, 0.0) == 1


@pytest.mark.parametrize("demand", [(), (None, None)])
def test_without_a_past_it_leaves_what_is_there(demand: tuple[None, ...]) -> None:
    policy = Static(profile=profile_of_saturation(100.0))
    run = Run(policy, memory=policy.start(past(list(demand))))
    assert run.tick(Service(ready=2)) == [2]
    assert run.reason == "NoPast"


def test_bounds_and_orders_hold() -> None:
    policy = Static(profile=profile_of_saturation(100.0))
    assert sized(policy, 690.0, service=Service(ready=2, maximum=4)) == 4
    assert sized(policy, 1.0, service=Service(ready=2, minimum=3)) == 3
    assert sized(policy, 690.0, service=Service(ready=2, paused=True)) == 2
    assert sized(policy, 690.0, service=Service(ready=2, pinned=6)) == 6


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match=r"quantile must be within \[0.0, 1.0\], not 2.0"):
        Static(profile=profile_of_saturation(100.0), quantile=2.0)


def test_no_service_looks_at_another() -> None:
    check_rows_are_independent(lambda profile: Static(profile=profile, quantile=0.9), seed=0)
