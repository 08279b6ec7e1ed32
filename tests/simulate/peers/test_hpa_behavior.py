"""Stabilisation windows and rate policies of the HPA."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.scaling.policy import Quantity
from foretide.simulate.peers.history import History
from foretide.simulate.peers.hpa import Hpa
from foretide.simulate.peers.hpa_behavior import (
    SCALE_UP,
    Behavior,
    PolicyType,
    RatePolicy,
    ScalingRules,
    SelectPolicy,
    normalize,
)
from foretide.simulate.peers.hpa_metrics import HpaMetric
from tests.simulate.peers.observations import NOW, Run, Service, Total, profile_of_saturation

PODS, PERCENT = PolicyType.PODS, PolicyType.PERCENT
DEFAULT = Behavior()


def rules(*policies: RatePolicy, window_seconds: float = 0.0, select: SelectPolicy = SelectPolicy.MAX) -> ScalingRules:
    return ScalingRules(stabilization_window_seconds=window_seconds, policies=policies, select_policy=select)


def history(*records: tuple[int, float]) -> History:
    """Of (number, age in seconds)."""
    return History(
        at_seconds=np.array([[NOW - age for _, age in records]]),
        value=np.array([[value for value, _ in records]], dtype=np.int64),
    )


def normalized(
    recommended: int,
    *,
    current: int,
    behavior: Behavior | None,
    recommendations: History | None = None,
    scale_events: History | None = None,
    maximum: int = 1000,
) -> int:
    found = normalize(
        np.array([recommended]),
        current=np.array([current]),
        minimum=np.array([1]),
        maximum=np.array([maximum]),
        recommendations=recommendations or History.empty(1),
        scale_events=scale_events or History.empty(1),
        behavior=behavior,
        now_seconds=NOW,
    )
    return int(found.desired[0])


def up(
    *policies: RatePolicy, current: int, events: History | None = None, select: SelectPolicy = SelectPolicy.MAX
) -> int:
    """How far a very large recommendation gets."""
    behavior = Behavior(scale_up=rules(*policies, select=select))
    return normalized(900, current=current, behavior=behavior, scale_events=events)


def down(
    *policies: RatePolicy, current: int, events: History | None = None, select: SelectPolicy = SelectPolicy.MAX
) -> int:
    behavior = Behavior(scale_down=rules(*policies, select=select))
    return normalized(1, current=current, behavior=behavior, scale_events=events)


def hpa(behavior: Behavior = DEFAULT) -> Run:
    """A tenth of the total is what it recommends."""
    return Run(Hpa(profile=profile_of_saturation(100.0), metrics=(HpaMetric(target=0.1),), behavior=behavior))


def asking(replicas: int, *, for_replicas: int) -> Service:
    return Service(ready=replicas, answers={Quantity.SUCCESS: Total(10.0 * for_replicas)})


# --- defaults


def test_default_up_is_four_pods_or_double_whichever_is_more() -> None:
    assert [hpa().tick(asking(replicas, for_replicas=90)) for replicas in (1, 3, 4, 10)] == [[5], [7], [8], [20]]


def test_default_up_holds_for_each_15_seconds() -> None:
    run = hpa()
    assert run.tick(asking(1, for_replicas=90)) == [5]
    assert run.tick(asking(5, for_replicas=90), after_seconds=10.0) == [5], "4 were added within the period"
    assert run.reason == "ScaleUpLimit"
    assert run.tick(asking(5, for_replicas=90), after_seconds=5.0) == [10]


def test_default_up_does_not_wait() -> None:
    run = hpa()
    run.tick(asking(4, for_replicas=1))
    assert run.tick(asking(4, for_replicas=6)) == [6]


def test_default_down_waits_until_the_largest_recommendation_is_300_seconds_old() -> None:
    run = hpa()
    run.tick(asking(8, for_replicas=8))
    after = [run.tick(asking(8, for_replicas=3)) for _ in range(20)]
    assert after == [[8]] * 19 + [[3]]


def test_default_down_goes_to_the_largest_recommendation_of_the_window() -> None:
    run = hpa()
    run.tick(asking(8, for_replicas=8))
    run.tick(asking(8, for_replicas=5), after_seconds=150.0)
    assert run.tick(asking(8, for_replicas=2), after_seconds=150.0) == [5]
    assert run.reason == "ScaleDownStabilized"


def test_default_down_has_no_rate_limit() -> None:
    run = hpa()
    run.tick(asking(50, for_replicas=50))
    assert run.tick(asking(50, for_replicas=1), after_seconds=300.0) == [1]


def test_new_controller_recommends_the_present_number_first() -> None:
    run = hpa()
    assert run.tick(asking(5, for_replicas=1)) == [5]
    assert run.tick(asking(5, for_replicas=1), after_seconds=299.0) == [5]
    assert run.tick(asking(5, for_replicas=1), after_seconds=1.0) == [1]


def test_failed_metrics_leave_no_recommendation() -> None:
    run = hpa(Behavior(scale_up=rules(RatePolicy(PODS, 100, 15.0), window_seconds=60.0)))
    run.tick(asking(5, for_replicas=5))
    assert run.tick(Service(ready=5), after_seconds=30.0) == [5]
    run.tick(asking(5, for_replicas=9), after_seconds=15.0)
    assert run.tick(asking(5, for_replicas=9), after_seconds=15.0) == [9]


def test_going_to_a_bound_leaves_no_recommendation() -> None:
    run = hpa()
    assert run.tick(Service(ready=1, minimum=3, answers={Quantity.SUCCESS: Total(90.0)})) == [3]
    assert run.tick(asking(5, for_replicas=4)) == [4]


# --- stabilisation


def test_up_window_takes_the_smallest_recommendation() -> None:
    behavior = Behavior(
        scale_up=rules(RatePolicy(PODS, 100, 15.0), window_seconds=300.0),
        scale_down=rules(RatePolicy(PERCENT, 100, 15.0), window_seconds=600.0),
    )
    recent = history((8, 120.0), (7, 240.0))
    assert normalized(10, current=5, behavior=behavior, recommendations=recent) == 7


def test_down_window_takes_the_largest_recommendation() -> None:
    behavior = Behavior(
        scale_up=rules(RatePolicy(PODS, 100, 15.0), window_seconds=300.0),
        scale_down=rules(RatePolicy(PERCENT, 100, 15.0), window_seconds=600.0),
    )
    recent = history((5, 300.0), (4, 480.0))
    assert normalized(3, current=8, behavior=behavior, recommendations=recent) == 5


def test_a_recommendation_as_old_as_the_window_no_longer_counts() -> None:
    assert normalized(3, current=8, behavior=Behavior(), recommendations=history((6, 299.0))) == 6
    assert normalized(3, current=8, behavior=Behavior(), recommendations=history((6, 300.0))) == 3


def test_between_both_windows_the_present_number_stays() -> None:
    recent = history((4, 60.0), (12, 30.0))
    behavior = Behavior(scale_up=rules(RatePolicy(PODS, 100, 15.0), window_seconds=120.0))
    assert normalized(9, current=7, behavior=behavior, recommendations=recent) == 7


# --- rates


def test_rate_policies_count_from_the_start_of_their_period() -> None:
    assert up(RatePolicy(PODS, 4, 60.0), current=5) == 9
    assert up(RatePolicy(PODS, 4, 60.0), current=5, events=history((2, 30.0))) == 7
    assert down(RatePolicy(PERCENT, 20, 60.0), current=10) == 8
    assert down(RatePolicy(PERCENT, 20, 60.0), current=10, events=history((-1, 30.0))) == 8
    assert down(RatePolicy(PODS, 3, 60.0), current=10, events=history((-1, 30.0))) == 8


def test_the_other_directions_changes_count_too() -> None:
    # 5 now, 2 taken away within the minute: it began with 7
    assert up(RatePolicy(PODS, 4, 60.0), current=5, events=history((-2, 30.0))) == 11
    assert down(RatePolicy(PODS, 4, 60.0), current=9, events=history((2, 30.0))) == 3


def test_changes_before_the_period_do_not_count() -> None:
    assert up(RatePolicy(PODS, 4, 60.0), current=5, events=history((2, 60.0))) == 9
    assert up(RatePolicy(PODS, 4, 60.0), current=8, events=history((3, 30.0), (2, 45.0), (1, 70.0))) == 8


def test_per_cent_is_rounded_up_to_grow_and_towards_fewer_to_shrink() -> None:
    assert up(RatePolicy(PERCENT, 10, 60.0), current=3) == 4
    assert up(RatePolicy(PERCENT, 50, 60.0), current=10) == 15
    assert down(RatePolicy(PERCENT, 10, 60.0), current=3) == 2


def test_max_selects_the_policy_of_the_largest_change() -> None:
    assert up(RatePolicy(PODS, 4, 60.0), RatePolicy(PODS, 2, 60.0), current=5) == 9
    assert down(RatePolicy(PERCENT, 10, 60.0), RatePolicy(PODS, 5, 60.0), current=100) == 90


def test_min_selects_the_policy_of_the_smallest_change() -> None:
    assert up(RatePolicy(PODS, 4, 60.0), RatePolicy(PODS, 2, 60.0), current=5, select=SelectPolicy.MIN) == 7
    assert down(RatePolicy(PERCENT, 10, 60.0), RatePolicy(PODS, 15, 60.0), current=100, select=SelectPolicy.MIN) == 90


def test_disabled_never_moves_in_that_direction() -> None:
    assert up(RatePolicy(PODS, 4, 60.0), current=5, select=SelectPolicy.DISABLED) == 5
    assert down(RatePolicy(PODS, 4, 60.0), current=5, select=SelectPolicy.DISABLED) == 5
    assert down(RatePolicy(PODS, 4, 60.0), current=5) == 1


def test_used_up_rate_never_turns_the_direction() -> None:
    assert up(RatePolicy(PODS, 2, 60.0), current=9, events=history((6, 30.0))) == 9
    assert down(RatePolicy(PODS, 2, 60.0), current=3, events=history((-6, 30.0))) == 3


def test_rates_never_leave_the_bounds() -> None:
    behavior = Behavior(scale_up=rules(RatePolicy(PERCENT, 200, 60.0)))
    assert normalized(12, current=8, behavior=behavior, maximum=10) == 10


def test_going_to_a_bound_is_a_scale_event_like_any_other() -> None:
    run = hpa(Behavior(scale_up=rules(RatePolicy(PODS, 3, 60.0))))
    below = Service(ready=1, minimum=3, answers={Quantity.SUCCESS: Total(10.0)})
    assert run.tick(below) == [3]
    assert run.tick(asking(3, for_replicas=9)) == [4], "two of three were added within the minute"


# --- a manifest without `behavior`


@pytest.mark.parametrize(("current", "most"), [(1, 4), (10, 20), (100, 200)])
def test_without_behavior_it_doubles_or_goes_to_four(current: int, most: int) -> None:
    assert normalized(900, current=current, behavior=None) == most


def test_without_behavior_it_shrinks_to_the_largest_recommendation_of_300_seconds() -> None:
    assert normalized(3, current=5, behavior=None, recommendations=history((4, 60.0))) == 4
    assert normalized(3, current=5, behavior=None, recommendations=history((4, 300.0))) == 4
    assert normalized(3, current=5, behavior=None, recommendations=history((4, 301.0))) == 3


def test_without_behavior_an_old_peak_still_grows_what_it_could_not_before() -> None:
    peak = history((10, 15.0))
    assert normalized(4, current=8, behavior=None, recommendations=peak) == 10
    assert normalized(4, current=8, behavior=Behavior(), recommendations=peak) == 8


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match=r"stabilization_window_seconds must be within \[0, 3600\], not 3601"):
        rules(RatePolicy(PODS, 1, 15.0), window_seconds=3601)
    with pytest.raises(ValueError, match="period_seconds must be within"):
        RatePolicy(PODS, 1, 1801.0)
    with pytest.raises(ValueError, match="value must be within"):
        RatePolicy(PODS, 0, 15.0)
    with pytest.raises(ValueError, match="policies must hold at least one"):
        rules()
    assert SCALE_UP.longest_period_seconds == 15.0
