"""As much risk as the budget allows: less where it burns, more where hardly anything is late."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Bools
from foretide.scaling.risk import Risk, late_rps
from tests.scaling.build import bools, capacity, floats, same
from tests.scaling.strategies import any_float, seldom

TICK = floats(15.0)
P99 = floats(0.99)
KNOWN = bools(True)
rates = st.floats(0.0, 1e9)


def measured(risk: Risk, asked: float, late: float, *, ticks: int = 1, known: Bools = KNOWN) -> Risk:
    for _ in range(ticks):
        risk = risk.measured(floats(asked), floats(late), known=known, elapsed_seconds=TICK)
    return risk


def foreseen(
    risk: Risk,
    asked: float,
    late: float,
    *,
    came: float | None = None,
    usual: float = 100.0,
    ticks: int = 1,
    known: Bools = KNOWN,
) -> Risk:
    """`came` is what was late after all: as was foreseen, unless told otherwise."""
    for _ in range(ticks):
        risk = risk.foreseen(
            floats(asked),
            floats(late),
            measured_rps=floats(late if came is None else came),
            usual_rps=floats(usual),
            objective=P99,
            known=known,
            elapsed_seconds=TICK,
        )
    return risk


def score(risk: Risk, objective: float = 0.99) -> float:
    return float(risk.score(floats(objective))[0])


@pytest.mark.parametrize("objective", [0.5, 0.9, 0.99, 0.999])
def test_it_begins_at_the_quantile_of_the_objective(objective: float) -> None:
    assert score(Risk.fresh(1), objective) == pytest.approx(NormalDist().inv_cdf(objective))


@seldom
@given(any_float, st.floats(-3.0, 0.0), st.floats(0.0, 3.0), st.floats(0.001, 1e9))
def test_of_any_objective_and_past_there_is_a_quantile(
    objective: float, saved: float, share: float, asked: float
) -> None:
    risk = replace(Risk.fresh(1), saved=floats(saved), late_rps=floats(share * asked), demand_rps=floats(asked))
    assert np.isfinite(score(risk, objective))
    assert -3.0 <= score(risk, objective) <= 4.0


@seldom
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_that_was_late_is_never_a_lower_quantile(one: float, other: float) -> None:
    low, high = (measured(Risk.fresh(1), 100.0, 100.0 * share, ticks=4) for share in sorted((one, other)))
    assert score(low) <= score(high)
    assert (low.burn(P99) <= high.burn(P99)).all()


def test_a_budget_that_is_kept_changes_nothing_and_one_that_burns_raises_the_quantile() -> None:
    assert score(measured(Risk.fresh(1), 100.0, 0.9, ticks=300)) == score(Risk.fresh(1))
    assert score(measured(Risk.fresh(1), 100.0, 50.0, ticks=300)) > score(Risk.fresh(1))


def test_what_burnt_is_forgotten_in_days() -> None:
    burning = measured(Risk.fresh(1), 100.0, 50.0, ticks=300)
    assert burning.burn(P99)[0] > 1.0
    assert measured(burning, 100.0, 0.0, ticks=3 * 5760).burn(P99)[0] < 0.1 * burning.burn(P99)[0]


def test_one_overloaded_minute_of_a_new_service_is_not_taken_for_its_nature() -> None:
    assert score(measured(Risk.fresh(1), 100.0, 100.0, ticks=4)) == score(Risk.fresh(1))


def test_a_quiet_hour_does_not_wash_out_what_burnt() -> None:
    burning = measured(Risk.fresh(1), 100.0, 10.0, ticks=20)
    quiet = measured(burning, 0.0, 0.0, ticks=100)
    assert quiet.burn(P99)[0] == pytest.approx(burning.burn(P99)[0])


def test_unknown_teaches_nothing() -> None:
    risk = measured(Risk.fresh(1), 100.0, 5.0)
    assert same(measured(risk, 7.0, 7.0, known=~KNOWN), risk)
    assert same(foreseen(risk, 7.0, 7.0, known=~KNOWN), risk)
    assert Risk.fresh(1).burn(P99)[0] == 0.0


def test_where_hardly_anything_is_late_the_quantile_falls_slowly_and_not_for_ever() -> None:
    risk = foreseen(Risk.fresh(1), 100.0, 0.0)
    first = score(Risk.fresh(1)) - score(risk)
    assert 0.0 < first < 0.1
    far = foreseen(risk, 100.0, 0.0, ticks=2000)
    assert same(foreseen(far, 100.0, 0.0), far)
    assert NormalDist().cdf(score(far)) > 0.5


def test_where_too_much_would_be_late_the_quantile_comes_back_and_not_above_the_objective() -> None:
    fallen = foreseen(Risk.fresh(1), 100.0, 0.0, ticks=500)
    assert score(foreseen(fallen, 100.0, 5.0)) > score(fallen)
    assert score(foreseen(fallen, 100.0, 50.0, ticks=2000)) == score(Risk.fresh(1))


def test_a_forecast_that_is_too_high_is_believed_less_and_one_that_is_too_low_more() -> None:
    """What is foreseen to be late all day and never is may be foreseen more often."""
    vain, right, rash = (foreseen(Risk.fresh(1), 100.0, 0.8, came=came, ticks=1440) for came in (0.0, 0.8, 4.0))
    assert score(vain) < score(right)
    assert score(right) == score(Risk.fresh(1))
    assert vain.bias[0] > 2.0
    assert right.bias[0] == pytest.approx(1.0)
    assert rash.bias[0] < 0.6


def test_a_quarter_of_an_hour_without_late_requests_is_no_proof() -> None:
    assert foreseen(Risk.fresh(1), 100.0, 0.5, came=0.0, ticks=60).bias[0] < 1.2


def test_a_quiet_hour_weighs_little() -> None:
    fallen = foreseen(Risk.fresh(1), 100.0, 0.0, ticks=100)
    by_day, by_night = (foreseen(fallen, asked, 0.0, usual=100.0) for asked in (100.0, 2.0))
    assert score(fallen) - score(by_night) < 0.1 * (score(fallen) - score(by_day))


@seldom
@given(rates, st.floats(0.0, 1.0), rates, st.floats(0.0, 1e9))
def test_nothing_makes_it_anything_but_a_number(asked: float, share: float, usual: float, elapsed: float) -> None:
    late = share * asked
    risk = Risk.fresh(1).measured(floats(asked), floats(late), known=KNOWN, elapsed_seconds=floats(elapsed))
    risk = risk.foreseen(
        floats(asked),
        floats(late),
        measured_rps=floats(late),
        usual_rps=floats(usual),
        objective=P99,
        known=KNOWN,
        elapsed_seconds=floats(elapsed),
    )
    for column in (risk.saved, risk.late_rps, risk.demand_rps, risk.bias, risk.burn(P99), risk.score(P99)):
        assert np.isfinite(column).all()
    assert risk.saved[0] <= 0.0


def test_no_time_passed_and_nothing_changed() -> None:
    risk = measured(foreseen(Risk.fresh(1), 100.0, 0.0, ticks=9), 100.0, 5.0)
    still = risk.measured(floats(9.0), floats(9.0), known=KNOWN, elapsed_seconds=floats(0.0))
    still = still.foreseen(
        floats(9.0),
        floats(9.0),
        measured_rps=floats(9.0),
        usual_rps=floats(9.0),
        objective=P99,
        known=KNOWN,
        elapsed_seconds=floats(0.0),
    )
    assert same(still, risk)


@seldom
@given(rates, rates, st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_late_requests_grow_with_demand_and_fall_with_replicas(
    one: float, other: float, few: float, many: float
) -> None:
    def late(demand: float, replicas: float) -> float:
        return float(late_rps(floats(demand), floats(replicas), capacity())[0])

    (less, more), (few, many) = sorted((one, other)), sorted((few, many))
    assert 0.0 <= late(less, few) <= late(more, few) * (1.0 + 1e-12)
    assert late(more, many) <= late(more, few) * (1.0 + 1e-12)
    assert np.isfinite(late(more, few))


def test_of_many_demands_of_a_service_at_once() -> None:
    several = late_rps(np.array([[5.0, 20.0, 40.0]]), floats(2.0), capacity())
    alone = [late_rps(floats(demand), floats(2.0), capacity())[0] for demand in (5.0, 20.0, 40.0)]
    assert several[0] == pytest.approx(alone)
