"""PHPA: forecasts of replicas, the decision between them and the HPA's own number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.scaling.policy import Quantity
from foretide.simulate.peers.hpa_metrics import HpaMetric, Signal
from foretide.simulate.peers.phpa import Decision, Model, Phpa, decide_between
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


def phpa(*demand: list[float | None], step_seconds: float = 15.0, **knobs: Any) -> Run:
    """A replica for each ten requests a second; a season is four sync periods."""
    policy = Phpa(
        **{
            "profile": profile_of_saturation(100.0),
            "metric": HpaMetric(target=0.1),
            "season_steps": 4,
            **knobs,
        }
    )
    return Run(policy, memory=policy.start(past(*demand, step_seconds=step_seconds, services=1)))


def serving(replicas: int, total_rps: float, **others: Any) -> Service:
    return Service(ready=replicas, answers={Quantity.SUCCESS: Total(total_rps)}, **others)


# --- the HPA's own number


def test_without_enough_history_it_is_the_hpa() -> None:
    run = phpa()
    assert run.tick(serving(2, 38.0)) == [4]
    assert run.reason == "Calculated"


def test_the_number_is_kept_within_the_tolerance() -> None:
    assert phpa().tick(serving(4, 43.0)) == [4], "7.5 % above target"


def test_a_failed_metric_changes_nothing() -> None:
    run = phpa()
    assert run.tick(Service(ready=3)) == [3]
    assert run.reason == "FailedGetMetrics"


# --- the models


def test_linear_extends_the_line_through_the_last_numbers() -> None:
    run = phpa(models=(Model.LINEAR,), history_size=4, look_ahead_seconds=30.0)
    found = [run.tick(serving(replicas, 10.0 * replicas))[0] for replicas in (2, 3, 4, 5)]
    # One more replica each 15 s: at 30 s from now two more than now.
    assert found[-1] == 7
    assert run.reason == "Predicted"


def test_linear_forgets_all_but_its_history_size() -> None:
    run = phpa(models=(Model.LINEAR,), history_size=2, look_ahead_seconds=15.0)
    found = [run.tick(serving(replicas, 10.0 * replicas))[0] for replicas in (9, 2, 3)]
    assert found[-1] == 4, "the line through 2 and 3"


def test_linear_of_one_number_is_that_number() -> None:
    assert phpa(models=(Model.LINEAR,)).tick(serving(2, 30.0)) == [3]


def test_holt_winters_needs_two_seasons_of_its_own_numbers() -> None:
    run = phpa()
    reasons = []
    for step in range(10):
        rate = (10.0, 30.0, 10.0, 10.0)[step % 4]
        run.tick(serving(1, rate))
        reasons.append(bool(run.memory.seasoned[0]))
    assert reasons == [False] * 7 + [True] * 3


def test_holt_winters_foresees_the_season() -> None:
    pattern: list[float | None] = [10.0, 10.0, 50.0, 10.0]
    run = phpa(pattern * 4)
    # The next values are 10, 10, then 50: at the second tick five replicas are foreseen.
    assert run.tick(serving(1, 10.0)) == [1]
    assert run.tick(serving(2, 10.0)) == [4], "five, but at most four from two"
    assert run.tick(serving(4, 50.0)) == [5]


def test_the_past_counts_as_the_replicas_that_it_would_have_asked_for() -> None:
    run = phpa([8.0, 12.0, 38.0, 41.0, 8.0, 12.0, 38.0, 41.0])
    assert run.memory.calculated.tolist() == [[1, 2, 4, 5, 1, 2, 4, 5]]
    assert run.memory.seasoned.tolist() == [True]


def test_a_metric_that_is_no_rate_of_requests_begins_without_a_past() -> None:
    run = phpa([50.0] * 20, metric=HpaMetric(signal=Signal.PENDING, target=4.0))
    assert not run.memory.seasoned.any()
    assert run.memory.count.tolist() == [0]


def test_coefficients_are_those_of_its_examples() -> None:
    policy = Phpa(profile=profile())
    assert (policy.alpha, policy.beta, policy.gamma, policy.stored_seasons) == (0.9, 0.9, 0.9, 4)
    assert (policy.history_size, policy.look_ahead_seconds) == (6, 10.0)


# --- the decision


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (Decision.MAXIMUM, [9, 4, 3]),
        (Decision.MINIMUM, [2, 3, 3]),
        (Decision.MEAN, [5, 4, 3]),  # 14 / 3, 3.5 and 3 / 1, rounded
        (Decision.MEDIAN, [3, 3, 3]),  # of two the mean, without its half
    ],
)
def test_decision(decision: Decision, expected: list[int]) -> None:
    numbers = np.array([[3.0, 2.0, 9.0], [3.0, 4.0, np.nan], [3.0, np.nan, np.nan]])
    assert decide_between(numbers, decision).tolist() == expected


def test_several_models_are_decided_between_with_the_number_of_the_hpa() -> None:
    run = phpa([10.0] * 16, models=(Model.LINEAR, Model.HOLT_WINTERS), decision=Decision.MINIMUM)
    assert run.tick(serving(1, 40.0)) == [3], "the line through 1, 1, 1, 1, 1 and 4 is at 2.9 in ten seconds"


# --- speed


def test_fewer_only_after_five_minutes_without_a_higher_target() -> None:
    run = phpa(season_steps=1000)
    run.tick(serving(4, 40.0))
    found = [run.tick(serving(4, 10.0))[0] for _ in range(21)]
    assert found[:19] == [4] * 19
    assert found[19:] == [1, 1]


def test_at_most_twice_the_replicas_but_four_at_once() -> None:
    assert phpa().tick(serving(1, 900.0)) == [4]
    run = phpa()
    assert run.tick(serving(5, 900.0)) == [10]
    assert run.reason == "ScaleUpLimit"


def test_it_stays_within_the_bounds() -> None:
    assert phpa().tick(serving(3, 900.0, maximum=5)) == [5]
    run = phpa()
    assert run.tick(serving(3, 0.0, minimum=2)) == [2], "nothing higher was asked for"
    assert run.reason == "Bound"


# --- seam


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_independent(seed: int) -> None:
    models = (Model.LINEAR, Model.HOLT_WINTERS)
    check_rows_are_independent(
        lambda profile: Phpa(profile=profile, models=models, season_steps=40, decision=Decision.MEDIAN),
        seed=seed,
        ticks=8,
    )


def test_services_begin_their_smoothing_when_each_has_two_seasons() -> None:
    policy = Phpa(profile=profile_of_saturation(100.0, 100.0), metric=HpaMetric(target=0.1), season_steps=4)
    begun = past([10.0, 30.0] * 4, [None, None, None, 20.0, 10.0, 30.0, 10.0, 30.0], step_seconds=15.0, end_seconds=NOW)
    run = Run(policy, memory=policy.start(begun))
    seasoned = []
    for _ in range(4):
        run.tick(serving(2, 20.0), serving(2, 20.0))
        seasoned.append(run.memory.seasoned.tolist())
    assert seasoned == [[True, False], [True, False], [True, True], [True, True]]


@pytest.mark.parametrize(
    ("knob", "value"),
    [("alpha", 1.1), ("beta", -0.1), ("gamma", 2.0), ("season_steps", 1), ("stored_seasons", 1), ("history_size", 0)],
)
def test_knobs_outside_their_range_are_refused_by_name(knob: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{knob} must be within"):
        phpa(**{knob: value})


def test_a_phpa_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="models must hold at least one model"):
        phpa(models=())
