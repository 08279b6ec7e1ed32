"""AWS-style predictive scaling over target tracking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.aws import Aws
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

HOUR = 3600.0
FULL_HOUR = NOW - NOW % HOUR


def aws(*hours: float, at_seconds: float = FULL_HOUR, predictive: bool = True, **knobs: Any) -> Run:
    """Ten requests a second a replica; so many requests a second in each hour before."""
    policy = Aws(
        **{
            "profile": profile_of_saturation(20.0),
            "target_utilisation": 0.5,
            "predictive": predictive,
            "warmup_seconds": 0.0,
            **knobs,
        }
    )
    begun = past([*hours], step_seconds=HOUR, end_seconds=at_seconds) if hours else past(services=1)
    return Run(policy, memory=policy.start(begun), now_seconds=at_seconds)


def serving(replicas: int, total_rps: float, **others: Any) -> Service:
    return Service(ready=replicas, answers={Quantity.SUCCESS: Total(total_rps)}, **others)


def minutes(run: Run, count: int, service: Service) -> list[int]:
    return [run.tick(service)[0] for _ in range(count)]


def tracking(**knobs: Any) -> Run:
    return aws(predictive=False, **knobs)


# --- target tracking


def test_scale_out_after_three_minutes_above_the_target_in_proportion() -> None:
    run = tracking()
    assert minutes(run, 3, serving(4, 75.0)) == [4, 4, 8]
    assert run.reason == "AlarmHigh"


def test_a_minute_at_the_target_ends_the_alarm() -> None:
    run = tracking()
    assert minutes(run, 2, serving(4, 75.0)) == [4, 4]
    assert minutes(run, 1, serving(4, 40.0)) == [4]
    assert minutes(run, 3, serving(4, 75.0)) == [4, 4, 8]


def test_replicas_that_warm_up_count_as_capacity() -> None:
    run = tracking()
    assert minutes(run, 4, serving(4, 75.0, starting=4)) == [8, 8, 8, 8], "eight are enough for 75"
    assert minutes(run, 1, serving(4, 95.0, starting=4)) == [10], "for 95 they are not"


def test_scale_in_after_fifteen_minutes_below_90_percent_of_the_target_rounded_for_safety() -> None:
    run = tracking()
    assert minutes(run, 15, serving(8, 41.0)) == [8] * 14 + [5]
    assert run.reason == "AlarmLow"


def test_between_90_and_100_percent_of_the_target_nothing_happens() -> None:
    assert minutes(tracking(), 40, serving(40, 365.0)) == [40] * 40, "37 would do"


def test_scale_in_waits_until_new_replicas_are_warm() -> None:
    run = tracking(warmup_seconds=300.0)
    fresh = Service(ready=8, ready_age_seconds=[900.0] * 7 + [100.0], answers={Quantity.SUCCESS: Total(40.0)})
    assert minutes(run, 20, fresh) == [8] * 20
    assert run.reason == "Cooldown"
    assert minutes(run, 1, serving(8, 40.0)) == [4]


def test_scale_in_waits_five_minutes_after_the_last_one() -> None:
    run = tracking()
    assert minutes(run, 15, serving(8, 60.0))[-1] == 6
    assert minutes(run, 6, serving(6, 30.0)) == [6, 6, 6, 6, 3, 6], "and again"


def test_insufficient_data_scales_nothing_and_is_no_low_load() -> None:
    run = tracking()
    assert minutes(run, 30, Service(ready=6)) == [6] * 30
    assert run.reason == "InsufficientData"


# --- prediction


def test_the_forecast_is_hourly_and_raises_capacity_at_the_start_of_the_hour() -> None:
    run = aws(*[10.0] * 24, forecaster=Foreseen([10.0, 65.0, 10.0]), buffer_seconds=0.0)
    service = serving(1, 10.0)
    assert run.tick(service) == [1]
    assert run.tick(service, after_seconds=HOUR - 60.0) == [1]
    assert run.tick(service, after_seconds=60.0) == [7]
    assert run.reason == "Forecast"


def test_the_buffer_launches_capacity_five_minutes_early() -> None:
    run = aws(*[10.0] * 24, forecaster=Foreseen([10.0, 65.0, 10.0]))
    service = serving(1, 10.0)
    assert run.tick(service) == [1]
    assert run.tick(service, after_seconds=HOUR - 301.0) == [1]
    assert run.tick(service, after_seconds=1.0) == [7]


def test_the_forecast_never_takes_away() -> None:
    run = aws(*[10.0] * 24, forecaster=Foreseen([10.0]))
    assert run.tick(serving(6, 58.0)) == [6]


def test_while_the_hour_lasts_nothing_falls_below_its_forecast() -> None:
    run = aws(*[10.0] * 24, forecaster=Foreseen([65.0]))
    assert minutes(run, 20, serving(7, 10.0)) == [7] * 20
    assert run.tick(serving(3, 10.0)) == [7], "and it comes back"


def test_several_policies_take_the_largest() -> None:
    run = aws(*[10.0] * 24, forecaster=Foreseen([65.0]))
    assert minutes(run, 3, serving(7, 95.0)) == [7, 7, 10]


def test_a_day_of_history_is_needed() -> None:
    assert aws(*[10.0] * 23, forecaster=Foreseen([65.0])).tick(serving(1, 8.0)) == [1]
    assert aws(*[10.0] * 24, forecaster=Foreseen([65.0])).tick(serving(1, 8.0)) == [7]


def test_at_most_fourteen_days_of_history_are_kept() -> None:
    assert aws(*[10.0] * (20 * 24)).memory.foresight.history.steps == 14 * 24


def test_the_forecast_is_made_anew_every_six_hours() -> None:
    run = aws(*[10.0] * 24, forecaster=Foreseen([10.0]))
    made = []
    for _ in range(14):
        run.tick(serving(1, 9.0), after_seconds=HOUR)
        made.append(run.memory.forecast_from_seconds)
    assert [int((at - FULL_HOUR) // HOUR) for at in made] == [0] * 6 + [6] * 6 + [12] * 2


def test_the_forecast_reaches_48_hours() -> None:
    run = aws(*[10.0] * 24)
    run.tick(serving(1, 9.0))
    assert run.memory.forecast.shape == (1, 48)


def test_an_hour_of_minutes_becomes_the_mean_of_the_hour() -> None:
    run = aws(*[10.0] * 24)
    run.tick(serving(1, 4.0))
    for minute in range(60):
        run.tick(serving(1, 4.0 if minute < 30 else 8.0))
    assert run.memory.foresight.history.value[0, -1] == pytest.approx((31 * 4.0 + 30 * 8.0) / 61.0)


def test_its_own_forecaster_foresees_the_daily_peak() -> None:
    day = np.full(24, 10.0)
    day[9] = 85.0
    days = np.tile(day, 3)
    midnight = NOW - NOW % 86_400.0
    run = aws(*days, at_seconds=midnight)
    service = serving(1, 9.0)
    run.tick(service)
    assert run.tick(service, after_seconds=8.5 * HOUR) == [1]
    assert run.tick(service, after_seconds=0.45 * HOUR) == [9]


def test_it_stays_within_the_bounds() -> None:
    run = aws(*[10.0] * 24, forecaster=Foreseen([900.0]))
    assert run.tick(serving(3, 9.0, maximum=5)) == [5]
    low = tracking()
    assert minutes(low, 15, serving(4, 0.0, minimum=2))[-1] == 2


# --- seam


def test_it_asks_for_the_rate_of_a_minute_each_minute() -> None:
    policy = Aws(profile=profile())
    assert policy.queries == (Query(Quantity.ARRIVED, Over.RATE, 60.0),)
    assert policy.tick_seconds == 60.0


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_independent(seed: int) -> None:
    check_rows_are_independent(lambda profile: Aws(profile=profile, high_periods=2, low_periods=2), seed=seed, ticks=10)


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("target_utilisation", 0.0),
        ("buffer_seconds", 3601.0),
        ("warmup_seconds", -1.0),
        ("scale_in_cooldown_seconds", -1.0),
        ("high_periods", 0),
        ("low_periods", 0),
    ],
)
def test_knobs_outside_their_range_are_refused_by_name(knob: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{knob} must be within"):
        aws(**{knob: value})
