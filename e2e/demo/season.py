"""Two days in some minutes: how long a day then is, and whether the operator can be told that."""

from __future__ import annotations

import math

from e2e.load import Profile

DAYS = 2
DAY_SECONDS = 86_400.0
SHORTEST_SECONDS = 240.0  # what spec.forecast.season takes: 16 ticks of the usual length


def of(profile: Profile, seconds: float) -> float | None:
    """After how many seconds the load comes again; None for a trace that is not two days long, or too short a time."""
    season = seconds / DAYS
    return season if is_two_days(profile) and season >= SHORTEST_SECONDS else None


def is_two_days(profile: Profile) -> bool:
    """Whether a trace holds a day and the one after it."""
    return math.isclose(profile.seconds, DAYS * DAY_SECONDS, rel_tol=1e-6)


def missing(profile: Profile, seconds: float) -> str | None:
    """Why nothing is compared, in a sentence; None where two days are played and told."""
    if of(profile, seconds) is not None:
        return None
    if not is_two_days(profile):
        return "The trace is not two days long: no season is told, and no two days are compared."
    return (
        f"A day of {seconds / DAYS:g} s is shorter than spec.forecast.season can be: no season is told, and no two "
        f"days are compared. --seconds {DAYS * SHORTEST_SECONDS:g} or more does both."
    )
