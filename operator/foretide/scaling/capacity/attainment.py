"""How many requests are late at a load: what a fleet that is too small costs, and what a large one is worth."""

from __future__ import annotations

from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats

# Over saturation a queue grows that is still there when the load is gone: what comes then is late, too.
MOST_LATE: Final = 3.0
LOWEST_LOAD: Final = 1e-6


def late_share(load: Floats, *, utilisation: Floats, objective: Floats) -> Floats:
    """Share of the requests outside the SLO at `load` (share of saturation), above 1 for those that come later.

    Kingman's heavy-traffic limit for the time W that is left to wait, P(wait > W) = exp(-c (1 - load) / load), with c
    such that at `utilisation`, where the objective is just kept, it is 1 - objective. All arguments broadcast.
    """
    present = np.clip(load, LOWEST_LOAD, MOST_LATE)
    kept = np.clip(utilisation, 0.01, 0.99)
    late = np.log(np.clip(1.0 - objective, 1e-9, 1.0 - 1e-9))
    spare = np.maximum(1.0 - present, 0.0) / present
    share: Floats = np.exp(np.maximum(late * spare * kept / (1.0 - kept), -700.0)) * np.maximum(present, 1.0)
    return share
