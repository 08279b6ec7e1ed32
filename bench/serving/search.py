"""The largest rate that keeps an objective, found by asking at few rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

MOST_DOUBLINGS: Final = 14


def rate_at_slo(
    share_in_time: Callable[[float], float],
    *,
    objective: float,
    first_rps: float,
    resolution: float,
) -> float:
    """The largest rate found at which the share is at least the objective; 0 where even a sixteenth of the first fails.

    Doubles or halves the first rate until it stands between one that keeps the objective and one that does not, and
    then halves the gap until it is `resolution` of the rate. A rate that fails is asked once more: a machine stalls now
    and then, and no stall makes a rate look kept that is not.
    """

    def keeps(rate: float) -> bool:
        return any(share_in_time(rate) >= objective for _ in range(2))

    low, high = 0.0, math.inf
    rate = first_rps
    for _ in range(MOST_DOUBLINGS):
        if keeps(rate):
            low, rate = rate, 2.0 * rate
        else:
            high, rate = rate, rate / 2.0
        if (low > 0.0 and high < math.inf) or rate < first_rps / 16.0:
            break
    while 0.0 < low < high < math.inf and high / low > 1.0 + resolution:
        middle = math.sqrt(low * high)
        if keeps(middle):
            low = middle
        else:
            high = middle
    return low
