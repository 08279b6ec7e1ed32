import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.readings import Readings
from tests.scaling.build import bools, floats
from tests.scaling.strategies import any_float, often


def test_what_is_no_number_is_unknown_and_not_zero() -> None:
    readings = Readings.of([1.5, None, math.nan, math.inf, 0.0])
    assert readings.known.tolist() == [True, False, False, False, True]
    assert readings.value.tolist() == [1.5, 0.0, 0.0, 0.0, 0.0]


@often
@given(st.lists(st.tuples(any_float, st.booleans()), max_size=8))
def test_checked_readings_are_finite_within_the_range_and_never_newly_known(rows: list[tuple[float, bool]]) -> None:
    raw = Readings(
        value=np.array([value for value, _ in rows]), known=np.array([known for _, known in rows], dtype=np.bool_)
    )
    checked = Readings.checked(raw.value, raw.known, low=0.0, high=10.0)
    assert np.isfinite(checked.value).all()
    assert ((checked.value >= 0.0) & (checked.value <= 10.0)).all()
    assert not (checked.known & ~raw.known).any()


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        Readings(value=floats(1.0, 2.0), known=bools(True))
