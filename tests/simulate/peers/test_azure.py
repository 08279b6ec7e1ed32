"""Azure-style predictive autoscale over threshold rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.azure import Azure
from tests.simulate.peers.forecasts import Foreseen
from tests.simulate.peers.observations import (
    NOW,
    Run,
    Service,
    Total,
    check_rows_are_independent,
    past,
    profile,
    profile_of_saturation,
)

WEEK = 7 * 288  # steps of five minutes


def azure(rate: float = 10.0, *, foreseen: float = 0.0, history: int = WEEK, **knobs: Any) -> Run:
    """Ten requests a second saturate a replica."""
    policy = Azure(**{"profile": profile_of_saturation(10.0), "forecaster": Foreseen([foreseen]), **knobs})
    begun = past([rate] * history, step_seconds=300.0, services=1)
    return Run(policy, memory=policy.start(begun))


def serving(replicas: int, total_rps: float, **others: Any) -> Service:
    return Service(ready=replicas, answers={Quantity.SUCCESS: Total(total_rps)}, **others)


# --- rules


def test_above_the_scale_out_threshold_one_more() -> None:
    run = azure()
    assert run.tick(serving(4, 29.0)) == [5], "72.5 %"
    assert run.reason == "ScaleOut"
    assert azure().tick(serving(4, 28.0)) == [4], "70 % is not above 70 %"


def test_below_the_scale_in_threshold_one_less() -> None:
    run = azure()
    assert run.tick(serving(4, 11.0)) == [3], "27.5 %"
    assert run.reason == "ScaleIn"
    assert azure().tick(serving(4, 12.0)) == [4]


def test_five_minutes_pass_between_two_actions() -> None:
    run = azure()
    assert [run.tick(serving(4, 39.0))[0] for _ in range(7)] == [5, 4, 4, 4, 4, 5, 4]
    assert run.reason == "Cooldown"


def test_the_change_may_be_a_share_of_the_replicas() -> None:
    assert azure(change_percent=50.0).tick(serving(5, 49.0)) == [8]
    assert azure(change_count=2).tick(serving(5, 49.0)) == [7]


def test_scaling_in_is_left_out_where_it_would_cause_scaling_out() -> None:
    # Two replicas at 28 %: one would be at 56 %. With thresholds of 50 % and 30 % that flaps.
    run = azure(scale_out_threshold=0.5)
    assert run.tick(serving(2, 5.6)) == [2]
    assert run.reason == "Flapping"
    assert azure(scale_out_threshold=0.6).tick(serving(2, 5.6)) == [1]


def test_an_unknown_load_changes_nothing() -> None:
    run = azure()
    assert run.tick(Service(ready=4)) == [4]
    assert run.reason == "Unknown"


# --- prediction


def test_a_predicted_load_above_the_threshold_scales_out_by_the_rule() -> None:
    run = azure(foreseen=60.0)
    assert run.tick(serving(4, 20.0)) == [5], "60 requests a second would be 150 % of four"
    assert run.reason == "Predicted"
    assert azure(foreseen=60.0, predictive=False).tick(serving(4, 20.0)) == [4]


def test_prediction_goes_on_until_the_predicted_load_fits() -> None:
    run = azure(foreseen=60.0)
    found = []
    replicas = 4
    for _ in range(40):
        replicas = run.tick(serving(replicas, 20.0))[0]
        found.append(replicas)
    assert max(found) == 9, "60 / 90 is below 70 %"
    assert found[-1] == 9


def test_prediction_never_scales_in_and_keeps_the_rules_from_it() -> None:
    assert azure(foreseen=1.0).tick(serving(4, 20.0)) == [4]
    run = azure(foreseen=22.0)
    assert run.tick(serving(4, 8.0)) == [4], "20 % now, but three replicas would be at 73 %"
    assert run.reason == "Flapping"


def test_seven_days_of_history_are_needed() -> None:
    assert azure(foreseen=60.0, history=WEEK - 1).tick(serving(4, 20.0)) == [4]


def test_fifteen_days_of_history_are_kept() -> None:
    assert azure(history=16 * 288).memory.foresight.history.steps == 15 * 288


def test_the_largest_load_within_the_look_ahead_counts() -> None:
    policy = Azure(
        profile=profile_of_saturation(10.0), forecaster=Foreseen([10.0, 10.0, 60.0, 10.0]), look_ahead_seconds=600.0
    )
    near = Run(policy, memory=policy.start(past([10.0] * WEEK, step_seconds=300.0)))
    assert near.tick(serving(4, 20.0)) == [4], "the peak is 15 minutes away"
    far = azure(look_ahead_seconds=900.0, forecaster=Foreseen([10.0, 10.0, 60.0, 10.0]))
    assert far.tick(serving(4, 20.0)) == [5]


def test_its_own_forecaster_knows_the_weekly_pattern() -> None:
    week = np.full(WEEK, 10.0)
    week[6:9] = 60.0  # half an hour after the week begins
    policy = Azure(profile=profile_of_saturation(10.0), look_ahead_seconds=1800.0)
    run = Run(policy, memory=policy.start(past([*week, *week], step_seconds=300.0, end_seconds=NOW)))
    assert run.tick(serving(4, 16.0)) == [4]
    assert run.tick(serving(4, 16.0), after_seconds=300.0) == [5]
    assert run.reason == "Predicted"


def test_it_stays_within_the_bounds() -> None:
    assert azure().tick(serving(4, 39.0, maximum=4)) == [4]
    assert azure().tick(serving(4, 0.0, minimum=4)) == [4]


# --- seam


def test_it_asks_for_the_averages_of_ten_and_of_five_minutes() -> None:
    assert set(Azure(profile=profile()).queries) == {
        Query(Quantity.SUCCESS, Over.RATE, 600.0),
        Query(Quantity.SUCCESS, Over.RATE, 300.0),
    }


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_independent(seed: int) -> None:
    check_rows_are_independent(
        lambda profile: Azure(profile=profile, scale_in_threshold=0.6, change_percent=30.0), seed=seed, ticks=10
    )


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("scale_out_threshold", 0.0),
        ("scale_in_threshold", 0.71),
        ("change_count", 0),
        ("change_percent", -1.0),
        ("duration_seconds", 0.0),
        ("cooldown_seconds", 0.0),
        ("look_ahead_seconds", 3601.0),
        ("tick_seconds", 0.0),
    ],
)
def test_knobs_outside_their_range_are_refused_by_name(knob: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{knob} must be within"):
        azure(**{knob: value})
