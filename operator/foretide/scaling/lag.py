"""What `rate()` leaves out where the newest sample is late, and the rates without that.

Of a window of 30 s whose newest sample is 20 s old 10 s are known. Prometheus extrapolates by half a scrape interval
and divides by all 30 s: it tells 0.42 of the load, and nothing in the answer says so. Where samples reach a store late
(a remote write, Thanos, Mimir) it is so at each tick. A scrape that fails leaves a staleness marker, and so no age:
that pod is silent. Nor is anything said here of scrapes that are missing at the beginning of a window.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Observation, Over, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings

# A gap of this many intervals ends the extrapolation (extrapolatedRate in prometheus/promql/functions.go).
EXTRAPOLATED_INTERVALS: Final = 1.1
# A pod's series are scraped together: one age is that of all.
SAMPLE_AGE: Final = Query(Quantity.SUCCESS, Over.AGE)


def covered_share(age_seconds: Floats, *, window_seconds: float, interval_seconds: float) -> Floats:
    """The share of a steady rate that `rate()` tells where the newest sample is that old, [pods]; 1 where the age is an
    ordinary one, negative or NaN.

    Two samples make a rate, so that at least one and a half intervals of a window are covered.
    """
    covered = np.maximum(window_seconds - age_seconds, interval_seconds) + interval_seconds / 2.0
    late = age_seconds >= EXTRAPOLATED_INTERVALS * interval_seconds
    share: Floats = np.where(late, np.minimum(covered / window_seconds, 1.0), 1.0)
    return share


def corrected(seen: Observation, settings: ScalingSettings) -> Observation:
    """The same with every rate of every pod as it would be without the lag."""
    age = seen.answers[SAMPLE_AGE]
    ages = np.where(age.known, age.value, 0.0)
    interval = settings.scrape_interval_seconds
    if not (ages >= EXTRAPOLATED_INTERVALS * interval).any():
        return seen

    def full(query: Query, answer: Readings) -> Readings:
        if query.over is not Over.RATE:
            return answer
        share = covered_share(ages, window_seconds=query.window_seconds, interval_seconds=interval)
        with np.errstate(over="ignore"):  # of 1.2e308, which no load is: infinite is as unusable
            return Readings(value=answer.value / share, known=answer.known)

    return replace(seen, answers={query: full(query, answer) for query, answer in seen.answers.items()})
