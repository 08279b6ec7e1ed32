"""One replica under one steady load, in units of the time of a single item: what every entry of the table comes from.

The simulator does eight million requests a second. Without noise, limits, pods and scrapes this loop is left of it,
which does a hundred million; a test gives both the same arrivals.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.simulate.compiled import compiled

# Latencies are counted in 512 bins for each power of two, 0.2 % or less wide, from 1 (a single item alone) to 2^20.
BINS_PER_OCTAVE: Final = 512
LATENCY_BINS: Final = 20 * BINS_PER_OCTAVE
# The upper bits of a float are its exponent and then its mantissa: with nine of that they are the bin.
SHIFT: Final = 52 - 9
FIRST: Final = 1023 << 9
# Replicas start empty: what arrives in this first part is not counted.
WARM_UP_SHARE: Final = 0.05


def arrivals(requests: int, *, cv2: float, seed: int) -> Floats:
    """Times of arrival at a rate of exactly 1; hyperexponential intervals with balanced means (Whitt 1982), as the
    simulator has them."""
    random = np.random.default_rng(seed)
    intervals = random.standard_exponential(requests)
    if cv2 > 1.0:
        share = 0.5 * (1.0 + math.sqrt((cv2 - 1.0) / (cv2 + 1.0)))
        intervals /= np.where(random.random(requests) < share, 2.0 * share, 2.0 * (1.0 - share))
    times = np.cumsum(intervals)
    return np.asarray(times * (requests / times[-1]))


@compiled
def latencies(times: Floats, rate: float, per_item: float, max_batch: int, servers: int, skipped: int) -> Ints:
    """Counts of latencies by bin, and in the last entry their sum in units of 1e-6.

    The server that is free first takes what waits, at most a full batch, and answers b items after
    1 + per_item * (b - 1).
    """
    counts = np.zeros(LATENCY_BINS + 1, dtype=np.int64)
    free = np.zeros(servers)  # when each server is free, the first one first
    scale = 1.0 / rate
    total = 0.0
    first = 0
    while first < len(times):
        start = max(free[0], times[first] * scale)
        after = first + 1
        last = min(len(times), first + max_batch)
        while after < last and times[after] * scale <= start:
            after += 1
        end = start + 1.0 + per_item * (after - first - 1)
        place = 0
        while place + 1 < servers and free[place + 1] < end:
            free[place] = free[place + 1]
            place += 1
        free[place] = end
        if first >= skipped:
            for item in range(first, after):
                latency = end - times[item] * scale
                total += latency
                column = int(np.float64(latency).view(np.int64) >> SHIFT) - FIRST
                counts[min(max(column, 0), LATENCY_BINS - 1)] += 1
        first = after
    counts[LATENCY_BINS] = int(total * 1e6)
    return counts


def steady(
    times: Floats, *, load: float, per_item: float, max_batch: int, servers: int, levels: Floats
) -> tuple[Floats, float]:
    """Latencies at these levels and their mean, at this share of saturation; `per_item` is a / (a + t0)."""
    saturation = servers * max_batch / (1.0 + per_item * (max_batch - 1))
    found = latencies(times, load * saturation, per_item, max_batch, servers, int(WARM_UP_SHARE * len(times)))
    counts = found[:-1]
    so_far = np.cumsum(counts)
    wanted = levels * so_far[-1]
    place = np.searchsorted(so_far, wanted)
    within = (wanted - (so_far[place] - counts[place])) / counts[place]
    octave, part = np.divmod(place, BINS_PER_OCTAVE)
    quantiles = np.exp2(octave) * (1.0 + (part + within) / BINS_PER_OCTAVE)
    return quantiles, float(found[-1]) * 1e-6 / float(so_far[-1])
