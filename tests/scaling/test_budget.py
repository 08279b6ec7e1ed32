"""What is left of an error budget, and how fast it goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.scaling.budget import ENOUGH_REQUESTS, WINDOWS_SECONDS, Budget, Spending
from foretide.scaling.sli import Source
from tests.scaling.build import bools, floats, ints
from tests.scaling.strategies import any_float, often

WINDOW = 28 * 86_400.0
OBJECTIVE = floats(0.99)
TICK = floats(15.0)


def spent(*hours: tuple[float, float, float], window: float = WINDOW) -> Spending:
    """Of one service after (hours, requests a second, share late) one after the other."""
    spending = Spending.fresh(1)
    for length, rps, share in hours:
        for _ in range(round(length * 240)):
            spending = after(spending, rps, share * rps, window=window)
    return spending


def after(
    spending: Spending,
    rps: float,
    late: float,
    *,
    window: float = WINDOW,
    known: bool = True,
    source: Source = Source.ESTIMATED,
) -> Spending:
    return spending.after(
        floats(rps),
        floats(late),
        known=bools(known),
        source=ints(source),
        window_seconds=floats(window),
        elapsed_seconds=TICK,
    )


def test_of_too_few_requests_nothing_is_said() -> None:
    assert Spending.fresh(1).state(OBJECTIVE).tolist() == [Budget.UNKNOWN]
    few = spent((1.0, 0.9 * ENOUGH_REQUESTS / 3_600.0, 1.0))
    assert few.state(OBJECTIVE).tolist() == [Budget.UNKNOWN]
    assert spent((1.0, 1.2 * ENOUGH_REQUESTS / 3_600.0, 0.0)).state(OBJECTIVE).tolist() == [Budget.KEPT]


@pytest.mark.parametrize("share", [0.0, 0.002, 0.01, 0.3])
def test_a_steady_share_is_its_burn_rate_in_every_window(share: float) -> None:
    spending = spent((30.0, 20.0, share))
    assert spending.burn_rates(OBJECTIVE)[0] == pytest.approx([100.0 * share] * 4, abs=1e-9)
    assert spending.left(OBJECTIVE)[0] == pytest.approx(1.0 - 100.0 * share)


def test_what_was_asked_since_the_last_look_is_whole_and_nothing_where_it_is_unknown() -> None:
    spending = after(after(Spending.fresh(1), 20.0, 4.0), 30.0, 6.0)
    assert spending.newest.tolist() == [[450.0, 90.0]]
    assert after(spending, 30.0, 6.0, known=False).newest.tolist() == [[0.0, 0.0]]


def test_short_windows_forget_and_the_longest_does_not() -> None:
    spending = spent((24.0, 20.0, 0.0), (0.5, 20.0, 0.5), (3.0, 20.0, 0.0))
    five_minutes, hour, six_hours, all_of_it = spending.burn_rates(OBJECTIVE)[0]
    assert five_minutes < 0.001
    assert 0.5 < hour < 3.0
    assert hour < six_hours
    # Half an hour of half the requests, of 27.5 hours.
    assert all_of_it == pytest.approx(100.0 * 0.25 / 27.5, rel=0.02)


def test_states_follow_the_burn_rates() -> None:
    kept, burning = spent((48.0, 20.0, 0.0)), spent((48.0, 20.0, 0.0), (1.0, 20.0, 0.3))
    assert kept.state(OBJECTIVE).tolist() == [Budget.KEPT]
    assert burning.state(OBJECTIVE).tolist() == [Budget.BURNING]
    over = spent((48.0, 20.0, 0.0), (3.0, 20.0, 0.3), (3.0, 20.0, 0.0))
    assert over.state(OBJECTIVE).tolist() == [Budget.SPENT], "what burnt has ended, and took more than there was"
    assert over.left(OBJECTIVE)[0] < 0.0


def test_the_window_of_the_slo_says_how_long_it_is_remembered() -> None:
    day = spent((2.0, 20.0, 0.5), (30.0, 20.0, 0.0), window=86_400.0)
    month = spent((2.0, 20.0, 0.5), (30.0, 20.0, 0.0))
    assert day.left(OBJECTIVE)[0] > month.left(OBJECTIVE)[0]


def test_what_is_not_known_adds_nothing() -> None:
    before = spent((1.0, 20.0, 0.1))
    blind = after(before, np.nan, np.nan, known=False)
    assert (blind.asked <= before.asked).all()
    assert blind.burn_rates(OBJECTIVE)[0] == pytest.approx(before.burn_rates(OBJECTIVE)[0])


@often
@given(st.lists(st.tuples(any_float, any_float, st.booleans(), any_float, any_float), max_size=8), any_float)
def test_of_any_numbers_it_stays_finite_and_late_is_never_more_than_asked(
    ticks: list[tuple[float, float, bool, float, float]], objective: float
) -> None:
    spending = Spending.fresh(1)

    def finite(value: float, low: float, high: float) -> Floats:
        return floats(float(np.clip(np.nan_to_num(value), low, high)))

    for asked, late, known, window, elapsed in ticks:
        spending = spending.after(
            finite(asked, -1e9, 1e9),
            finite(late, -1e9, 1e9),
            known=bools(known),
            source=ints(Source.SUMMARY),
            window_seconds=finite(window, 0.0, 1e9),
            elapsed_seconds=finite(elapsed, 0.0, 1e9),
        )
    rates = spending.burn_rates(floats(objective))
    assert np.isfinite(rates).all()
    assert (rates >= 0.0).all()
    assert (spending.late <= spending.asked).all()
    assert spending.asked.shape == (1, len(WINDOWS_SECONDS) + 1)
    assert Budget(spending.state(floats(objective))[0]) in Budget


def test_what_burnt_is_forgotten_where_nothing_is_asked_any_more() -> None:
    spending = spent((48.0, 20.0, 0.0), (1.0, 20.0, 0.9))
    assert spending.state(OBJECTIVE).tolist() == [Budget.BURNING]
    for _ in range(12 * 240):
        spending = after(spending, 0.0, 0.0)
    assert spending.burn_rates(OBJECTIVE)[0][0] < 0.01
    assert spending.state(OBJECTIVE).tolist() != [Budget.BURNING]


def test_one_late_request_of_a_few_is_no_alarm() -> None:
    spending = spent((40.0, 0.002, 0.0))
    assert after(spending, 1 / 15.0, 1 / 15.0).state(OBJECTIVE).tolist() == [Budget.KEPT]


def test_the_source_is_what_told_most_of_the_last_hour() -> None:
    assert Spending.fresh(1).source.tolist() == [Source.ESTIMATED]
    spending = after(Spending.fresh(1), 20.0, 0.0, source=Source.SUMMARY)
    assert spending.source.tolist() == [Source.SUMMARY]
    for _ in range(240):
        spending = after(spending, 20.0, 0.0, source=Source.HISTOGRAM)
    assert spending.source.tolist() == [Source.HISTOGRAM]
    # a tick or two in which a new pod tells nothing
    blind = after(after(spending, 20.0, 0.0), 20.0, 0.0, known=False)
    assert blind.source.tolist() == [Source.HISTOGRAM]
    for _ in range(240):
        spending = after(spending, 20.0, 0.0)
    assert spending.source.tolist() == [Source.ESTIMATED]


def test_where_nothing_is_asked_the_source_stays() -> None:
    spending = after(Spending.fresh(1), 20.0, 0.0, source=Source.SUMMARY)
    for _ in range(960):
        spending = after(spending, 0.0, 0.0)
    assert spending.source.tolist() == [Source.SUMMARY]
