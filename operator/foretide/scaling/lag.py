"""What `rate()` leaves out where the newest sample is late, and how it is made up for.

A window of 30 s whose newest sample is 20 s old has the increase of 10 s in it. Prometheus extrapolates it by half a
scrape interval and divides by all 30 s: 0.42 of the load, told as if nothing were missing. So it is for good where
samples are (Thanos, Mimir, a slow remote write), and for a tick or two where scrapes are lost.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Observation, Over, Query
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings

# A gap of more than this many intervals ends the extrapolation (extrapolatedRate in prometheus/promql/functions.go).
EXTRAPOLATED_INTERVALS: Final = 1.1


def told_share(age_seconds: Floats, *, window_seconds: float, interval_seconds: float) -> Floats:
    """Of a steady rate, the share that `rate()` tells [pod] when the newest sample is that old; 1 where the age is
    ordinary, negative or NaN.

    It takes two samples for a rate, so that it is never less than one and a half intervals of a window.
    """
    covered = np.maximum(window_seconds - age_seconds, interval_seconds) + interval_seconds / 2.0
    late = age_seconds > EXTRAPOLATED_INTERVALS * interval_seconds
    share: Floats = np.where(late, np.minimum(covered / window_seconds, 1.0), 1.0)
    return share


def made_up(seen: Observation, age: Query, settings: ScalingSettings) -> Observation:
    """The same with every rate of every pod as it would be without the lag; `age` is the query of the samples' age."""
    known = seen.answers[age].known
    ages = np.where(known, seen.answers[age].value, 0.0)
    interval = settings.scrape_interval_seconds
    if not (ages > EXTRAPOLATED_INTERVALS * interval).any():
        return seen

    def whole(query: Query, answer: Readings) -> Readings:
        if query.over is not Over.RATE:
            return answer
        share = told_share(ages, window_seconds=query.window_seconds, interval_seconds=interval)
        with np.errstate(over="ignore"):  # of 1.2e308, which no load is: infinite is as unusable
            return Readings(value=answer.value / share, known=answer.known)

    return replace(seen, answers={query: whole(query, answer) for query, answer in seen.answers.items()})
