"""Demand as peers query it: what came, what was answered, or what was answered and what failed."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np

from foretide.scaling.policy import Observation, Over, Quantity, Query
from foretide.scaling.readings import Readings

Counted: TypeAlias = tuple[Quantity, ...]

# Of whoever counts at a router, a load balancer or a queue-proxy, before the server.
ASKED: Final[Counted] = (Quantity.ARRIVED,)
# Of whoever has the server's counters alone.
ANSWERED: Final[Counted] = (Quantity.SUCCESS,)
ANSWERED_OR_FAILED: Final[Counted] = (Quantity.SUCCESS, Quantity.FAILURE)


def demand_queries(window_seconds: float, counted: Counted) -> tuple[Query, ...]:
    """What `demand` needs to be answered."""
    return tuple(Query(quantity, Over.RATE, window_seconds) for quantity in counted)


def demand(seen: Observation, window_seconds: float, counted: Counted) -> Readings:
    """Requests a second of each service, over all pods that answer; unknown where none tells the first quantity."""
    first, *others = (seen.total(query) for query in demand_queries(window_seconds, counted))
    value = first.value + sum(np.where(other.known, other.value, 0.0) for other in others)
    return Readings(value=np.where(first.known, value, 0.0), known=first.known)
