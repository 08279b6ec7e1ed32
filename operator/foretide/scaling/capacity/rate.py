"""From the batch-time law to the items a second that one replica may be given within the SLO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.law import Law

# Triton loses this between two batches, and no compute counter shows it: 1.5-2 ms measured on 2.51, at 8 items of
# 40 ms + 10 ms each 65.6 items/s where the counters promise 66.7. Near saturation it decides.
BETWEEN_BATCHES_SECONDS: Final = 0.002
# Demand is a mean over half a minute and rises while a pod starts: keep a quarter of room even where the SLO is so
# long that queueing asks for none (with 25 % headroom forecasts held 1 % violations on ten real traces).
MOST_UTILISED: Final = 0.8
# (Ca^2 + Cs^2) of the heavy-traffic formula below: 1 for Poisson arrivals (a Service spreads connections at random)
# and 0.5 for the running batch, which newcomers must wait for. Against a simulation of 126 combinations of law,
# largest batch and SLO the rate at p99 is then wrong by -11..+2 % for an SLO of 4 to 20 single requests, -2..+25 %
# at 3; without the 0.5 by up to +27 % and +62 %.
VARIABILITY: Final = 1.5
# Laws and SLOs are kept within what a replica can mean: a rate stays finite and above 0 for any input.
SHORTEST_SECONDS: Final = 1e-6
LONGEST_SECONDS: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capacity:
    """What one replica is counted on for, and from what that follows."""

    rate_rps: Floats  # items a second; finite, > 0
    batch: Floats  # largest batch that fits twice into the SLO; need not be whole
    queue_items: Floats  # items that wait in a healthy replica: one batch an instance gathers while another runs
    utilisation: Floats
    per_item_seconds: Floats
    fixed_seconds: Floats
    measured: Bools  # false: a prior made of the SLO alone
    feasible: Bools  # false: even a single item, alone, takes longer than the SLO
    slo_seconds: Floats
    objective: Floats


def rate_per_replica(
    law: Law, *, slo_latency_seconds: Floats, objective: Floats, max_batch: Ints, instances: Ints
) -> Capacity:
    """The rate at which the share `objective` of requests is still answered within the SLO; slower laws give less.

    A request may have to wait for one batch before its own runs, so that the largest usable batch b takes half the
    SLO. Of the throughput mu = instances x b / time(b) the replica gets the share rho at which a wait longer than
    W = SLO - time(b) has probability 1 - objective, by Kingman's heavy-traffic limit (1962) for the waiting time,
    P(wait > W) = exp(-2 (1 - rho) mu W / (rho (Ca^2 + Cs^2))).

    Nothing measured: one item at a time, each taking half the SLO. Not even a single item within the SLO: no rate
    keeps it, `feasible` is false, and the throughput of single items at the utilisation of an SLO of two items is
    taken, which lets scaling go on. b is a real number, for with whole ones the rate would rise where b steps down.
    """
    slo = np.clip(np.nan_to_num(slo_latency_seconds, nan=0.0), SHORTEST_SECONDS, LONGEST_SECONDS)
    half = slo / 2.0
    servers = np.maximum(instances, 1).astype(np.float64)
    per_item = np.where(law.measured, _within_reason(law.per_item_seconds), 0.0)
    compute = _within_reason(law.fixed_seconds)
    fixed = np.where(law.measured, compute + BETWEEN_BATCHES_SECONDS, half)
    most = np.where(law.measured, np.minimum(np.maximum(max_batch, 1), np.maximum(law.largest, 1.0)), 1.0)

    # SHORTEST / 1e6 of an item: below, `most` is what limits the batch.
    fitting = (half - fixed) / np.maximum(per_item, SHORTEST_SECONDS * 1e-6)
    batch = np.clip(fitting, 1.0, most)
    cycle = per_item * batch + fixed
    throughput = servers * batch / cycle
    # An SLO below two single items leaves less than one execution to wait: no queueing formula holds there and the
    # rate would fall to 0, so that the fleet ran away to its maximum; hold the utilisation of two.
    wait = np.maximum(slo - cycle, cycle)
    late = np.clip(1.0 - np.nan_to_num(objective, nan=1.0), 1e-9, 1.0)
    rho = 1.0 / (1.0 - np.log(late) * VARIABILITY / (2.0 * throughput * wait))
    utilisation = np.minimum(rho, MOST_UTILISED)
    alone = per_item + compute
    return Capacity(
        rate_rps=throughput * utilisation,
        batch=batch,
        queue_items=servers * batch,
        utilisation=utilisation,
        per_item_seconds=per_item,
        fixed_seconds=np.where(law.measured, compute, half),
        measured=law.measured,
        feasible=~(law.measured & law.single_known & (alone > slo)),
        slo_seconds=slo,
        objective=1.0 - late,
    )


def _within_reason(seconds: Floats) -> Floats:
    within: Floats = np.clip(np.nan_to_num(seconds, nan=LONGEST_SECONDS), 0.0, LONGEST_SECONDS)
    return within
