"""Durations are read as Go reads them, and written so that they are read back the same."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.durations import format_nanoseconds, format_seconds, parse_nanoseconds, parse_seconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("100ms", 100_000_000),
        ("1.5s", 1_500_000_000),
        ("2m30s", 150_000_000_000),
        ("1h", 3_600_000_000_000),
        ("1h0m0s", 3_600_000_000_000),
        ("850us", 850_000),
        ("850µs", 850_000),
        ("7ns", 7),
        ("0s", 0),
        ("1s1s", 2_000_000_000),  # Go adds up
        ("0.0000000019s", 1),  # and cuts below a nanosecond
    ],
)
def test_reads_what_go_reads(text: str, nanoseconds: int) -> None:
    assert parse_nanoseconds(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1 s", "1s ", " 1s", "-1s", "+1s", "1d", "1,5s", "1.s", ".5s", "1S", "1s\n", "١s"]
)
def test_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_nanoseconds(text)


@given(st.text(max_size=30))
def test_any_other_text_is_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_nanoseconds(text) >= 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0012, "1.2ms"),
        (0.0425, "42.5ms"),
        (0.00085, "850us"),
        (1.5, "1.5s"),
        (150, "2m30s"),
        (3600, "1h"),
        (0, "0s"),
        (5400, "1h30m"),
    ],
)
def test_writes_what_people_write(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@given(st.integers(min_value=0, max_value=2**62))
def test_what_is_written_is_read_back(nanoseconds: int) -> None:
    assert parse_nanoseconds(format_nanoseconds(nanoseconds)) == nanoseconds


@given(st.floats(min_value=0, max_value=1e6))
def test_seconds_are_read_back_to_the_microsecond(seconds: float) -> None:
    assert parse_seconds(format_seconds(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_a_negative_duration_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="never negative"):
        format_seconds(-1)
