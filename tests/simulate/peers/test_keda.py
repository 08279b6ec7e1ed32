"""KEDA: what it adds to the HPA."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.bounds import labels
from foretide.simulate.peers.hpa_behavior import Behavior, HpaRule, PolicyType, RatePolicy, ScalingRules
from foretide.simulate.peers.hpa_metrics import Signal
from foretide.simulate.peers.keda import Fallback, FallbackBehavior, Keda, KedaRule
from tests.simulate.peers.observations import (
    Run,
    Service,
    Total,
    check_rows_are_independent,
    profile_of_saturation,
)

AT_ONCE = ScalingRules(stabilization_window_seconds=0.0, policies=(RatePolicy(PolicyType.PODS, 10_000, 15.0),))
FREE = Behavior(scale_up=AT_ONCE, scale_down=AT_ONCE)
SILENT = Service(ready=4)  # ready pods, and Prometheus does not answer


def keda(**knobs: Any) -> Run:
    """A replica for each 50 requests a second."""
    return Run(Keda(**{"profile": profile_of_saturation(100.0), "threshold": 0.5, "behavior": FREE, **knobs}))


def serving(replicas: int, total_rps: float, *, minimum: int = 1) -> Service:
    return Service(ready=replicas, minimum=minimum, answers={Quantity.SUCCESS: Total(total_rps)})


# --- from 1 to n: the HPA


def test_metric_is_average_value_value_over_threshold() -> None:
    assert keda().tick(serving(2, 240.0)) == [5]


def test_hpa_rules_hold_tolerance_windows_and_rates() -> None:
    assert keda().tick(serving(4, 215.0)) == [4], "7.5 % above target"
    default = keda(behavior=Behavior())
    assert default.tick(serving(2, 900.0)) == [6], "no more than 4 pods in 15 s"
    assert default.tick(serving(6, 50.0)) == [6], "nothing for 300 s"


def test_hpa_minimum_is_one_when_the_service_may_be_zero() -> None:
    run = keda()
    run.tick(serving(3, 100.0, minimum=0))
    assert run.tick(serving(3, 0.0, minimum=0)) == [1]


def test_trigger_may_be_pending_requests() -> None:
    run = keda(signal=Signal.PENDING, threshold=4.0)
    assert run.policy.queries == (Query(Quantity.PENDING, Over.AVERAGE, 60.0),)
    assert run.tick(Service(ready=1, answers={Quantity.PENDING: 11.0})) == [3]


# --- polling


def test_without_cached_metrics_the_hpa_asks_at_each_of_its_ticks() -> None:
    run = keda()
    run.tick(serving(2, 100.0))
    assert run.tick(serving(2, 200.0)) == [4]


def test_cached_metrics_are_as_old_as_the_last_poll() -> None:
    run = keda(use_cached_metrics=True)
    run.tick(serving(2, 100.0))
    assert run.tick(serving(2, 200.0)) == [2]
    assert run.tick(serving(2, 200.0)) == [4]


def test_polls_come_every_30_seconds_however_ticks_fall() -> None:
    run = keda(use_cached_metrics=True)
    run.tick(serving(2, 100.0))
    assert run.tick(serving(2, 200.0), after_seconds=14.9) == [2]
    assert run.tick(serving(2, 200.0), after_seconds=14.9) == [4], "29.8 s: not only at the next tick"
    late = keda(use_cached_metrics=True)
    late.tick(serving(2, 100.0))
    assert late.tick(serving(2, 200.0), after_seconds=100.0) == [4]


# --- between 0 and 1: the scale loop


def test_active_means_above_the_activation_threshold() -> None:
    idle = Service(ready=0, leaving=1, replicas=0, minimum=0, answers={Quantity.SUCCESS: [5.0]})
    assert keda(activation_threshold=5.0).tick(idle) == [0]
    run = keda(activation_threshold=4.9)
    assert run.tick(idle) == [1]
    assert run.reason == "Activated"


def test_activation_goes_to_the_minimum() -> None:
    asleep = Service(ready=0, leaving=1, replicas=0, minimum=3, answers={Quantity.SUCCESS: [5.0]})
    assert keda().tick(asleep) == [3]


def test_activation_happens_at_a_poll() -> None:
    run = keda()
    asleep = Service(ready=0, leaving=1, replicas=0, minimum=0, answers={Quantity.SUCCESS: [0.0]})
    awake = replace(asleep, answers={Quantity.SUCCESS: [5.0]})
    run.tick(asleep)
    assert [run.tick(awake), run.tick(awake)] == [[0], [1]]


def test_to_zero_only_after_the_cooldown_without_activity() -> None:
    run = keda()
    run.tick(serving(1, 10.0, minimum=0))
    assert run.tick(serving(1, 0.0, minimum=0), after_seconds=300.0) == [1]
    assert run.tick(serving(1, 0.0, minimum=0), after_seconds=30.0) == [0]
    assert run.reason == "Deactivated"


def test_activity_within_the_cooldown_begins_it_anew() -> None:
    run = keda()
    run.tick(serving(1, 10.0, minimum=0))
    run.tick(serving(1, 10.0, minimum=0), after_seconds=290.0)
    assert run.tick(serving(1, 0.0, minimum=0), after_seconds=290.0) == [1]


def test_what_was_never_active_does_not_wait_for_the_cooldown() -> None:
    assert keda().tick(serving(2, 0.0, minimum=0)) == [0]


def test_activity_between_polls_is_not_seen() -> None:
    run = keda()
    run.tick(serving(1, 10.0, minimum=0))
    assert [run.tick(serving(1, 0.0, minimum=0)) for _ in range(20)] == [[1]] * 20
    assert run.tick(serving(1, 10.0, minimum=0)) == [1]
    assert run.tick(serving(1, 0.0, minimum=0)) == [0]


def test_a_minimum_above_zero_never_goes_to_zero() -> None:
    run = keda()
    run.tick(serving(1, 10.0))
    assert run.tick(serving(1, 0.0), after_seconds=900.0) == [1]


def test_inactive_below_the_minimum_goes_to_the_minimum() -> None:
    run = keda()
    assert run.tick(serving(1, 0.0, minimum=2)) == [2]
    assert run.reason == "MinReplicaCount"


def test_moves_of_the_scale_loop_do_not_use_up_the_rate_of_the_hpa() -> None:
    three = ScalingRules(stabilization_window_seconds=0.0, policies=(RatePolicy(PolicyType.PODS, 3, 60.0),))
    run = keda(behavior=Behavior(scale_up=three))
    assert run.tick(serving(1, 0.0, minimum=3)) == [3]
    assert run.tick(serving(3, 900.0, minimum=3)) == [6]


# --- nulls and errors


def test_empty_results_are_zero_by_default() -> None:
    starting = Service(ready=0, starting=4, minimum=1)
    assert keda().tick(starting) == [1]
    assert keda(ignore_null_values=False).tick(starting) == [4]


def test_an_error_without_fallback_moves_nothing() -> None:
    run = keda()
    assert [run.tick(SILENT) for _ in range(40)] == [[4]] * 40
    assert run.reason == "FailedGetMetrics"


def test_an_error_does_not_scale_to_zero() -> None:
    run = keda()
    assert [run.tick(replace(SILENT, minimum=0)) for _ in range(40)] == [[4]] * 40


def test_fallback_acts_when_failures_in_a_row_exceed_the_threshold() -> None:
    run = keda(fallback=Fallback(replicas=7, failure_threshold=3), use_cached_metrics=True)
    at_polls = []
    for _ in range(5):
        at_polls.append(run.tick(SILENT))
        run.tick(SILENT)
    assert at_polls == [[4], [4], [4], [7], [7]]
    assert run.reason == "Fallback"


def test_each_question_of_the_hpa_counts_as_a_failure_too() -> None:
    # Poll and question at 0 s, question at 15 s, poll and question at 30 s
    run = keda(fallback=Fallback(replicas=7, failure_threshold=3))
    assert [run.tick(SILENT) for _ in range(3)] == [[4], [4], [7]]


def test_one_answer_begins_the_count_anew() -> None:
    run = keda(fallback=Fallback(replicas=7, failure_threshold=3), use_cached_metrics=True)
    for _ in range(3):
        run.tick(SILENT, after_seconds=30.0)
    run.tick(serving(4, 200.0), after_seconds=30.0)
    assert [run.tick(SILENT, after_seconds=30.0) for _ in range(4)] == [[4], [4], [4], [7]]


@pytest.mark.parametrize(
    ("behavior", "replicas", "expected"),
    [
        (FallbackBehavior.STATIC, 2, 2),
        (FallbackBehavior.CURRENT_REPLICAS, 9, 4),
        (FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER, 2, 4),
        (FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER, 9, 9),
        (FallbackBehavior.CURRENT_REPLICAS_IF_LOWER, 2, 2),
        (FallbackBehavior.CURRENT_REPLICAS_IF_LOWER, 9, 4),
    ],
)
def test_fallback_behaviors(behavior: FallbackBehavior, replicas: int, expected: int) -> None:
    assert keda(fallback=Fallback(replicas=replicas, failure_threshold=0, behavior=behavior)).tick(SILENT) == [expected]


def test_a_service_that_falls_back_is_active() -> None:
    run = keda(fallback=Fallback(replicas=2, failure_threshold=0), activation_threshold=10_000.0)
    assert [run.tick(replace(SILENT, minimum=0)) for _ in range(40)] == [[2]] * 40


def test_errors_below_the_threshold_do_not_scale_to_zero_unless_the_fallback_is_zero() -> None:
    silent = replace(SILENT, minimum=0)
    assert keda(fallback=Fallback(replicas=2, failure_threshold=9)).tick(silent) == [4]
    assert keda(fallback=Fallback(replicas=0, failure_threshold=9)).tick(silent) == [0]


# --- the rest


def test_paused_stays_as_it_is() -> None:
    assert keda().tick(replace(serving(2, 900.0), paused=True)) == [2]


def test_rules_are_numbered_after_those_of_the_hpa() -> None:
    assert [int(rule) for rule in KedaRule] == list(range(len(HpaRule), len(HpaRule) + len(KedaRule)))
    assert labels(KedaRule)[0] == "Activated"


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match="polling_interval_seconds must be within"):
        keda(polling_interval_seconds=0.0)
    with pytest.raises(ValueError, match="target must be within"):
        keda(threshold=0.0)
    with pytest.raises(ValueError, match="failure_threshold must be within"):
        Fallback(replicas=1, failure_threshold=-1)


@pytest.mark.parametrize("seed", range(2))
def test_no_service_looks_at_another(seed: int) -> None:
    fallback = Fallback(replicas=3, failure_threshold=1) if seed else None
    check_rows_are_independent(
        lambda profile: Keda(profile=profile, use_cached_metrics=bool(seed), fallback=fallback), seed=seed
    )
