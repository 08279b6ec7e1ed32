"""An objective is a percentage strictly between 0 and 100, exact in its decimals; a step has its sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.percentages import parse_fraction, parse_step


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


@pytest.mark.parametrize(("text", "fraction"), [("1%", 0.01), ("20%", 0.2), ("100%", 1.0), ("1000%", 10.0)])
def test_a_step_is_a_share_of_the_present_replicas(text: str, fraction: float) -> None:
    assert parse_step(text) == fraction


@pytest.mark.parametrize("text", ["0%", "20", "", "%", "-5%", "2.5%", "020%", "20%\n", "20 %", "٢٠%"])
def test_what_no_step_can_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a percentage"):
        parse_step(text)
