"""Durations as Go and Kubernetes write them (`100ms`, `2m30s`), and in days (`14d`), exact to the nanosecond."""

import re
from functools import lru_cache
from typing import Annotated, Final

from pydantic import Field

from foretide.api.rules import Rule

_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_TERM: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ns|us|µs|ms|s|m|h|d)")

# At most 6 digits in front of the point: with 20 characters the longest is 999999h999999h99999h, which still fits in
# the 63 bits of nanoseconds of Go's ParseDuration, so CEL's duration() never fails on what the pattern let through.
# At most 3 behind that of microseconds: Go cuts below a nanosecond, and 0.0001us would be no time at all.
_GO: Final = "([0-9]{1,6}([.][0-9]{1,6})?(ms|s|m|h)|[0-9]{1,6}([.][0-9]{1,3})?us)+"
_MAX_LENGTH: Final = 20


def is_spelled(expression: str) -> str:
    """CEL: whether a string is one that duration() can read, for rules that see it before its own rule has spoken."""
    return f"{expression}.matches('^{_GO}$')"


@lru_cache(maxsize=1_024)  # each tick reads those of all services, and most are alike
def parse_nanoseconds(text: str) -> int:
    """The duration in nanoseconds; ValueError on anything Go's ParseDuration would refuse but days, and on a sign."""
    total = end = 0
    for term in _TERM.finditer(text):
        if term.start() != end:
            break
        whole, fraction, unit = term[1], term[2] or "", _NANOSECONDS[term[3]]
        total += int(whole) * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        end = term.end()
    if end != len(text) or not text.isprintable() or end == 0:
        raise ValueError(f"not a duration such as 100ms or 2m30s: {text[:40]!r}")
    return total


def parse_seconds(text: str) -> float:
    """The duration in seconds; ValueError as parse_nanoseconds."""
    return parse_nanoseconds(text) / 1e9


def format_nanoseconds(nanoseconds: int) -> str:
    """The shortest usual spelling, e.g. `850us`, `42.5ms`, `1.5s`, `2m30s`, `1h`; parse_nanoseconds gives it back."""
    if nanoseconds < 0:
        raise ValueError(f"a duration is never negative: {nanoseconds} ns")
    for unit, next_unit in (("ns", "us"), ("us", "ms"), ("ms", "s")):
        if 0 < nanoseconds < _NANOSECONDS[next_unit]:
            return _in_unit(nanoseconds, unit)
    hours, rest = divmod(nanoseconds, _NANOSECONDS["h"])
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    seconds = _in_unit(rest, "s") if rest or not (hours or minutes) else ""
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + seconds


def format_seconds(seconds: float) -> str:
    """The duration, rounded to a microsecond: what is reported is measured, and no measurement here is finer."""
    return format_nanoseconds(round(seconds * 1e6) * 1_000)


def _in_unit(nanoseconds: int, unit: str) -> str:
    size = _NANOSECONDS[unit]
    whole, rest = divmod(nanoseconds, size)
    fraction = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}{unit}" if fraction else f"{whole}{unit}"


def between(shortest: str, longest: str, *, fix: str, word: str = "") -> Rule:
    """A rule that a string is a duration within these bounds, or is `word`.

    Where the longest is a day or more, whole days (`14d`) are durations too, but not together with other units: CEL's
    duration() does not know them, so that they are counted by a pattern.
    """
    least, most = parse_nanoseconds(shortest), parse_nanoseconds(longest)
    days = most // _NANOSECONDS["d"]
    whole_days = [f"({_up_to(days)})d"] if days else []
    spelling = re.compile("|".join((_GO, *whole_days)))
    in_go = f"self.matches('^{_GO}$')"
    not_less = f"duration(self) >= duration('{format_nanoseconds(least)}')"
    not_more = f"duration(self) <= duration('{format_nanoseconds(most)}')"

    def holds(text: str) -> bool:
        if word and text == word:
            return True
        return spelling.fullmatch(text) is not None and least <= parse_nanoseconds(text) <= most

    units = "(us, ms, s, m, h), or in whole days (d)" if days else "(us, ms, s, m, h)"
    return Rule(
        cel=" || ".join(
            (
                *([f"self == '{word}'"] if word else []),
                *(f"self.matches('^{pattern}$')" for pattern in whole_days),
                f"{in_go} && {not_less} && {not_more}",
            )
        ),
        holds=holds,
        rule=f"must be {f'{word} or ' if word else ''}a duration from {shortest} to {longest} with a unit {units}",
        fix=fix,
    )


def _up_to(most: int) -> str:
    """A regular expression of the numbers from 1 to `most`, which is at most 99."""
    tens, ones = divmod(most, 10)
    if not tens:
        return _digit(1, ones)
    whole_tens = f"{_digit(1, tens - 1)}[0-9]|" if tens > 1 else ""
    return f"[1-9]|{whole_tens}{tens}{_digit(0, ones)}"


def _digit(first: int, last: int) -> str:
    return f"{first}" if first == last else f"[{first}-{last}]"


# What a rule made by between() guards.
DurationText = Annotated[str, Field(min_length=1, max_length=_MAX_LENGTH)]

Latency = Annotated[DurationText, between("1ms", "1h", fix='write it like "100ms" or "1.5s"')]
