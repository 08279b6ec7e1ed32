"""From the batch-time law to the items a second that one replica may be given within the SLO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.lattice import lattice
from foretide.scaling.capacity.law import Law

# Triton loses this between two batches, and no compute counter shows it: 1.5-2 ms measured on 2.51, at 8 items of
# 40 ms + 10 ms each 65.6 items/s where the counters promise 66.7. Near saturation it decides.
BETWEEN_BATCHES_SECONDS: Final = 0.002
# For SLOs so long that queueing asks for hardly any room: there an error of 3 % in the law, or a demand that is a mean
# over half a minute and rises while a pod starts, makes a queue that only grows. Shorter SLOs leave more room anyway.
MOST_UTILISED: Final = 0.9
# Of a replica that nothing is known of, each item taking half the SLO. 0.13 would keep 99 % within it; but nearly every
# model is faster than that, and what a first minute adds too much stays for the hold.
PRIOR_UTILISED: Final = 0.22
# Of a replica that no load keeps within the SLO: what the documents of the HPA and of Triton aim at. More replicas make
# nothing in time, and as few as serve what is asked do not let it queue up. It is reached where a single item takes
# twice the SLO, so that a law that is a little above and below the SLO by turns moves no fleet.
HOPELESS_UTILISED: Final = 0.7
# The correction of latencies stays within these (`kappa.py`).
LEAST_KAPPA: Final = 0.5
MOST_KAPPA: Final = 2.0
# Far beyond the table, which ends at 8.
MOST_ARRIVAL_CV2: Final = 1e6
# Laws and SLOs are kept within what a replica can mean: a rate stays finite and above 0 for any input.
SHORTEST_SECONDS: Final = 1e-6
LONGEST_SECONDS: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capacity:
    """What one replica is counted on for, and from what that follows."""

    rate_rps: Floats  # items a second; finite, > 0
    batch: Floats  # largest batch that fits twice into the SLO; need not be whole
    queue_items: Floats  # items that wait in a healthy replica: one batch an instance gathers while another runs
    utilisation: Floats  # the rate as a share of what full batches give
    per_item_seconds: Floats
    fixed_seconds: Floats
    known: Bools  # false: a prior made of the SLO alone
    told: Bools  # by a ModelProfile, and nothing measured yet
    feasible: Bools  # false: even a single item, alone, takes longer than the SLO
    slo_seconds: Floats
    objective: Floats

    @property
    def saturation_rps(self) -> Floats:
        """Items a second that full batches give."""
        return self.rate_rps / self.utilisation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pace:
    """How fast one replica works, with all that Triton adds to the law; finite, whatever the law is."""

    per_item_seconds: Floats
    fixed_seconds: Floats  # with the pause between batches; above 0
    largest_batch: Floats  # need not be whole; at least 1
    servers: Floats  # that share a queue; at least 1

    @property
    def single_seconds(self) -> Floats:
        """The time of a single item alone, which is the unit of the table."""
        return self.per_item_seconds + self.fixed_seconds

    @property
    def saturation_rps(self) -> Floats:
        """Items a second with all batches full."""
        return self.servers * self.largest_batch / (self.per_item_seconds * self.largest_batch + self.fixed_seconds)

    @classmethod
    def of(cls, law: Law, *, max_batch: Ints, instances: Ints) -> Pace:
        """All arrays [services]. A batch larger than any that was seen is not counted on: there the law is a guess."""
        return cls(
            per_item_seconds=_within_reason(law.per_item_seconds),
            fixed_seconds=_within_reason(law.fixed_seconds) + BETWEEN_BATCHES_SECONDS,
            largest_batch=np.minimum(np.maximum(max_batch, 1), np.maximum(np.nan_to_num(law.largest), 1.0)),
            servers=np.maximum(instances, 1).astype(np.float64),
        )


def rate_per_replica(
    law: Law,
    *,
    slo_latency_seconds: Floats,
    objective: Floats,
    max_batch: Ints,
    instances: Ints,
    arrival_cv2: Floats | None = None,
    kappa: Floats | None = None,
) -> Capacity:
    """The rate at which the share `objective` of requests is still answered within the SLO; slower laws give less.

    From a simulated replica whose free instances take what waits, at most a full batch (docs/capacity-table.md). All
    arrays are [services]. `arrival_cv2` is the squared coefficient of variation of the times between the arrivals of
    one replica, by default 1 (Poisson); random routing over n replicas makes 1 + (cv2 - 1) / n of that of the service.
    `kappa` is observed latency over predicted (`kappa.observe`), by default 1: the SLO is divided by it.

    Nothing measured: one item at a time, each taking half the SLO, at PRIOR_UTILISED. An SLO below two single items:
    hardly any load keeps it and the fleet would run away to its maximum, so the load that keeps two singles of the
    steepest law is taken. Not even a single item within the SLO: `feasible` is false, and the longer it takes, the
    less is spent on what cannot be kept (HOPELESS_UTILISED).
    """
    slo = np.clip(np.nan_to_num(slo_latency_seconds, nan=0.0), SHORTEST_SECONDS, LONGEST_SECONDS)
    late = np.clip(1.0 - np.nan_to_num(objective, nan=1.0), 1e-9, 1.0)
    half = slo / 2.0
    learnt = Pace.of(law, max_batch=max_batch, instances=instances)
    pace = Pace(
        per_item_seconds=np.where(law.known, learnt.per_item_seconds, 0.0),
        fixed_seconds=np.where(law.known, learnt.fixed_seconds, half),
        largest_batch=np.where(law.known, learnt.largest_batch, 1.0),
        servers=learnt.servers,
    )
    per_server = lattice().rate_per_server(
        per_item_seconds=pace.per_item_seconds,
        fixed_seconds=pace.fixed_seconds,
        slo_latency_seconds=slo / _or_one(kappa, slo, LEAST_KAPPA, MOST_KAPPA),
        objective=1.0 - late,
        largest_batch=pace.largest_batch,
        servers=pace.servers,
        arrival_cv2=_or_one(arrival_cv2, slo, 1.0, MOST_ARRIVAL_CV2),
    )
    saturation = pace.saturation_rps
    compute = np.where(law.known, _within_reason(law.fixed_seconds), half)
    single = np.where(law.known & law.single_known, pace.per_item_seconds + compute, 0.0)
    kept = np.minimum(pace.servers * per_server / saturation, MOST_UTILISED)
    kept += np.clip(single / slo - 1.0, 0.0, 1.0) * np.maximum(HOPELESS_UTILISED - kept, 0.0)
    utilisation = np.where(law.known, kept, PRIOR_UTILISED)
    # SHORTEST / 1e6 of an item: below, the largest batch is what limits.
    fitting = (half - pace.fixed_seconds) / np.maximum(pace.per_item_seconds, SHORTEST_SECONDS * 1e-6)
    batch = np.clip(fitting, 1.0, pace.largest_batch)
    return Capacity(
        rate_rps=saturation * utilisation,
        batch=batch,
        queue_items=pace.servers * batch,
        utilisation=utilisation,
        per_item_seconds=pace.per_item_seconds,
        fixed_seconds=compute,
        known=law.known,
        told=law.told,
        feasible=single <= slo,
        slo_seconds=slo,
        objective=1.0 - late,
    )


def _within_reason(seconds: Floats) -> Floats:
    within: Floats = np.clip(np.nan_to_num(seconds, nan=LONGEST_SECONDS), 0.0, LONGEST_SECONDS)
    return within


def _or_one(given: Floats | None, like: Floats, low: float, high: float) -> Floats:
    """1 where nothing is given or what is given is no number."""
    if given is None:
        return np.ones_like(like)
    kept: Floats = np.clip(np.nan_to_num(given, nan=1.0), low, high)
    return kept
