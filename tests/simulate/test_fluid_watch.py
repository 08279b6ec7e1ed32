"""What the fluid is fitted to: steps in which no request is made or lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foretide.simulate.fluid_watch import REPLICAS, STEPS, Steps, watched
from foretide.simulate.scenario import Queue
from tests.simulate.worlds import LAW


@pytest.fixture(
    scope="module", params=[Queue(), Queue(timeout_seconds=0.125, max_size=2_000)], ids=["default", "timely"]
)
def steps(request: pytest.FixtureRequest) -> Steps:
    return watched(LAW, 0.25, request.param, 1.0)


def test_every_step_of_every_replica_is_there(steps: Steps) -> None:
    assert steps.there.shape == steps.came.shape == (STEPS - 1, 2 * REPLICAS)
    assert steps.sizes.shape == (STEPS - 1, 2 * REPLICAS, LAW.max_batch + 1)


def test_requests_are_neither_made_nor_lost(steps: Steps) -> None:
    after = steps.there + steps.came - steps.completed - steps.failed
    assert np.array_equal(after[:-1], steps.there[1:])
    assert (steps.waiting <= after).all()
    assert (steps.late <= steps.completed).all()


def test_batches_hold_what_was_answered(steps: Steps) -> None:
    assert np.array_equal(steps.sizes.sum(axis=-1), steps.executions)
    assert np.array_equal(steps.sizes @ np.arange(LAW.max_batch + 1), steps.completed)


def test_time_in_a_replica_is_the_integral_of_what_is_there(steps: Steps) -> None:
    """Little: over all steps, what is there is about the mean of its begin and end."""
    after = steps.there + steps.came - steps.completed - steps.failed
    assert steps.concurrency_seconds.min() >= -1e-6
    assert steps.concurrency_seconds.mean() == pytest.approx((0.5 * (steps.there + after)).mean(), rel=0.02)


def test_a_fast_model_is_watched_for_fewer_steps() -> None:
    """20 million requests tell enough; with 8 of 5 ms they would be 300 million."""
    fast = replace(LAW, per_item_seconds=0.0005, fixed_seconds=0.001)
    found = watched(fast, 0.05, Queue(), 1.0)
    assert len(found.there) < STEPS / 3
    assert found.came.sum() < 3e7
