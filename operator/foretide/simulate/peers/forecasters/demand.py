"""Demand as peers query it: the rate of requests answered, with or without those that failed."""

from __future__ import annotations

import numpy as np

from foretide.scaling.policy import Observation, Over, Quantity, Query
from foretide.scaling.readings import Readings


def demand_queries(window_seconds: float, *, count_failures: bool) -> tuple[Query, ...]:
    """What `demand` needs to be answered."""
    counted = (Quantity.SUCCESS, Quantity.FAILURE) if count_failures else (Quantity.SUCCESS,)
    return tuple(Query(quantity, Over.RATE, window_seconds) for quantity in counted)


def demand(seen: Observation, window_seconds: float, *, count_failures: bool) -> Readings:
    """Requests a second of each service, over all pods that answer; unknown where none tells its successes."""
    success, *others = (seen.total(query) for query in demand_queries(window_seconds, count_failures=count_failures))
    value = success.value + sum(np.where(other.known, other.value, 0.0) for other in others)
    return Readings(value=np.where(success.known, value, 0.0), known=success.known)
