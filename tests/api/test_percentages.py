"""An objective is a percentage strictly between 0 and 100, exact in its decimals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.percentages import parse_fraction


@pytest.mark.parametrize(("text", "fraction"), [("99", 0.99), ("99.9", 0.999), ("0.0001", 1e-6), ("99.9999", 0.999999)])
def test_a_percentage_is_a_fraction_of_one(text: str, fraction: float) -> None:
    assert parse_fraction(text) == fraction


@pytest.mark.parametrize("text", ["0", "0.0", "100", "99%", "", "099", "-1", "1e1", "99.99999", "99\n", "nan", "٩٩"])
def test_what_no_objective_can_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a percentage"):
        parse_fraction(text)


@given(st.integers(min_value=1, max_value=999_999))
def test_every_step_of_a_ten_thousandth_has_its_own_fraction(steps: int) -> None:
    assert parse_fraction(f"{steps // 10_000}.{steps % 10_000:04d}") == steps / 1_000_000
