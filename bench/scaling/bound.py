"""What every policy pays at least for its violations: the check that the simulator gives nothing away."""

from __future__ import annotations

from typing import Final

from foretide.scaling.arrays import Ints
from foretide.simulate.optimum import BoundCurve, ServedAtMost, bound_curve, most_in_time_rps
from foretide.simulate.workload import Service

# Of the time that a batch takes: one in a million of a noise of 1 % is 5 % shorter than the mean.
FASTEST_BATCH: Final = 0.95
BINS_A_STEP: Final = 10
MINIMUM_REPLICAS: Final = 1


def bound_of(arrivals: Ints, service: Service, *, step_seconds: float) -> BoundCurve:
    """For the arrivals of each step, of which ten are one of the bound's. Cold starts are the shortest there are."""
    law = service.law
    model = ServedAtMost.of_bins(
        arrivals,
        bin_seconds=step_seconds,
        bins_a_step=BINS_A_STEP,
        slo_seconds=service.slo_latency_seconds,
        served_rps=most_in_time_rps(
            per_item_seconds=law.per_item_seconds * FASTEST_BATCH,
            fixed_seconds=law.fixed_seconds * FASTEST_BATCH,
            max_batch=law.max_batch,
            instances=law.instances,
            slo_seconds=service.slo_latency_seconds,
        ),
    )
    return bound_curve(
        model,
        step_seconds=model.step_seconds,
        cold_start_seconds=service.cold_start.quantiles_seconds[0],
        minimum_replicas=MINIMUM_REPLICAS,
    )
