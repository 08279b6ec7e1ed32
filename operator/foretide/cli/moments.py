"""Moments and how long ago they were, as people write and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from foretide.api.durations import parse_seconds
from foretide.cli.exits import Stop

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def parse(text: str) -> datetime | None:
    """A time of the API; None for what is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def asked(option: str, text: str, *, now: datetime) -> datetime:
    """A time or how long ago: 2026-11-28T14:05:00Z, 2026-11-28 14:05 (UTC), 30m."""
    if (moment := parse(text.strip())) is not None:
        return moment
    try:
        return now - timedelta(seconds=parse_seconds(text.strip()))
    except (ValueError, OverflowError):
        fix = "write a time like 2026-11-28T14:05:00Z, or how long ago, like 30m"
        raise Stop(f"{option}: {text!r} is neither a time nor a duration; {fix}") from None


def age(moment: datetime | None, now: datetime) -> str:
    """`8m`, as kubectl writes ages; `?` where the moment is not known."""
    if moment is None:
        return "?"
    seconds = max(int((now - moment).total_seconds()), 0)
    unit, letter = next(((unit, letter) for unit, letter in _UNITS if seconds >= 2 * unit or unit == 1))
    return f"{seconds // unit}{letter}"


def written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
