"""How many requests are late: the objective at its own utilisation, more above it, all of them in the end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.capacity.attainment import late_share
from tests.scaling.build import floats
from tests.scaling.strategies import seldom

shares = st.floats(0.0, 1.0)
loads = st.floats(0.0, allow_nan=False, allow_infinity=True)


def late(load: float, utilisation: float, objective: float) -> float:
    return float(late_share(floats(load), utilisation=floats(utilisation), objective=floats(objective))[0])


@seldom
@given(st.floats(0.05, 0.95), st.floats(0.5, 0.9999))
def test_at_the_utilisation_that_keeps_the_objective_it_is_just_kept(utilisation: float, objective: float) -> None:
    assert late(utilisation, utilisation, objective) == pytest.approx(1.0 - objective, rel=1e-6)


@seldom
@given(loads, loads, shares, shares)
def test_more_load_is_never_less_late(one: float, other: float, utilisation: float, objective: float) -> None:
    low, high = sorted((one, other))
    assert late(low, utilisation, objective) <= late(high, utilisation, objective)


@seldom
@given(loads, shares, shares)
def test_it_is_a_number_whatever_the_load(load: float, utilisation: float, objective: float) -> None:
    found = late(load, utilisation, objective)
    assert np.isfinite(found)
    assert found >= 0.0


@pytest.mark.parametrize("load", [1.0, 1.5, 100.0])
def test_at_saturation_all_are_late_and_above_it_those_that_come_later_too(load: float) -> None:
    assert late(load, 0.7, 0.99) >= 1.0
    assert late(2.0, 0.7, 0.99) > late(1.0, 0.7, 0.99)


def test_an_idle_fleet_is_never_late() -> None:
    assert late(0.0, 0.7, 0.99) == pytest.approx(0.0, abs=1e-12)


def test_arguments_of_any_shape() -> None:
    found = late_share(np.full((3, 4), 0.7), utilisation=np.full((3, 1), 0.7), objective=np.full((3, 1), 0.99))
    assert found == pytest.approx(np.full((3, 4), 0.01))
