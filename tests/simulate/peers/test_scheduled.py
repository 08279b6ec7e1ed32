"""Replicas by the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from foretide.scaling.policy import Past
from foretide.simulate.peers.scheduled import Scheduled
from tests.simulate.peers.observations import Run, Service, check_rows_are_independent, past, profile_of_saturation

MONDAY = datetime(2025, 11, 3, tzinfo=UTC).timestamp()
DAY, HOUR = 86400.0, 3600.0


def scheduled(**knobs: Any) -> Scheduled:
    """A replica for each 100 requests a second, no margin."""
    return Scheduled(**{"profile": profile_of_saturation(100.0), "target_utilisation": 1.0, "margin": 0.0, **knobs})


def days(*hours: Sequence[float | None], step_seconds: float = HOUR, begins: float = MONDAY) -> Past:
    """Days that begin on a Monday; each a list of demands a step."""
    demand = [value for day in hours for value in day]
    return past(demand, step_seconds=step_seconds, end_seconds=begins + step_seconds * len(demand))


def day(busy_hour: int, peak: float, *, otherwise: float = 100.0) -> list[float | None]:
    return [peak if hour == busy_hour else otherwise for hour in range(24)]


def at(policy: Scheduled, known: Past, seconds: float, service: Service | None = None) -> int:
    """Replicas at a time, counted from the Monday."""
    run = Run(policy, memory=policy.start(known), now_seconds=MONDAY + seconds)
    return run.tick(service or Service(ready=2))[0]


def test_each_hour_has_the_peak_of_that_hour() -> None:
    known = days(day(9, 700.0))
    replicas = [at(scheduled(), known, 7 * DAY + hour * HOUR) for hour in range(24)]
    assert replicas == [1] * 9 + [7] + [1] * 14


def test_the_largest_day_counts() -> None:
    known = days(day(9, 700.0), day(9, 900.0), day(9, 800.0))
    assert at(scheduled(), known, 7 * DAY + 9 * HOUR) == 9


def test_finer_steps_give_the_peak_within_the_hour() -> None:
    quarter_hours: list[float | None] = [100.0] * 96
    quarter_hours[9 * 4 + 2] = 700.0
    known = days(quarter_hours, step_seconds=900.0)
    assert at(scheduled(), known, DAY + 9 * HOUR) == 7
    assert at(scheduled(), known, DAY + 8 * HOUR) == 1


def test_a_coarse_step_counts_for_each_hour_that_it_touches() -> None:
    # Steps of 90 minutes from midnight; the second, 1:30 to 3:00, touches the hours 1 and 2
    known = days([100.0, 700.0] + [100.0] * 14, step_seconds=1.5 * HOUR)
    assert [at(scheduled(), known, DAY + hour * HOUR) for hour in range(5)] == [1, 7, 7, 1, 1]


def test_margin_and_target_share_add_replicas() -> None:
    known = days(day(9, 700.0))
    assert at(scheduled(margin=0.1), known, DAY + 9 * HOUR) == 8
    assert at(scheduled(target_utilisation=0.7), known, DAY + 9 * HOUR) == 10


def test_growth_comes_a_lead_time_before_the_hour_and_shrinking_on_the_hour() -> None:
    policy, known = scheduled(lead_seconds=600.0), days(day(9, 700.0))
    assert at(policy, known, DAY + 9 * HOUR - 601) == 1
    run = Run(policy, memory=policy.start(known), now_seconds=MONDAY + DAY + 9 * HOUR - 600)
    assert run.tick(Service(ready=2)) == [7]
    assert run.reason == "NextHour"
    assert at(policy, known, DAY + 10 * HOUR - 1) == 7
    assert at(policy, known, DAY + 10 * HOUR) == 1


def test_weekends_have_their_own_hours_after_two_weeks() -> None:
    week = [day(9, 700.0)] * 5 + [day(20, 300.0)] * 2
    known = days(*week, *week)
    assert at(scheduled(), known, 14 * DAY + 9 * HOUR) == 7, "Monday"
    assert at(scheduled(), known, 14 * DAY + 20 * HOUR) == 1
    assert at(scheduled(), known, 19 * DAY + 9 * HOUR) == 1, "Saturday"
    assert at(scheduled(), known, 20 * DAY + 20 * HOUR) == 3, "Sunday"


def test_below_two_weeks_all_days_are_alike() -> None:
    known = days(*[day(9, 700.0)] * 5, *[day(20, 300.0)] * 2)
    assert at(scheduled(), known, 12 * DAY + 9 * HOUR) == 7
    assert at(scheduled(), known, 7 * DAY + 20 * HOUR) == 3


def test_an_hour_that_the_past_has_not_gets_the_peak_of_all() -> None:
    known = days([100.0, 700.0, None])
    assert at(scheduled(), known, DAY + 5 * HOUR) == 7
    assert at(scheduled(), known, DAY + 2 * HOUR) == 7
    assert at(scheduled(), known, DAY) == 1


def test_without_a_past_it_leaves_what_is_there() -> None:
    policy = scheduled()
    run = Run(policy)
    assert run.tick(Service(ready=3)) == [3]
    assert run.reason == "NoPast"


def test_it_never_looks_at_the_load() -> None:
    assert scheduled().queries == ()


def test_bounds_hold() -> None:
    known = days(day(9, 700.0))
    assert at(scheduled(), known, DAY + 9 * HOUR, Service(ready=2, maximum=4)) == 4
    assert at(scheduled(), known, DAY, Service(ready=2, minimum=3)) == 3


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match=r"lead_seconds must be within \[0.0, 3600\], not 3601"):
        scheduled(lead_seconds=3601.0)


def test_no_service_looks_at_another() -> None:
    check_rows_are_independent(lambda profile: Scheduled(profile=profile), seed=0)
