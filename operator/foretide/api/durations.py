"""Durations as Go and Kubernetes write them (`100ms`, `1.5s`, `2m30s`), exact to the nanosecond."""

import re
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
}
_TERM: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ns|us|µs|ms|s|m|h)")

# At most 6 digits in front of the point: with 20 characters the longest is 999999h999999h99999h, which still fits in
# the 63 bits of nanoseconds of Go's ParseDuration, so CEL's duration() never fails on what the pattern let through.
_LATENCY: Final = "([0-9]{1,6}([.][0-9]{1,6})?(us|ms|s|m|h))+"
_LATENCY_MAX_LENGTH: Final = 20


def parse_nanoseconds(text: str) -> int:
    """The duration in nanoseconds; ValueError on anything Go's ParseDuration would refuse, and on a sign."""
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


def _is_latency(text: str) -> bool:
    if re.fullmatch(_LATENCY, text) is None:
        return False
    return _NANOSECONDS["ms"] <= parse_nanoseconds(text) <= _NANOSECONDS["h"]


Latency = Annotated[
    str,
    Field(min_length=1, max_length=_LATENCY_MAX_LENGTH),
    Rule(
        cel=f"self.matches('^{_LATENCY}$') && duration(self) >= duration('1ms') && duration(self) <= duration('1h')",
        holds=_is_latency,
        rule="must be a duration from 1ms to 1h with a unit (us, ms, s, m, h)",
        fix='write it like "100ms" or "1.5s"',
    ),
]
