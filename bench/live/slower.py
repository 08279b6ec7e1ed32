"""What it costs that a day is told in ten minutes: the same three days told slower, simulated.

Foretide looks every 15 s and needs an hour or two to learn how much of the error budget its forecasts leave: with
replicas that take 45 s to start, ten minutes are a day for neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.live.loads import DAY_SECONDS, day
from bench.live.predict import clairvoyant_replica_minutes, predicted
from bench.live.systems import FORETIDE

# The live one, a quarter of an hour, an hour, and days as they are.
DAYS_SECONDS: Final = (DAY_SECONDS, 900.0, 3_600.0, 86_400.0)


@dataclass(frozen=True, slots=True)
class Slower:
    """The third of the days."""

    day_seconds: float
    within_slo: float
    times_clairvoyant: float


def days(days_seconds: Sequence[float] = DAYS_SECONDS) -> Iterator[Slower]:
    """Foretide under each; a day of 24 hours takes minutes."""
    for seconds in days_seconds:
        load, since = day(seconds), 2 * seconds
        found = predicted(FORETIDE, load, since_seconds=since, routings=1)  # ten million requests each
        least = clairvoyant_replica_minutes(load, since_seconds=since)
        yield Slower(seconds, found.within_slo, found.replica_minutes / least)


def lines(found: Iterable[Slower]) -> Iterator[str]:
    """As Markdown, a row as soon as it is there."""
    yield "| a day in | third day: in time | x clairvoyant |"
    yield "|---|---|---|"
    for one in found:
        yield f"| {one.day_seconds / 60:,.0f} min | {one.within_slo:.2%} | {one.times_clairvoyant:.2f} |"
