"""The simulator under the arrivals of a recording."""

from __future__ import annotations

from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.simulate.observe import profile
from foretide.simulate.outcome import Outcome
from foretide.simulate.peers.static import Static
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane, Law, Queue
from foretide.simulate.state import BIN_SECONDS

LEVELS: Final = (0.5, 0.95, 0.99)
# The first seconds find an empty queue; they are sent and not judged.
WARM_UP_SECONDS: Final = 15.0


def replayed(
    sent_at: Floats, law: Law, queue: Queue, *, replicas: int, slo_seconds: float, draws: int
) -> list[Outcome]:
    """What would have come of it; each draw has other routes and noise."""
    seconds = float(np.ceil((sent_at[-1] + 1.0) / BIN_SECONDS) * BIN_SECONDS)
    lanes = [
        Lane(
            name=f"draw-{draw}",
            rates_rps=np.zeros(1),
            step_seconds=seconds,
            arrival_times=sent_at,
            seed=draw,
            law=law,
            queue=queue,
            slo_latency_seconds=slo_seconds,
            max_replicas=replicas,
            initial_replicas=replicas,
        )
        for draw in range(draws)
    ]
    fleet = Static(profile=profile(lanes), replicas=replicas, tick_seconds=BIN_SECONDS)
    return simulate(fleet, lanes, conditions=Conditions(), warm_up_seconds=WARM_UP_SECONDS)


def quantiles_seconds(outcomes: list[Outcome]) -> tuple[float, ...]:
    """Mean of the draws, at each of `LEVELS`."""
    return tuple(float(np.mean([one.latencies.quantile_seconds(level) for one in outcomes])) for level in LEVELS)


def refused(outcomes: list[Outcome]) -> float:
    """Share of the requests, mean of the draws."""
    return float(np.mean([one.failures / one.requests for one in outcomes]))
