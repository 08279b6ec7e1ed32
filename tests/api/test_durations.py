"""Durations are read as Go reads them, and written so that they are read back the same."""

from contextlib import suppress

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.durations import between, format_nanoseconds, format_seconds, parse_nanoseconds, parse_seconds


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
        ("14d", 14 * 86_400 * 10**9),
        ("1d12h", 36 * 3_600 * 10**9),
        ("1s1s", 2_000_000_000),  # Go adds up
        ("0.0000000019s", 1),  # and cuts below a nanosecond
    ],
)
def test_reads_what_go_reads(text: str, nanoseconds: int) -> None:
    assert parse_nanoseconds(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1 s", "1s ", " 1s", "-1s", "+1s", "1w", "1,5s", "1.s", ".5s", "1S", "1s\n", "١s"]
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


def _by_cel(rule: str, text: str) -> bool:
    context = cel.Context()
    context.add_variable("self", text)
    return bool(cel.compile(rule).execute(context))


@pytest.mark.parametrize("most", [1, 2, 7, 9, 10, 14, 19, 20, 28, 90, 99])
def test_whole_days_are_taken_up_to_the_longest(most: int) -> None:
    rule = between("1h", f"{most}d", fix="")
    taken = [days for days in range(200) if rule.holds(f"{days}d")]
    assert taken == list(range(1, most + 1))
    assert [days for days in range(200) if _by_cel(rule.cel, f"{days}d")] == taken


@pytest.mark.parametrize(
    ("text", "within"), [("1s", True), ("24h", True), ("1d", True), ("24h1us", False), ("", False)]
)
def test_bounds_belong_to_what_is_taken(text: str, within: bool) -> None:
    rule = between("1s", "24h", fix="")
    assert rule.holds(text) is within
    assert _by_cel(rule.cel, text) is within


def test_a_word_may_stand_for_a_duration() -> None:
    rule = between("1s", "24h", fix="", word="Auto")
    assert [text for text in ("Auto", "auto", "AutoAuto", "5m") if rule.holds(text)] == ["Auto", "5m"]
    assert rule.rule.startswith("must be Auto or a duration from 1s to 24h")


def test_days_are_offered_only_where_a_day_is_within_the_bounds() -> None:
    assert "days" in between("1h", "14d", fix="").rule
    assert "days" not in between("1s", "1h", fix="").rule
    assert not between("1s", "1h", fix="").holds("1d")


@given(
    st.from_regex(r"([0-9]{1,6}([.][0-9]{1,7})?(us|ms|s|m|h)){1,2}", fullmatch=True).filter(
        lambda text: len(text) <= 20
    )
)
def test_what_is_taken_is_no_time_only_if_it_says_so(text: str) -> None:
    if between("0s", "1h", fix="").holds(text):
        assert (parse_nanoseconds(text) == 0) == (not set("123456789") & set(text))
