"""Quantities mean in Python what they mean in Kubernetes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.quantities import parse_quantity, same_quantities

_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", Decimal("0.5")),
        ("0.5", Decimal("0.5")),
        ("4", Decimal(4)),
        ("16Gi", Decimal(16 * 2**30)),
        ("1.5Gi", Decimal(3 * 2**29)),
        ("1e3", Decimal(1000)),
        ("1E3", Decimal(1000)),
        ("1E", Decimal(10**18)),
        ("100n", Decimal("1e-7")),
    ],
)
def test_reads_every_form(text: str, number: Decimal) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize(
    "text", ["", "16 Gi", "16GB", "-1", "+1", "1K", "1.", ".5", "Gi", "1e", "1\n", "١", "nan", "1e1000"]
)
def test_refuses_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)


@given(st.integers(min_value=0, max_value=10**15 - 1), st.sampled_from(sorted(_SUFFIXES)))
def test_a_suffix_multiplies(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}") == number * _SUFFIXES[suffix]


def test_other_spellings_of_the_same_amount_are_the_same() -> None:
    assert same_quantities({"cpu": "0.5", "memory": "1Gi"}, {"memory": "1024Mi", "cpu": "500m"})
    assert not same_quantities({"cpu": "1"}, {"cpu": "2"})
    assert not same_quantities({"cpu": "1"}, {"cpu": "1", "memory": "0"})
