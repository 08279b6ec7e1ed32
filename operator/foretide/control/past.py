"""A piece of the past of services: what Prometheus still knows of their Deployments, made into demand by the minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from foretide.adapters import promql
from foretide.adapters.prometheus import Prometheus
from foretide.adapters.prometheus_grid import Workload
from foretide.api.inferenceservice import InferenceService
from foretide.control.world import Key
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.demand import past_demand
from foretide.scaling.policy import Past, Quantity
from foretide.scaling.readings import Readings
from foretide.serving.naming import deployment_name

STEP_SECONDS: Final = 60.0
OF_EVERY_MODEL: Final = (Quantity.SUCCESS, Quantity.FAILURE, Quantity.INFERENCE)
# By the chart's rules.
RECORDED: Final = (*OF_EVERY_MODEL, Quantity.CACHE_HITS)


class ServiceId(NamedTuple):
    """A service by its uid: one that was deleted and made anew has a past of its own."""

    key: Key
    uid: str


class Owner(NamedTuple):
    """A service, the Deployment that its past is found by, and the moment (Unix time) since when that is its own."""

    service: ServiceId
    workload: Workload
    since_seconds: float
    max_batch: int
    others: tuple[Workload, ...] = ()  # of its other hardware classes; what all of them were asked for is its past
    caches: bool = False  # what it answers from its response cache was not asked of the model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """A piece of the past; row i is that of `services[i]`. No two chunks tell of the same minute of a service."""

    services: tuple[ServiceId, ...]
    past: Past

    def of(self, services: Sequence[ServiceId]) -> Past:
        """One row for each of these, in order: unknown where this chunk tells nothing of it."""
        place = {service: row for row, service in enumerate(self.services)}
        rows = np.array([place.get(service, -1) for service in services], dtype=np.int64)
        here = np.flatnonzero(rows >= 0)
        shape = (len(services), self.past.demand.value.shape[1])
        value, known = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
        value[here], known[here] = self.past.demand.value[rows[here]], self.past.demand.known[rows[here]]
        return Past(
            demand=Readings(value=value, known=known),
            step_seconds=self.past.step_seconds,
            end_seconds=self.past.end_seconds,
        )


def owner_of(service: InferenceService, *, since_seconds: float) -> Owner:
    """The service with the Deployments of all classes that it lists."""
    first, *others = (
        Workload(service.namespace, deployment_name(service.name, name)) for name in service.hardware_classes
    )
    return Owner(
        ServiceId(Key(service.namespace, service.name), service.uid),
        first,
        since_seconds=since_seconds,
        max_batch=service.spec.model.largest_batch,
        others=tuple(others),
        caches=service.spec.response_cache is not None,
    )


def own_minutes(owner: Owner, end_seconds: float, *, rate_window_seconds: float) -> int:
    """Whole minutes up to that moment that are the service's own. A rate looks back over its window, in which no
    predecessor of the same name may have been."""
    since = owner.since_seconds + promql.history_window_seconds(rate_window_seconds)
    return max(int((end_seconds - since) // STEP_SECONDS) + 1, 0)


async def read(
    prometheus: Prometheus,
    owners: Sequence[Owner],
    *,
    steps: int,
    end_seconds: float,
    rate_window_seconds: float,
    namespaces: Sequence[str] = (),
) -> Chunk:
    """So many minutes up to that moment, of the services of which something is known; raises AdapterError."""
    ends = end_seconds - STEP_SECONDS * np.arange(steps - 1, -1, -1, dtype=np.float64)
    own = np.array([own_minutes(owner, end_seconds, rate_window_seconds=rate_window_seconds) for owner in owners])
    theirs = np.arange(steps, 0, -1) <= own[:, None]
    workloads = [workload for owner in owners for workload in (owner.workload, *owner.others)]
    row_of = np.repeat(np.arange(len(owners)), [1 + len(owner.others) for owner in owners])

    async def rates(quantity: Quantity) -> Floats:
        recorded = promql.recorded(quantity, namespaces=namespaces)
        computed = promql.history(quantity, rate_window_seconds=rate_window_seconds, namespaces=namespaces)
        found = await _rates(prometheus, recorded, computed, workloads, ends)
        return np.where(theirs, _together(found, row_of), np.nan)

    success, failure, inference = [await rates(quantity) for quantity in OF_EVERY_MODEL]
    # Of a model without a cache there are no series, and what nobody recorded Prometheus would be asked to compute.
    hits = await rates(Quantity.CACHE_HITS) if any(owner.caches for owner in owners) else np.full(theirs.shape, np.nan)
    max_batch = np.array([owner.max_batch for owner in owners], dtype=np.int64)
    demand = past_demand(success, failure, inference, hits, max_batch=max_batch)
    told = np.flatnonzero(demand.known.any(axis=1)).tolist()
    return Chunk(
        services=tuple(owners[row].service for row in told),
        past=Past(
            demand=Readings(value=demand.value[told], known=demand.known[told]),
            step_seconds=STEP_SECONDS,
            end_seconds=end_seconds,
        ),
    )


def _together(rates: Floats, owner_of: Ints) -> Floats:
    """Sums over the workloads of each owner, whose rows follow each other; NaN where none of them is known."""
    first = np.flatnonzero(np.diff(owner_of, prepend=-1))
    if len(first) == len(rates):
        return rates
    known = np.add.reduceat(np.isfinite(rates), first, axis=0, dtype=np.int64) > 0
    together: Floats = np.where(known, np.add.reduceat(np.nan_to_num(rates), first, axis=0), np.nan)
    return together


async def _rates(
    prometheus: Prometheus, recorded: str, computed: str, workloads: Sequence[Workload], ends: Floats
) -> Floats:
    """[workloads, steps], per second: as recorded, and computed by Prometheus where nothing at all was recorded.

    Not by `or` in one expression, of which Prometheus computes both sides (1,050 samples read for the rates, 90 for
    what was recorded of them, 1,140 for one `or` the other).
    """
    kept = await prometheus.history(recorded, start_seconds=ends[0], end_seconds=ends[-1], step_seconds=STEP_SECONDS)
    found = kept.of(workloads)
    unrecorded = np.flatnonzero(~np.isfinite(kept.values).any(axis=0))
    if len(unrecorded):
        first, last = unrecorded[0], unrecorded[-1]
        made = await prometheus.history(
            computed, start_seconds=ends[first], end_seconds=ends[last], step_seconds=STEP_SECONDS
        )
        gap = found[:, first : last + 1]
        gap[...] = np.where(np.isfinite(gap), gap, made.of(workloads))
    return found
