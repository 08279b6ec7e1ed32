"""How long a request may wait in Triton's queue before it is refused."""

from __future__ import annotations

import math
from typing import Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.parallelism import instances

# Below it Triton's limit makes requests wait for the next arrival.
LEAST_INSTANCES: Final = 2
# Of the time until the SLO; the other half is for the batch.
TIMEOUT_SHARE: Final = 0.5


def timeout_microseconds(service: InferenceService, hardware_class: HardwareClass) -> int | None:
    """Half of the SLO's latency; with a `maxQueueDelay`, that and half of what it leaves. None: no limit, as where
    Triton makes no batches.

    Without one an overload makes every request late until its backlog is gone, long after new replicas are there: two
    instances of a model that takes 40 ms + 10 ms an item, SLO 250 ms, at 1.13 and 2.25 times what they can do: 5 and
    1 % of the requests in time without a limit, 86 and 43 % with this one, which is all that there is capacity for. The
    rate within the SLO is 1 to 11 % more with it, for who is refused delays nobody; where a full batch takes more than
    half of the SLO, up to 8 % less (docs/measurements.md).

    **One instance gets none.** Any limit (timeout, its override, size) switches Triton's prefetching off, and then a
    request that finds the instance busy waits for the next arrival, or 500 ms, although the instance is long free: the
    end of a batch wakes the batcher before the instance counts as free. Three requests 6 ms apart to a 20 ms model: 9
    to 25 of 40 rounds took 0.5-1 s with a limit, none over 56 ms without. The end of another instance's batch wakes it
    as well, so with two or more hardly anyone waits for longer than a batch.

    By time and not by number: what a full queue refuses is in none of Triton's metrics, and demand would be unknown.
    """
    model = service.model_on(hardware_class.name)
    if not service.is_batched_on(hardware_class.name) or instances(model, hardware_class) < LEAST_INSTANCES:
        return None
    delay_us = service.spec.batching.max_queue_delay_microseconds
    return math.ceil(delay_us + TIMEOUT_SHARE * (1e6 * service.latency_seconds - delay_us))
