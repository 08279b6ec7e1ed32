"""Random numbers of a lane: SplitMix64 (Steele, Lea, Flood 2014), one state per lane and purpose.

A purpose of its own each, so that two policies see the same arrivals whatever else they draw.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from foretide.simulate.compiled import inlined
from foretide.simulate.state import Array, Record

GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
FIRST_MULTIPLIER: Final = np.uint64(0xBF58476D1CE4E5B9)
SECOND_MULTIPLIER: Final = np.uint64(0x94D049BB133111EB)
SHIFT_27: Final = np.uint64(27)
SHIFT_30: Final = np.uint64(30)
SHIFT_31: Final = np.uint64(31)
SHIFT_11: Final = np.uint64(11)
UNIT: Final = 2.0**-53


@inlined
def uniform(lane: Record, stream: int) -> float:
    """Uniform in (0, 1), never 0 or 1."""
    state = lane.streams[stream] + GAMMA
    lane.streams[stream] = state
    mixed = (state ^ (state >> SHIFT_30)) * FIRST_MULTIPLIER
    mixed = (mixed ^ (mixed >> SHIFT_27)) * SECOND_MULTIPLIER
    mixed = mixed ^ (mixed >> SHIFT_31)
    return (float(mixed >> SHIFT_11) + 0.5) * UNIT


@inlined
def exponential(lane: Record, stream: int) -> float:
    """Of mean 1."""
    return -math.log(uniform(lane, stream))


@inlined
def interval(lane: Record, stream: int, cv: float) -> float:
    """Of mean 1 and coefficient of variation cv >= 1: hyperexponential with balanced means (Whitt 1982)."""
    if cv <= 1.0:
        return exponential(lane, stream)
    squared = cv * cv
    share = 0.5 * (1.0 + math.sqrt((squared - 1.0) / (squared + 1.0)))
    if uniform(lane, stream) < share:
        return exponential(lane, stream) / (2.0 * share)
    return exponential(lane, stream) / (2.0 * (1.0 - share))


@inlined
def normal(lane: Record, stream: int) -> float:
    """Standard (Box-Muller; the second one is thrown away to keep one state)."""
    radius = math.sqrt(2.0 * exponential(lane, stream))
    return radius * math.cos(2.0 * math.pi * uniform(lane, stream))


@inlined
def lognormal(lane: Record, stream: int, sigma: float) -> float:
    """Of mean 1."""
    if sigma <= 0.0:
        return 1.0
    return math.exp(sigma * normal(lane, stream) - 0.5 * sigma * sigma)


@inlined
def drawn(quantiles: Array, lane: Record, stream: int) -> float:
    """From a distribution given by evenly spaced quantiles, by inversion."""
    place = uniform(lane, stream) * (len(quantiles) - 1)
    below = int(place)
    share = place - below
    return quantiles[below] * (1.0 - share) + quantiles[below + 1] * share  # type: ignore[no-any-return]
