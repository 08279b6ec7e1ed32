"""What is known about now: per pod as it was measured (`Pods`), per service as decisions use it (`Seen`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.readings import Readings


class Gap(IntEnum):
    """Why the demand of a service is unknown."""

    NONE = 0
    NO_READY_REPLICAS = 1  # no pod is expected to report, and none does
    NO_SERIES = 2  # pods are expected to report, and there is no series of any of them
    STALE_SERIES = 3  # there are series, and their newest samples are too old
    UNUSABLE_VALUES = 4  # there are fresh samples, and they are missing in part, not finite, negative or absurd
    CLOCK_SKEW = 5  # there are series, and their newest samples are from the future


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pods:
    """Readings of every pod of every service: one row per pod, `service` is the row of its service.

    `ready` is false for a pod that is being deleted: it is no capacity and nobody waits for its metrics, though
    what it still serves counts as demand.
    """

    service: Ints
    ready: Bools
    ready_age_seconds: Floats
    success_rps: Readings  # requests answered
    failure_rps: Readings  # requests refused or failed, all reasons
    cache_hits_rps: Readings  # those of the requests answered that no model saw; unknown where there is no cache
    inference_rps: Readings  # items (batch elements) answered
    pending: Readings  # requests waiting
    pending_growth_rps: Readings  # change of the above; may be negative
    # The last two over half the window: what a burst shows first.
    short_failure_rps: Readings
    short_pending_growth_rps: Readings
    sample_age_seconds: Readings  # time since the newest sample of the pod

    def __post_init__(self) -> None:
        lengths = {
            len(column)
            for column in (
                self.service,
                self.ready,
                self.ready_age_seconds,
                self.success_rps,
                self.failure_rps,
                self.cache_hits_rps,
                self.inference_rps,
                self.pending,
                self.pending_growth_rps,
                self.short_failure_rps,
                self.short_pending_growth_rps,
                self.sample_age_seconds,
            )
        }
        if len(lengths) > 1:
            raise ValueError(f"columns of Pods must have one length, not {sorted(lengths)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """Observations per service. Where pods are silent `demand` is a lower bound of what is asked."""

    demand: Readings  # items a second that were asked of the model: what the response cache answers needs no replica
    cached: Floats  # items a second that it answered; 0 where demand is unknown
    # Items a second as half the window shows them, answered + refused + growth of the queue: right sooner, less sure.
    # And how many items that is more than the whole window shows. 0 where demand is unknown.
    short_window_rps: Floats
    burst_items: Floats
    pending: Floats  # items waiting; 0 where demand is unknown
    items_per_request: Floats  # the newest known ratio; kept in memory for the moments when none is measured
    ready: Ints  # ready pods
    expected: Ints  # ready pods that have been ready long enough to report
    young: Ints  # ready pods that have not: what they served before Prometheus found them is in no rate
    reporting: Ints  # expected pods that do, with fresh samples
    gap: Ints  # a Gap
    ahead_seconds: Floats  # how far in the future the newest sample is; 0 where none is from there

    @property
    def silent(self) -> Ints:
        """Pods that should report and do not: 0 load when growing, full load when shrinking."""
        silent: Ints = np.maximum(self.expected - self.reporting, 0)
        return silent

    def imagined(self, ready: Ints, *, queue_items: Floats) -> Seen:
        """As it would be with so many ready replicas: where that is more, nothing waits but what a healthy replica
        gathers (`queue_items`)."""
        healthy = np.minimum(self.pending, self.reporting * queue_items)
        return replace(self, ready=ready, pending=np.where(ready > self.ready, healthy, self.pending))
