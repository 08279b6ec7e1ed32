"""How long a request may wait in Triton's queue before it is refused."""

from __future__ import annotations

from typing import Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.parallelism import instances

# Below it Triton's limit makes requests wait for the next arrival.
LEAST_INSTANCES: Final = 2
# Of the time until the SLO; the other half is for the batch.
SHARE: Final = 0.5


def timeout_microseconds(service: InferenceService, hardware_class: HardwareClass) -> int | None:
    """Of a model that Triton makes batches of: half of the SLO's latency, or of what max_queue_delay leaves of it; None
    where there must be no limit.

    Without one an overload makes every request late until its backlog is gone, long after new replicas are there: two
    instances of a model that takes 40 ms + 10 ms an item, SLO 250 ms, at 2.25 times what they can do: 0.9 % of the
    requests in time without a limit, 38 % with this one. In the simulated rates within the SLO it costs nothing either:
    1 to 12 % more for SLOs of 2 to 20 full batches, because who is refused delays nobody.

    **One instance gets none.** Any limit (timeout, its override, size) switches Triton's prefetching off, and then a
    request that finds the instance busy waits for the next arrival, or 500 ms, although the instance is long free: the
    end of a batch wakes the batcher before the instance counts as free. Three requests 6 ms apart to a 20 ms model: 9
    to 25 of 40 rounds took 0.5-1 s with a limit, none over 56 ms without. The end of another instance's batch wakes it
    as well, so with two or more the wait is a batch at most (docs/measurements.md).

    By time and not by number: what a full queue refuses is in none of Triton's metrics, and demand would be unknown.
    """
    if instances(service.model_on(hardware_class.name), hardware_class) < LEAST_INSTANCES:
        return None
    delay_seconds = service.spec.batching.max_queue_delay_microseconds / 1e6
    return round(1e6 * (delay_seconds + SHARE * (service.latency_seconds - delay_seconds)))
