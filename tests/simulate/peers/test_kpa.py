"""Knative's autoscaler. Numbers named "as upstream" are those of its own autoscaler_test."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.kpa import Kpa, KpaMetric
from tests.simulate.peers.observations import (
    Run,
    Service,
    Total,
    check_rows_are_independent,
    profile,
    profile_of_saturation,
)

STABLE = Query(Quantity.CONCURRENCY_SECONDS, Over.RATE, 60.0)
PANIC = Query(Quantity.CONCURRENCY_SECONDS, Over.RATE, 6.0)


def kpa(target: float, **knobs: Any) -> Run:
    """One request at a time per replica, times `target`; scaled by 10 at most in both directions, as upstream."""
    limits: dict[str, Any] = {"max_scale_up_rate": 10.0, "max_scale_down_rate": 10.0}
    return Run(
        Kpa(
            profile=profile_of_saturation(100.0),
            **{**limits, "container_concurrency": target, "target_utilisation": 1.0, **knobs},
        )
    )


def load(
    stable: float, panic: float | None = None, *, ready: int = 1, replicas: int | None = None, minimum: int = 0
) -> Service:
    """So many requests in flight, on average over the stable and over the panic window."""
    return Service(
        ready=ready,
        replicas=replicas,
        minimum=minimum,
        maximum=10_000,
        answers={STABLE: Total(stable), PANIC: Total(stable if panic is None else panic)},
    )


# --- stable mode


def test_stable_mode_is_the_stable_average_over_the_target_as_upstream() -> None:
    run = kpa(10)
    assert run.tick(load(50, 10)) == [5]
    assert run.tick(load(100, 10)) == [10]


def test_stable_mode_decreases_as_upstream() -> None:
    run = kpa(10)
    run.tick(load(10))
    run.tick(load(100, ready=8))
    assert run.tick(load(50, ready=8), after_seconds=200.0) == [5]


def test_windows_are_60_and_6_seconds() -> None:
    assert Kpa(profile=profile()).queries == (STABLE, PANIC)


def test_target_is_70_per_cent_of_what_a_pod_executes_at_once() -> None:
    # two instances with batches of 8: 16, and 70 % of it is 11.2
    policy = Kpa(profile=profile(instances=2))
    assert Run(policy).tick(Service(ready=1, answers={Quantity.CONCURRENCY_SECONDS: 33.59})) == [3]
    assert Run(policy).tick(Service(ready=1, answers={Quantity.CONCURRENCY_SECONDS: 33.61})) == [4]


def test_metric_may_be_requests_a_second_with_those_that_failed() -> None:
    policy = Kpa(profile=profile_of_saturation(100.0), metric=KpaMetric.RPS)
    refusing = Service(ready=1, answers={Quantity.SUCCESS: 100.0, Quantity.ARRIVED: 210.0})
    assert Run(policy).tick(refusing) == [3]


def test_pods_that_answer_stand_for_all_that_are_ready() -> None:
    half = Service(ready=4, maximum=99, answers={Quantity.CONCURRENCY_SECONDS: [10.0, 10.0, None, None]})
    assert kpa(10).tick(half) == [4]


def test_pods_that_are_not_ready_are_not_asked() -> None:
    starting = Service(ready=1, starting=1, answers={Quantity.CONCURRENCY_SECONDS: [40.0, 40.0]})
    assert kpa(10).tick(starting) == [4]


def test_no_data_changes_nothing() -> None:
    run = kpa(10)
    assert run.tick(Service(ready=1, replicas=7)) == [7]
    assert run.reason == "NoData"


# --- rates


def test_growth_is_limited_to_a_multiple_of_the_ready_pods_as_upstream() -> None:
    run = kpa(10)
    assert run.tick(load(1000, 1001)) == [10]
    assert run.tick(load(1000, 1001, ready=10)) == [100]


def test_shrinking_is_limited_to_a_fraction_of_the_ready_pods_as_upstream() -> None:
    run = kpa(10)
    run.tick(load(1))
    assert run.tick(load(1, ready=100)) == [10]
    assert run.tick(load(1, ready=10)) == [1]


def test_limits_are_rounded_so_that_a_small_rate_can_still_move_as_upstream() -> None:
    growing = kpa(1, max_scale_up_rate=1.1)
    growing.tick(load(1))
    assert growing.tick(load(3, 3.1, ready=2)) == [3]
    shrinking = kpa(10, max_scale_down_rate=1.1)
    shrinking.tick(load(1))
    assert shrinking.tick(load(1, ready=100)) == [90]


def test_default_rates_halve_at_most_and_grow_a_thousandfold() -> None:
    run = Run(Kpa(profile=profile_of_saturation(100.0), target_utilisation=1.0))
    run.tick(load(1))
    assert run.tick(load(0.5, ready=9)) == [4]
    assert run.tick(load(5000, 1, ready=1)) == [1000]


def test_without_a_ready_pod_there_is_no_data() -> None:
    run = kpa(10)
    unready = Service(ready=0, starting=2, answers={Quantity.CONCURRENCY_SECONDS: [900.0, 900.0]})
    assert run.tick(unready) == [2]
    assert run.reason == "NoData"


# --- panic


def test_panic_takes_precedence_as_upstream() -> None:
    run = kpa(10)
    assert run.tick(load(50, 100)) == [10]
    assert run.reason == "Panic"


def test_panic_begins_at_twice_what_the_ready_pods_are_for() -> None:
    calm, panicking = kpa(10), kpa(10)
    calm.tick(load(10))
    panicking.tick(load(10))
    calm.tick(load(40, 70, ready=4))
    panicking.tick(load(40, 71, ready=4))
    assert (calm.reason, panicking.reason) == ("Stable", "Panic")


def test_panic_uses_whichever_of_both_is_larger_as_upstream() -> None:
    for stable, panic, expected in ((50, 30, 50), (20, 30, 30)):
        run = kpa(1)
        run.tick(load(5, ready=5))
        assert run.tick(load(stable, panic, ready=5), after_seconds=5.0) == [expected]


def test_in_panic_nothing_shrinks_and_it_ends_a_stable_window_after_as_upstream() -> None:
    run = kpa(10)
    assert run.tick(load(100)) == [10]
    assert run.tick(load(100, 1000, ready=10)) == [100]
    assert run.tick(load(1, ready=10), after_seconds=30.0) == [100]
    assert run.tick(load(1, ready=10), after_seconds=30.0) == [100]
    assert run.tick(load(1, ready=10), after_seconds=1.0) == [1]


def test_a_new_panic_does_not_remember_the_last_one() -> None:
    run = kpa(10)
    run.tick(load(100))
    run.tick(load(100, 1000, ready=10))
    run.tick(load(100, ready=10), after_seconds=61.0)
    assert run.reason == "Stable"
    assert run.tick(load(100, 200, ready=10)) == [20]


def test_panic_tracks_exponential_growth_as_upstream() -> None:
    run = kpa(1)
    assert run.tick(load(6)) == [6]
    assert [run.tick(load(6**n, ready=6 ** (n - 1)), after_seconds=1.0) for n in (2, 3, 4)] == [[36], [216], [1296]]
    assert run.tick(load(1296, ready=1296), after_seconds=1.0) == [1296]


def test_panic_that_goes_on_below_the_threshold_still_ends_as_upstream() -> None:
    run = kpa(1)
    run.tick(load(1))
    assert run.tick(load(11, 25, ready=10)) == [25]
    assert run.tick(load(30, 41, ready=40), after_seconds=30.0) == [41]
    assert run.tick(load(50, 56, ready=55), after_seconds=32.0) == [50]


def test_surge_within_the_panic_extends_it_as_upstream() -> None:
    run = kpa(1)
    run.tick(load(1))
    assert run.tick(load(11, 25, ready=10)) == [25]
    assert run.tick(load(30, 80, ready=40), after_seconds=30.0) == [80]
    assert run.tick(load(50, 56, ready=55), after_seconds=32.0) == [80]


def test_starts_in_panic_with_the_pods_of_more_than_one_as_upstream() -> None:
    run = kpa(10)
    assert run.tick(load(1, ready=2)) == [2]
    assert run.reason == "Panic"
    assert run.tick(load(1, ready=2), after_seconds=62.0) == [1]
    assert kpa(10).tick(load(1, ready=1)) == [1]


def test_panic_sticks_while_pods_start() -> None:
    # The ratio is over ready pods: a cold start of minutes keeps it at its maximum
    run = kpa(10)
    run.tick(load(10))
    assert [run.tick(load(30, 30, ready=1, replicas=3), after_seconds=60.0) for _ in range(5)] == [[3]] * 5
    assert run.reason == "Panic"


def test_an_empty_panic_window_counts_zero() -> None:
    run = kpa(10)
    assert run.tick(Service(ready=1, answers={STABLE: 30.0})) == [3]
    assert run.reason == "Stable"


def test_no_data_neither_begins_nor_ends_a_panic() -> None:
    run = kpa(10)
    run.tick(load(10, 50))
    assert run.tick(Service(ready=1, replicas=5), after_seconds=100.0) == [5]
    assert run.tick(load(10, 20, ready=1), after_seconds=1.0) == [5], "the same panic, with its most pods"
    assert run.tick(load(10, 10, ready=5), after_seconds=61.0) == [1]


# --- delay, activation scale, bounds, zero


def test_scale_down_delay_keeps_the_largest_of_its_window_as_upstream() -> None:
    run = kpa(10, panic_threshold_percentage=1000.0, scale_down_delay_seconds=300.0)
    assert run.tick(load(40, 9)) == [4]
    assert run.tick(load(10, 9), after_seconds=298.0) == [4]
    assert run.reason == "ScaleDownDelay"
    assert run.tick(load(10, 9), after_seconds=2.0) == [1]


def test_scale_down_delay_lets_go_step_by_step_as_upstream() -> None:
    run = kpa(10, panic_threshold_percentage=1000.0, scale_down_delay_seconds=300.0)
    assert run.tick(load(40, 9)) == [4]
    assert run.tick(load(30, 9), after_seconds=60.0) == [4]
    assert run.tick(load(10, 9), after_seconds=60.0) == [4]
    assert run.tick(load(10, 9), after_seconds=180.0) == [3]
    assert run.tick(load(10, 9), after_seconds=60.0) == [1]


def test_without_delay_it_shrinks_at_once_as_upstream() -> None:
    run = kpa(10, panic_threshold_percentage=1000.0)
    assert run.tick(load(40, 9)) == [4]
    assert run.tick(load(20, 9)) == [2]


def test_activation_scale_is_the_least_that_is_not_zero_as_upstream() -> None:
    run = kpa(10, activation_scale=2)
    assert run.tick(load(1, 0)) == [2]
    assert run.tick(load(0, 0)) == [1]


def test_bounds_hold() -> None:
    run = kpa(10)
    assert run.tick(load(1, minimum=3)) == [3]
    assert run.reason == "MinScale"
    capped = Service(ready=1, maximum=4, answers={Quantity.CONCURRENCY_SECONDS: 90.0})
    assert kpa(10).tick(capped) == [4]


def test_to_zero_after_a_stable_window_of_activity_and_the_grace_period() -> None:
    run = kpa(10)
    assert run.tick(load(0)) == [1], "not yet active for a stable window"
    assert run.tick(load(0), after_seconds=60.0) == [1], "now inactive, and the grace period begins"
    assert run.reason == "ScaleToZeroGracePeriod"
    assert run.tick(load(0), after_seconds=28.0) == [1]
    assert run.tick(load(0), after_seconds=2.0) == [0]


def test_a_request_in_the_grace_period_begins_it_anew() -> None:
    run = kpa(10)
    run.tick(load(0))
    run.tick(load(0), after_seconds=60.0)
    run.tick(load(1), after_seconds=28.0)
    assert run.tick(load(0), after_seconds=59.0) == [1]
    assert run.tick(load(0), after_seconds=2.0) == [1]
    assert run.tick(load(0), after_seconds=29.0) == [1]
    assert run.tick(load(0), after_seconds=1.0) == [0]


def test_never_to_zero_with_a_minimum() -> None:
    run = kpa(10)
    run.tick(load(0, minimum=1))
    assert run.tick(load(0, minimum=1), after_seconds=900.0) == [1]


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match=r"target_utilisation must be within \[0.01, 1.0\], not 1.5"):
        Kpa(profile=profile(), target_utilisation=1.5)
    with pytest.raises(ValueError, match="stable_window_seconds must be within"):
        Kpa(profile=profile(), stable_window_seconds=5.0)


@pytest.mark.parametrize("metric", list(KpaMetric))
def test_no_service_looks_at_another(metric: KpaMetric) -> None:
    check_rows_are_independent(
        lambda profile: Kpa(profile=profile, metric=metric, scale_down_delay_seconds=30.0), seed=len(metric)
    )
