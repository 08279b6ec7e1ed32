"""The HPA's arithmetic. Numbers named "as upstream" are those of its own replica_calculator_test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.hpa import Hpa
from foretide.simulate.peers.hpa_behavior import Behavior, PolicyType, RatePolicy, ScalingRules
from foretide.simulate.peers.hpa_metrics import HpaMetric, PodPhases, Signal, Source
from tests.simulate.peers.observations import (
    Run,
    Service,
    Total,
    check_rows_are_independent,
    decided,
    profile,
    profile_of_saturation,
)

# Neither windows nor rates: the proposal itself.
FREE = Behavior(
    scale_up=ScalingRules(stabilization_window_seconds=0.0, policies=(RatePolicy(PolicyType.PODS, 10_000, 15.0),)),
    scale_down=ScalingRules(stabilization_window_seconds=0.0, policies=(RatePolicy(PolicyType.PERCENT, 100, 15.0),)),
)
SUCCESS, FAILURE, PENDING, BUSY = Quantity.SUCCESS, Quantity.FAILURE, Quantity.PENDING, Quantity.BUSY_SECONDS


def hpa(
    source: Source,
    target: float,
    *,
    signal: Signal = Signal.RATE,
    behavior: Behavior | None = FREE,
    window_seconds: float = 60.0,
    phases: PodPhases | None = None,
) -> Hpa:
    """On a replica of 100 requests a second: a target of 15 is 15 requests a second (or waiting, or per cent)."""
    metric = HpaMetric(
        source=source,
        signal=signal,
        target=target if signal is Signal.PENDING else target / 100.0,
        window_seconds=window_seconds,
    )
    return Hpa(profile=profile_of_saturation(100.0), metrics=(metric,), behavior=behavior, phases=phases or PodPhases())


def tolerating(*, up: float = 0.1, down: float = 0.1) -> Behavior:
    return Behavior(scale_up=replace(FREE.scale_up, tolerance=up), scale_down=replace(FREE.scale_down, tolerance=down))


def rates(*answers: float | None, ready: int | None = None, starting: int = 0, leaving: int = 0) -> Service:
    return Service(
        ready=len(answers) - starting - leaving if ready is None else ready,
        starting=starting,
        leaving=leaving,
        answers={SUCCESS: answers},
    )


def busy(
    *answers: float | None,
    starting: int = 0,
    leaving: int = 0,
    age_seconds: float | Sequence[float] = 3600.0,
    ready_age_seconds: float | Sequence[float] = 3600.0,
    sample_age: float = 0.0,
) -> Service:
    return Service(
        ready=len(answers) - starting - leaving,
        starting=starting,
        leaving=leaving,
        age_seconds=age_seconds,
        ready_age_seconds=ready_age_seconds,
        answers={BUSY: answers, Query(BUSY, Over.AGE): [sample_age] * len(answers)},
    )


# --- Pods


def test_pods_metric_is_averaged_over_ready_pods_and_rounded_up_as_upstream() -> None:
    assert decided(hpa(Source.PODS, 15), rates(20, 10, 30)) == [4]
    assert decided(hpa(Source.PODS, 20), rates(12, 12, 12, 12, 12)) == [3]


def test_ratio_within_tolerance_keeps_replicas_as_upstream() -> None:
    assert decided(hpa(Source.PODS, 20), rates(20, 21, 21)) == [3]


def test_ratio_at_the_tolerance_is_within_it() -> None:
    assert decided(hpa(Source.PODS, 20), rates(22, 22, 22)) == [3]
    assert decided(hpa(Source.PODS, 20), rates(22.001, 22.001, 22.001)) == [4]


def test_tolerance_is_set_per_direction_as_upstream() -> None:
    assert decided(hpa(Source.PODS, 20, behavior=tolerating(up=0.01)), rates(20, 21, 21)) == [4]
    assert decided(hpa(Source.PODS, 100, behavior=tolerating(down=0.36)), rates(65, 65, 65)) == [3]
    assert decided(hpa(Source.PODS, 100, behavior=tolerating(down=0.34)), rates(65, 65, 65)) == [2]
    assert decided(hpa(Source.PODS, 100, behavior=tolerating(up=2.0)), rates(190, 190, 190)) == [3]


def test_pods_metric_counts_a_running_pod_that_is_not_ready_as_upstream() -> None:
    assert decided(hpa(Source.PODS, 15), rates(50, 10, 30, starting=1)) == [6]


def test_missing_pods_count_as_at_target_when_shrinking() -> None:
    # 10 of 20 without them; with one at target (10 + 10 + 20) / 3 = 13.3: ceil(0.667 x 3) = 2
    assert decided(hpa(Source.PODS, 20), rates(10, 10, None)) == [2]
    assert decided(hpa(Source.PODS, 20), rates(10, 10)) == [1]


def test_missing_pods_count_as_zero_when_growing() -> None:
    # 60 of 20 on one pod, but 20 on average of three: nothing to do
    assert decided(hpa(Source.PODS, 20), rates(60, None, None)) == [3]
    assert decided(hpa(Source.PODS, 20), rates(90, None, None)) == [5]


def test_missing_pods_change_nothing_at_target_as_upstream() -> None:
    assert decided(hpa(Source.PODS, 20), rates(20, 19, 21, None, None)) == [5]


def test_starting_pods_damp_growth() -> None:
    assert decided(hpa(Source.PODS, 15), rates(30, 30, None, None, starting=2)) == [4]
    assert decided(hpa(Source.PODS, 15), rates(45, 45, None, None, starting=2)) == [6]


def test_pending_pods_count_as_zero_when_growing_and_do_not_exist_when_shrinking() -> None:
    shrinking = replace(rates(10, 10, None, starting=1), age_seconds=5.0)
    growing = replace(rates(40, 40, None, starting=1), age_seconds=5.0)
    phases = PodPhases(pending_seconds=20.0)
    assert decided(hpa(Source.PODS, 20, phases=phases), shrinking) == [1]
    assert decided(hpa(Source.PODS, 20), shrinking) == [2], "a running pod without a metric is missing instead"
    assert decided(hpa(Source.PODS, 20, phases=phases), growing) == [4]


def test_correction_never_flips_the_direction() -> None:
    # 2 of 1 pods need growth; spread over four the average is half the target
    assert decided(hpa(Source.PODS, 20), rates(40, None, None, None)) == [4]


def test_correction_never_crosses_the_present_number_as_upstream() -> None:
    # A surge pod without a metric: 3 pods, 2 replicas
    surge = replace(rates(10, 10, None), replicas=2)
    assert decided(hpa(Source.PODS, 17), surge) == [2]


def test_leaving_pods_are_ignored_by_pods_metrics() -> None:
    assert decided(hpa(Source.PODS, 15), rates(20, 10, 30, 99, leaving=1)) == [4]


def test_without_any_metric_of_a_pod_nothing_is_decided() -> None:
    run = Run(hpa(Source.PODS, 20))
    assert run.tick(rates(None, None, None)) == [3]
    assert run.reason == "FailedGetMetrics"
    assert decided(hpa(Source.PODS, 20), Service(ready=0, replicas=3)) == [3]


# --- Resource


def resource(target_per_cent: float, *, window_seconds: float = 60.0, phases: PodPhases | None = None) -> Hpa:
    return hpa(
        Source.RESOURCE, target_per_cent, signal=Signal.UTILISATION, window_seconds=window_seconds, phases=phases
    )


def test_resource_metric_is_utilisation_of_what_pods_request_as_upstream() -> None:
    assert decided(resource(50), busy(0.1, 0.3, 0.5, 0.25, 0.25)) == [3]


def test_utilisation_is_of_all_instances() -> None:
    two_instances = replace(busy(1.0, 1.0), instances=2)
    assert decided(resource(50), two_instances) == [2]
    assert decided(resource(25), two_instances) == [4]


def test_utilisation_is_cut_to_whole_per_cent() -> None:
    # 77.9 % is 77 %, and 77 / 70 is just within the tolerance
    assert decided(resource(70), busy(0.779, 0.779, 0.779)) == [3]
    assert decided(resource(70), busy(0.78, 0.78, 0.78)) == [4]


def test_not_ready_pods_do_not_exist_when_shrinking_as_upstream() -> None:
    assert decided(resource(50), busy(0.1, 0.3, 0.5, 0.25, 0.25, starting=2)) == [2]


def test_pending_pods_do_not_exist_when_shrinking_as_upstream() -> None:
    young = replace(busy(0.1, None, None, None, None, starting=4), age_seconds=5.0, ready_age_seconds=600.0)
    aged = replace(young, age_seconds=[900.0, 5.0, 5.0, 5.0, 5.0])
    assert decided(resource(50, phases=PodPhases(pending_seconds=60.0)), aged) == [1]


def test_not_ready_and_missing_pods_count_as_zero_when_growing_as_upstream() -> None:
    # pods: ready with 200 %, ready without a metric, not ready with 10 %
    assert decided(resource(50), busy(2.0, None, 0.1, starting=1)) == [4]


def test_missing_pods_count_as_full_when_shrinking_as_upstream() -> None:
    assert decided(resource(100), busy(0.4, 0.095, None, None)) == [3]
    assert decided(resource(50), busy(0.1, 0.1, None, 0.1, starting=1)) == [3]


def test_not_ready_pods_do_not_dilute_what_is_guessed_when_shrinking() -> None:
    # (20 + 20 + 100) / 3 is 46 % of 50 %: near enough; over four pods it would be 35 %
    assert decided(resource(50), busy(0.2, 0.2, None, 0.1, starting=1)) == [4]


def test_missing_pods_never_flip_the_direction_as_upstream() -> None:
    assert decided(resource(100), busy(1.0, None)) == [2]
    assert decided(resource(100), busy(1.9, None)) == [2]
    assert decided(resource(100), busy(0.6, None)) == [2]
    assert decided(resource(50), busy(0.45, None, 0.1, starting=1)) == [3]


def test_missing_surge_pods_never_cross_the_present_number_as_upstream() -> None:
    assert decided(resource(50), replace(busy(0.1, 0.1, None), replicas=2)) == [2]


def test_leaving_pods_are_ignored_as_upstream() -> None:
    assert decided(resource(30), replace(busy(0.5, 0.7, None, None, leaving=2), replicas=2)) == [4]


def test_young_pods_count_once_their_sample_lies_after_they_became_ready_as_upstream() -> None:
    # Three old pods at 10, 30 and 50 %, two ready for 30 s: a window of 60 s reaches back to before
    ages, ready_ages = [900.0] * 3 + [60.0] * 2, [900.0] * 3 + [30.0] * 2
    pods = busy(0.1, 0.3, 0.5, 0.25, 0.25, age_seconds=ages, ready_age_seconds=ready_ages)
    assert decided(resource(50, window_seconds=60.0), pods) == [2]
    assert decided(resource(50, window_seconds=30.0), pods) == [3]
    stale = busy(0.1, 0.3, 0.5, 0.25, 0.25, age_seconds=ages, ready_age_seconds=ready_ages, sample_age=1.0)
    assert decided(resource(50, window_seconds=30.0), stale) == [2]


def test_after_the_initialisation_period_the_age_of_a_sample_does_not_matter() -> None:
    pods = busy(0.1, 0.3, 0.5, 0.25, 0.25, age_seconds=300.0, ready_age_seconds=[900.0] * 3 + [1.0] * 2)
    assert decided(resource(50), pods) == [3]


def test_missing_pods_count_at_a_target_above_100_per_cent_when_shrinking() -> None:
    # (20 + 20 + 300) / 3 = 113 % of 300 %; at 100 % it would be 1
    assert decided(resource(300), busy(0.2, 0.2, None)) == [2]


# --- External


def test_average_value_is_the_total_over_the_target_as_upstream() -> None:
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 2.15), rates(8.6, 0, 0)) == [4]
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 2.867), rates(8.6, 0, 0, 0, 0)) == [3]


def test_average_value_keeps_replicas_within_tolerance_as_upstream() -> None:
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 2.9), rates(8.6, 0, 0)) == [3]
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 2.8, behavior=tolerating(up=0.01)), rates(8.6, 0, 0)) == [4]


def test_average_value_does_not_look_at_readiness() -> None:
    starting = Service(ready=1, starting=3, answers={SUCCESS: Total(200.0)})
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50), starting) == [4]


def test_external_sum_holds_each_pod_that_answers_also_leaving_ones() -> None:
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50), rates(50, 50, 50, 50, starting=1, leaving=1)) == [4]


def test_sum_of_no_series_is_no_metric_and_not_zero() -> None:
    run = Run(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50))
    assert run.tick(Service(ready=4)) == [4]
    assert run.reason == "FailedGetMetrics"


def test_value_is_the_ratio_times_ready_pods_as_upstream() -> None:
    one_of_three_ready = Service(ready=1, starting=2, answers={SUCCESS: [8.6, None, None]})
    assert decided(hpa(Source.EXTERNAL_VALUE, 4.4), one_of_three_ready) == [2]
    assert decided(hpa(Source.EXTERNAL_VALUE, 14.334), rates(8.6, 8.6, 8.6, 8.6, 8.6)) == [3]


def test_value_keeps_replicas_within_tolerance_as_upstream() -> None:
    assert decided(hpa(Source.EXTERNAL_VALUE, 8.888), rates(8.6, 8.6, 8.6)) == [3]
    assert decided(hpa(Source.EXTERNAL_VALUE, 8.8, behavior=tolerating(up=0.01)), rates(8.9, 8.9, 8.9)) == [4]


def test_value_of_a_service_without_replicas_does_not_look_at_pods() -> None:
    draining = Service(ready=0, leaving=1, replicas=0, minimum=0, answers={SUCCESS: [120.0]})
    assert decided(hpa(Source.EXTERNAL_VALUE, 50), draining) == [3]


def test_query_may_hold_successes_only_or_failures_too() -> None:
    refusing = Service(ready=2, answers={SUCCESS: Total(100.0), FAILURE: Total(100.0)})
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50), refusing) == [2]
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50, signal=Signal.RATE_AND_FAILURES), refusing) == [4]


def test_failures_without_a_series_make_the_sum_unknown() -> None:
    silent = Service(ready=2, answers={SUCCESS: Total(200.0)})
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50, signal=Signal.RATE_AND_FAILURES), silent) == [2]


def test_rate_window_is_part_of_the_query() -> None:
    policy = hpa(Source.EXTERNAL_AVERAGE_VALUE, 50, window_seconds=30.0)
    assert policy.queries == (Query(SUCCESS, Over.RATE, 30.0),)


def test_pending_requests_may_be_the_metric() -> None:
    waiting = Service(ready=2, answers={PENDING: Total(12.0)})
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 4, signal=Signal.PENDING), waiting) == [3]
    newest = hpa(Source.EXTERNAL_AVERAGE_VALUE, 4, signal=Signal.PENDING, window_seconds=0.0)
    assert newest.queries == (Query(PENDING, Over.NEWEST, 0.0),)


def test_rates_have_their_target_from_the_saturation_of_a_replica() -> None:
    # 10 ms an item and 40 ms a batch of 8 is 66.7 requests a second; 70 % of it is 46.7
    policy = Hpa(profile=profile(), behavior=FREE)
    assert decided(policy, Service(ready=1, answers={SUCCESS: 140.0})) == [3]
    assert decided(policy, Service(ready=1, answers={SUCCESS: 140.1})) == [4]


# --- several metrics


def both(service: Service) -> int:
    metrics = (HpaMetric(target=0.5), HpaMetric(signal=Signal.PENDING, target=4.0))
    return decided(Hpa(profile=profile_of_saturation(100.0), metrics=metrics, behavior=FREE), service)[0]


def test_of_several_metrics_the_largest_number_counts() -> None:
    assert both(Service(ready=2, answers={SUCCESS: Total(250.0), PENDING: Total(12.0)})) == 5
    assert both(Service(ready=2, answers={SUCCESS: Total(150.0), PENDING: Total(28.0)})) == 7


def test_a_failing_metric_blocks_shrinking_only() -> None:
    assert both(Service(ready=4, answers={SUCCESS: Total(50.0), PENDING: Total(1.0)})) == 1
    assert both(Service(ready=4, answers={SUCCESS: Total(50.0)})) == 4
    assert both(Service(ready=4, answers={SUCCESS: Total(250.0)})) == 5


def test_when_all_metrics_fail_nothing_is_decided() -> None:
    assert both(Service(ready=4)) == 4


# --- bounds


def test_more_than_the_maximum_goes_to_the_maximum_at_once() -> None:
    run = Run(Hpa(profile=profile_of_saturation(100.0)))
    assert run.tick(Service(ready=9, maximum=4, answers={SUCCESS: Total(900.0)})) == [4]
    assert run.reason == "TooManyReplicas"


def test_fewer_than_the_minimum_goes_to_the_minimum_at_once() -> None:
    run = Run(Hpa(profile=profile_of_saturation(100.0)))
    assert run.tick(Service(ready=1, minimum=7)) == [7]
    assert run.reason == "TooFewReplicas"


def test_no_replicas_and_a_minimum_above_is_a_disabled_service() -> None:
    run = Run(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50))
    assert run.tick(Service(ready=0, leaving=1, replicas=0, answers={SUCCESS: [100.0]})) == [0]
    assert run.reason == "ScalingDisabled"


def test_metrics_never_leave_the_bounds() -> None:
    policy = hpa(Source.EXTERNAL_AVERAGE_VALUE, 50)
    assert decided(policy, Service(ready=2, maximum=3, answers={SUCCESS: Total(500.0)})) == [3]
    assert decided(policy, Service(ready=4, minimum=2, answers={SUCCESS: Total(0.0)})) == [2]


def test_paused_stays_and_pinned_is_that_number() -> None:
    loaded = Service(ready=2, answers={SUCCESS: Total(500.0)})
    run = Run(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50))
    assert run.tick(replace(loaded, paused=True)) == [2]
    assert run.reason == "Paused"
    assert decided(hpa(Source.EXTERNAL_AVERAGE_VALUE, 50), replace(loaded, pinned=5)) == [5]


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match=r"target must be within \(0, .*\], not 0"):
        HpaMetric(target=0.0)
    with pytest.raises(ValueError, match="signal of a Resource metric must be utilisation, not rate"):
        HpaMetric(source=Source.RESOURCE)
    with pytest.raises(ValueError, match="window_seconds must be within"):
        HpaMetric(window_seconds=0.0)
    with pytest.raises(ValueError, match="metrics must hold at least one"):
        Hpa(profile=profile(), metrics=())


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("source", list(Source))
def test_no_service_looks_at_another(source: Source, seed: int) -> None:
    signal = Signal.UTILISATION if source is Source.RESOURCE else Signal.RATE_AND_FAILURES
    metrics = (HpaMetric(source=source, signal=signal), HpaMetric(signal=Signal.PENDING, target=3.0))
    behavior = Behavior() if seed else None
    check_rows_are_independent(lambda profile: Hpa(profile=profile, metrics=metrics, behavior=behavior), seed=seed)


def test_services_without_pods_and_no_services_are_no_fault() -> None:
    assert decided(Hpa(profile=profile(services=0))) == []
    assert np.array_equal(decided(Hpa(profile=profile()), Service(ready=0, replicas=2)), [2])
