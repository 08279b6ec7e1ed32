"""The queue policy of a model, derived from its SLO.

A request that cannot be answered in time any more is refused by the queue timeout, and only by it: Triton counts
those refusals (REJECTED), but none that a full queue turns away. At 2.25 times the load one replica can serve,
timeout = SLO/2 with a long queue kept 43.6 % of the requests in time (all that the replica could serve) and made
success + REJECTED equal to the offered load; a 2 s timeout kept 0.35 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

# The timeout leaves this share of the SLO for the batch itself; scaling.capacity uses batches that take
# no longer than the other half, so a request waits and is computed within the SLO.
QUEUE_SHARE_OF_SLO: Final = 0.5
# No Triton replica takes in requests faster than this (HTTP front end, measured below 10,000 a second and core),
# so a queue that holds one timeout's worth of them never fills before the timeout refuses.
INTAKE_LIMIT_RPS: Final = 10_000
SHORTEST_QUEUE: Final = 64


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """Triton's default_queue_policy; requests past the timeout are rejected."""

    timeout_microseconds: int
    max_queue_size: int


def queue_policy(*, slo_latency_seconds: float) -> QueuePolicy:
    """The policy under which the timeout always refuses before the queue is full."""
    timeout_seconds = slo_latency_seconds * QUEUE_SHARE_OF_SLO
    return QueuePolicy(
        timeout_microseconds=max(1, round(timeout_seconds * 1e6)),
        max_queue_size=max(SHORTEST_QUEUE, math.ceil(timeout_seconds * INTAKE_LIMIT_RPS)),
    )
