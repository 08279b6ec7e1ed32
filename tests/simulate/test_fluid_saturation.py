"""A replica whose queue lasts serves what the law says: as much, and as evenly, as request by request."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.fluid_grid import Grid
from foretide.simulate.fluid_saturation import saturated
from foretide.simulate.scenario import Queue
from tests.simulate.worlds import LAW, constant, lane, run

TIMELY = Queue(timeout_seconds=0.125, max_size=2_000)
SERVED = Query(Quantity.SUCCESS, Over.RATE, 60.0)


def served_rps(load: float, fidelity: Fidelity) -> np.ndarray:
    """Of one replica, minute by minute."""
    policy = constant(1, queries=(SERVED,), tick_seconds=60.0)
    run(policy, lane(load * LAW.saturation_rps, seconds=7_200.0, queue=TIMELY, max_replicas=1), fidelity=fidelity)
    return np.array([seen.answers[SERVED].value[0] for seen in policy.seen[3:]])


@pytest.mark.parametrize("load", [1.6, 2.0, 3.0, 4.5, 7.0])
def test_a_queue_that_refuses_serves_as_much_and_as_evenly_as_request_by_request(load: float) -> None:
    """A policy that asks for ceil(served / most) replicas needs both: 66.3 of 66.1 requests/s are one replica more."""
    fluid, true = (served_rps(load, fidelity) for fidelity in (Fidelity.FLUID, Fidelity.ARRIVALS))
    assert fluid.mean() == pytest.approx(true.mean(), rel=0.005)
    assert 0.4 * true.std() < fluid.std() < 1.6 * true.std()
    assert fluid.max() < LAW.saturation_rps * 1.003


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
