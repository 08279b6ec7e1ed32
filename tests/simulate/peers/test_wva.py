"""llm-d's saturation analyzer. Numbers named "as upstream" are those of its own analyzer_test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.hpa_behavior import Behavior, HpaRule, PolicyType, RatePolicy, ScalingRules
from foretide.simulate.peers.wva import Actuation, Wva, WvaRule
from tests.simulate.peers.observations import Run, Service, check_rows_are_independent

AT_ONCE = ScalingRules(stabilization_window_seconds=0.0, policies=(RatePolicy(PolicyType.PODS, 10_000, 15.0),))
FREE = Behavior(scale_up=AT_ONCE, scale_down=AT_ONCE)


def wva(**knobs: Any) -> Run:
    """Without the windows of the chart's HPA."""
    return Run(Wva(**{"actuation": Actuation.DIRECT, **knobs}))


def pods(*states: tuple[float, float] | None, starting: int = 0, leaving: int = 0) -> Service:
    """Each pod with (utilisation, requests that wait)."""
    return Service(
        ready=len(states) - starting - leaving,
        starting=starting,
        leaving=leaving,
        answers={
            Quantity.BUSY_SECONDS: [None if state is None else state[0] for state in states],
            Quantity.PENDING: [None if state is None else state[1] for state in states],
        },
    )


FULL = pods((0.9, 7), (0.9, 7), (0.9, 7))
IDLE = pods((0.1, 0), (0.1, 0), (0.1, 0))


# --- triggers


def test_low_spare_utilisation_adds_one_as_upstream() -> None:
    run = wva()
    assert run.tick(pods((0.75, 2), (0.76, 2))) == [3]
    assert run.reason == "ScaleUp"


def test_low_spare_queue_adds_one_as_upstream() -> None:
    assert wva().tick(pods((0.50, 3), (0.50, 3))) == [3]


def test_enough_of_both_changes_nothing_as_upstream() -> None:
    run = wva()
    assert run.tick(pods((0.50, 1), (0.50, 1))) == [2]
    assert run.reason == "NoAction"


def test_spare_is_averaged_over_replicas_that_are_not_saturated_as_upstream() -> None:
    # The one that is left has 0.20 and 3 to spare: enough, although two of three are saturated
    assert wva().tick(pods((0.85, 2), (0.50, 6), (0.60, 2))) == [3]


def test_all_saturated_adds_one_as_upstream() -> None:
    assert wva().tick(pods((0.85, 2), (0.50, 6), (0.90, 7))) == [4]


def test_saturated_begins_at_the_thresholds() -> None:
    # Saturated replicas leave the average: what is left of these has plenty
    assert wva().tick(pods((0.80, 0), (0.62, 0))) == [2]
    assert wva().tick(pods((0.45, 5), (0.45, 0))) == [2]
    assert wva().tick(pods((0.79, 0), (0.65, 0))) == [3]


def test_triggers_are_strict() -> None:
    even = {"utilisation_threshold": 0.75, "utilisation_spare_trigger": 0.25}
    assert wva(**even).tick(pods((0.5, 0))) == [1]
    assert wva(**even).tick(pods((0.501, 0))) == [2]


def test_one_is_taken_away_if_the_others_can_carry_its_load_as_upstream() -> None:
    run = wva()
    assert run.tick(pods((0.20, 1), (0.30, 1), (0.25, 1))) == [2]
    assert run.reason == "ScaleDown"
    # 0.45 on two of three is 0.675: 0.125 to spare; 0.48 is 0.72
    assert wva().tick(pods((0.45, 0), (0.45, 0), (0.45, 0))) == [2]
    assert wva().tick(pods((0.48, 0), (0.48, 0), (0.48, 0))) == [3]
    # 1.3 waiting on two of three are 1.95, 1.4 are 2.1: less than 3 to spare
    assert wva().tick(pods((0.1, 1.3), (0.1, 1.3), (0.1, 1.3))) == [2]
    assert wva().tick(pods((0.1, 1.4), (0.1, 1.4), (0.1, 1.4))) == [3]


def test_the_last_one_that_is_not_saturated_stays_as_upstream() -> None:
    assert wva().tick(pods((0.50, 2))) == [1]
    assert wva().tick(pods((0.1, 0), (0.9, 0))) == [2]


def test_utilisation_is_of_all_instances() -> None:
    assert wva().tick(replace(pods((0.75, 0), (0.75, 0)), instances=2)) == [2]


# --- transitions


def test_growth_waits_for_pending_replicas() -> None:
    # All pods report, but one of them is not ready
    run = wva()
    assert run.tick(pods((0.9, 7), (0.9, 7), (0.9, 7), starting=1)) == [3]
    assert run.reason == "NoAction"


def test_replicas_without_metrics_are_a_transition_and_block_everything_as_upstream() -> None:
    run = wva()
    assert run.tick(pods((0.9, 7), (0.9, 7), None)) == [3]
    assert run.reason == "InTransition"
    assert wva().tick(pods((0.1, 0), (0.1, 0), None)) == [3]


def test_metrics_of_replicas_that_leave_are_a_transition() -> None:
    assert wva().tick(pods((0.9, 7), (0.9, 7), (0.9, 7), leaving=1)) == [2]


def test_a_wanted_number_that_is_not_reached_is_kept_as_upstream() -> None:
    run = wva()
    assert run.tick(FULL) == [4]
    assert [run.tick(FULL, after_seconds=30.0) for _ in range(3)] == [[4]] * 3, "not one more each time"
    assert run.reason == "InTransition"
    assert run.tick(pods(*[(0.9, 7)] * 4), after_seconds=30.0) == [5]


def test_without_metrics_the_last_wanted_number_stays() -> None:
    run = wva()
    assert run.tick(pods(None, None)) == [2], "nothing was wanted yet"
    run.tick(FULL, after_seconds=30.0)
    assert run.tick(pods(None, None), after_seconds=30.0) == [4]
    assert run.reason == "NoMetrics"


def test_a_pod_with_one_of_both_metrics_does_not_report() -> None:
    half = Service(ready=1, answers={Quantity.BUSY_SECONDS: 0.9})
    assert wva().tick(half) == [1]


# --- cadence and actuation


def test_runs_every_30_seconds() -> None:
    run = wva()
    run.tick(IDLE)
    assert run.tick(FULL) == [2]
    run = wva()
    run.tick(pods((0.5, 0), (0.5, 0), (0.5, 0)))
    assert [run.tick(FULL), run.tick(FULL)] == [[3], [4]]


def test_metrics_are_peaks_of_a_minute() -> None:
    assert Wva().queries == (
        Query(Quantity.BUSY_SECONDS, Over.RATE, 60.0),
        Query(Quantity.PENDING, Over.MAXIMUM, 60.0),
    )


def test_charts_hpa_waits_240_seconds_in_both_directions() -> None:
    for service, expected in ((FULL, 4), (IDLE, 2)):
        run = Run(Wva())
        ticks = [run.tick(service)[0] for _ in range(17)]
        assert ticks == [3] * 16 + [expected]


def test_hpas_tolerance_swallows_one_more_than_ten() -> None:
    nine, ten = pods(*[(0.9, 7)] * 9), pods(*[(0.9, 7)] * 10)
    assert Run(Wva(actuation=Actuation.HPA, behavior=FREE)).tick(nine) == [10]
    run = Run(Wva(actuation=Actuation.HPA, behavior=FREE))
    assert [run.tick(ten, after_seconds=30.0) for _ in range(20)] == [[10]] * 20
    assert wva().tick(ten) == [11]
    assert Run(Wva(behavior=FREE, tolerance=0.0)).tick(ten) == [11]


def test_bounds_hold() -> None:
    for actuation in Actuation:
        run = Run(Wva(actuation=actuation, behavior=FREE))
        assert run.tick(replace(FULL, maximum=3)) == [3]
        run = Run(Wva(actuation=actuation, behavior=FREE))
        assert run.tick(replace(IDLE, minimum=3)) == [3]
    assert wva().tick(replace(FULL, paused=True)) == [3]


def test_rules_are_numbered_after_those_of_the_hpa() -> None:
    assert [int(rule) for rule in WvaRule] == list(range(len(HpaRule), len(HpaRule) + len(WvaRule)))


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match=r"utilisation_spare_trigger must be within \[0.0, 0.8\], not 0.9"):
        Wva(utilisation_spare_trigger=0.9)


@pytest.mark.parametrize("actuation", list(Actuation))
def test_no_service_looks_at_another(actuation: Actuation) -> None:
    check_rows_are_independent(lambda _: Wva(actuation=actuation, behavior=FREE), seed=len(actuation))
