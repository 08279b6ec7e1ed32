"""kappa: how much slower a service answers than the table says, which the SLO is then divided by.

Neighbours on a shared GPU, a client far away, arrivals burstier than assumed: the law of batch times does not show
them, and latencies do.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.law import Law
from foretide.scaling.capacity.rate import LEAST_KAPPA, MOST_KAPPA, Pace
from foretide.scaling.capacity.table import table
from foretide.scaling.readings import Readings

# Weight of the newest ratio: at a tick of 15 s half of a change is known after 2 min and nine tenths after 6.
GAIN: Final = 0.1
# Of saturation. Below, a latency is a few requests; above, it follows from the last percent of the load, and a queue
# left from before is taken for a slow server.
LEAST_LOAD: Final = 0.05
MOST_LOAD: Final = 0.85


def fresh(services: int) -> Floats:
    """What is known of services that were never seen: 1, as the table says; shape [services]."""
    return np.ones(services)


def observe(
    kappa: Floats,
    *,
    mean_latency_seconds: Readings,
    rate_per_ready_replica: Readings,
    law: Law,
    max_batch: Ints,
    instances: Ints,
    arrival_cv2: Floats | None = None,
) -> Floats:
    """The new kappa, in [LEAST_KAPPA, MOST_KAPPA]; as it was where nothing can be learned. All arrays are [services].

    `mean_latency_seconds` is of requests answered lately, queue and compute; `rate_per_ready_replica` in items a second
    over the same time. Learns where both are known and sound, the law is measured down to single items, and the
    load is between LEAST_LOAD and MOST_LOAD of saturation.
    """
    latency = Readings.checked(mean_latency_seconds.value, mean_latency_seconds.known, low=0.0)
    rate = Readings.checked(rate_per_ready_replica.value, rate_per_ready_replica.known, low=0.0)
    pace = Pace.of(law, max_batch=max_batch, instances=instances)
    load = np.minimum(rate.value, pace.saturation_rps) / pace.saturation_rps
    predicted = pace.single_seconds * table().mean_latency(
        per_item_share=pace.per_item_seconds / pace.single_seconds,
        largest_batch=pace.largest_batch,
        servers=pace.servers,
        arrival_cv2=np.ones_like(load) if arrival_cv2 is None else np.nan_to_num(arrival_cv2, nan=1.0),
        load=load,
    )
    told: Bools = (
        latency.known
        & rate.known
        & (latency.value > 0.0)
        & law.known
        & ~law.told
        & law.single_known
        & (load >= LEAST_LOAD)
        & (load <= MOST_LOAD)
    )
    before = np.clip(np.nan_to_num(kappa, nan=1.0), LEAST_KAPPA, MOST_KAPPA)
    # Bounded before the division, for a latency may be anything.
    ratio = np.clip(latency.value, LEAST_KAPPA * predicted, MOST_KAPPA * predicted) / predicted
    after: Floats = np.clip(np.where(told, before + GAIN * (ratio - before), before), LEAST_KAPPA, MOST_KAPPA)
    return after
