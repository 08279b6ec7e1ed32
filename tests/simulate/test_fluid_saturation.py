"""A replica whose queue lasts serves what the law says: as much, and as evenly, as request by request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.fluid_grid import Grid
from foretide.simulate.fluid_saturation import saturated
from foretide.simulate.scenario import Law, Queue
from tests.simulate.worlds import LAW, constant, lane, run

TIMELY = Queue(timeout_seconds=0.125, max_size=2_000)
SERVED = Query(Quantity.SUCCESS, Over.RATE, 60.0)


def rates(
    load: float, fidelity: Fidelity, *, law: Law = LAW, queue: Queue = TIMELY, query: Query = SERVED
) -> np.ndarray:
    """Of one replica, minute by minute."""
    policy = constant(1, queries=(query,), tick_seconds=60.0)
    some = lane(load * law.saturation_rps, seconds=7_200.0, law=law, queue=queue, max_replicas=1)
    run(policy, some, fidelity=fidelity)
    return np.array([seen.answers[query].value[0] for seen in policy.seen[3:]])


@pytest.mark.parametrize("noise_cv", [0.0, 0.01])
@pytest.mark.parametrize("load", [1.6, 2.0, 3.0, 4.5, 7.0])
def test_a_queue_that_refuses_serves_as_much_and_as_evenly_as_request_by_request(load: float, noise_cv: float) -> None:
    """A policy that asks for ceil(served / most) replicas needs both: 66.3 of 66.1 requests/s are one replica more."""
    law = replace(LAW, noise_cv=noise_cv)
    fluid, true = (rates(load, fidelity, law=law) for fidelity in (Fidelity.FLUID, Fidelity.ARRIVALS))
    assert fluid.mean() == pytest.approx(true.mean(), rel=0.005)
    assert 0.4 * true.std() < fluid.std() < 1.6 * true.std()
    assert fluid.max() < LAW.saturation_rps * 1.003


@pytest.mark.parametrize("query", [SERVED, Query(Quantity.EXECUTION, Over.RATE, 60.0)])
@pytest.mark.parametrize("load", [2.0, 3.0])
def test_batches_are_not_full_where_the_queue_refuses_before_they_are(load: float, query: Query) -> None:
    """A batch of 16 takes 200 ms of the SLO of 250 ms: what waits for 62.5 ms is refused, and at twice what a replica
    can do that is 10 requests at a time."""
    law = replace(LAW, max_batch=16)
    queue = replace(TIMELY, timeout_seconds=0.0625)
    fluid, true = (
        rates(load, fidelity, law=law, queue=queue, query=query) for fidelity in (Fidelity.FLUID, Fidelity.ARRIVALS)
    )
    assert fluid.mean() == pytest.approx(true.mean(), rel=0.02)


def test_the_most_is_full_batches_one_after_the_other() -> None:
    grid = Grid(there=np.array([0.0, 40.0, 80.0]), total=np.array([0.0, 80.0, 200.0]))
    found = saturated(grid, LAW, Queue(), 1.0)
    assert found.full.tolist() == [[False] * 3, [False] * 3, [True] * 3]
    assert found.completed == pytest.approx(np.full((3, 3), LAW.saturation_rps))
    assert found.completed == pytest.approx(LAW.max_batch * found.executions)
    assert found.variance == pytest.approx(np.zeros((3, 3))), "batch times of this law have no noise"


def test_missed_wake_ups_cost_the_time_to_the_next_arrival() -> None:
    grid = Grid(there=np.array([0.0, 40.0]), total=np.array([80.0, 200.0, 500.0]))
    found = saturated(grid, LAW, TIMELY, 1.0)
    assert found.full[0].tolist() == [False, True, True]
    assert np.isinf(found.completed[:, 0]).all(), "what is not full is not told"
    batch = LAW.max_batch / LAW.saturation_rps
    assert found.completed[0, 1] == pytest.approx(LAW.max_batch / (batch + TIMELY.missed_wake_ups / 200.0))
    assert found.completed[0, 1] < found.completed[0, 2] < LAW.saturation_rps
    assert found.variance[0, 1] > found.variance[0, 2] > 0.0
