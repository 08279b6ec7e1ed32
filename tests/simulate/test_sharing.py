"""Lanes that share one load: each request once, by the number of pods; and Foretide over them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from foretide.scaling.arbitrate import NO_QUOTA
from foretide.scaling.brain import Brain
from foretide.scaling.decision import Bounds
from foretide.scaling.settings import ScalingSettings
from foretide.scaling.tuning import Told, Tuning
from foretide.simulate.divided import DividedBrain
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.outcome import Outcome
from foretide.simulate.run import nothing_known, simulate
from foretide.simulate.scenario import Conditions, Duration, Lane, Law, Routing
from tests.simulate.worlds import constant, lane, run


def pair(first: int, second: int, **more: Any) -> list[Lane]:
    """Two classes of one service with so many pods."""
    return [
        lane(60.0, seconds=1_200.0, seed=place, shares="one", min_replicas=0, initial_replicas=pods, **more)
        for place, pods in enumerate((first, second))
    ]


@pytest.mark.parametrize("fidelity", Fidelity)
def test_pods_of_all_lanes_get_the_same_share(fidelity: Fidelity) -> None:
    found = run(constant(2), *pair(2, 2), fidelity=fidelity)
    whole = sum(outcome.requests for outcome in found)
    assert whole == pytest.approx(60 * 1_200, rel=0.02)
    assert found[0].requests == pytest.approx(whole / 2, rel=0.03)


@pytest.mark.parametrize("fidelity", Fidelity)
def test_what_a_lane_gets_follows_its_pods(fidelity: Fidelity) -> None:
    """One to three at first; the ticks make it two to two, once a cold start of 45 s is over."""
    first, second = run(constant(2), *pair(1, 3), fidelity=fidelity)
    share = first.timeline.arrivals / (first.timeline.arrivals + second.timeline.arrivals)
    assert share[1:3].mean() == pytest.approx(0.25, abs=0.15)
    assert share[8:].mean() == pytest.approx(0.5, abs=0.03)
    # nothing is asked for twice, and nothing is lost, while it moves
    per_second = (first.timeline.arrivals + second.timeline.arrivals)[1:8].mean() / 15.0
    assert per_second == pytest.approx(60.0, rel=0.1)


def test_a_lane_without_pods_gets_nothing_and_the_load_of_nobody_fails() -> None:
    first, second = run(constant(0), *pair(0, 0))
    assert second.requests == 0
    assert first.requests == first.violations == pytest.approx(60 * 1_200, rel=0.02)


def test_a_lane_alone_is_not_touched() -> None:
    (alone,) = run(constant(2), lane(60.0, initial_replicas=2))
    (beside, *_) = run(
        constant(2),
        lane(60.0, initial_replicas=2),
        *(replace(one, rates_rps=one.rates_rps, step_seconds=600.0) for one in pair(2, 2)),
    )
    assert np.array_equal(alone.timeline.arrivals, beside.timeline.arrivals)
    assert alone.violations == beside.violations


def test_arrivals_that_cannot_be_shared_are_refused() -> None:
    with pytest.raises(ValueError, match="arrivals must be Poisson"):
        run(constant(1), *pair(1, 1, arrival_cv=2.0))
    with pytest.raises(ValueError, match="routing must be random"):
        run(constant(1), *pair(1, 1, routing=Routing.ROUND_ROBIN))


def divided(lanes: list[Lane], *, quota: int, maximum: int = 20) -> list[Outcome]:
    """Foretide over one service whose classes these lanes are; the first has a quota."""
    nobody = np.zeros(1, dtype=np.bool_)
    policy = DividedBrain(
        brain=Brain(ScalingSettings()),
        service=np.zeros(len(lanes), dtype=np.int64),
        bounds=Bounds(
            minimum=np.array([1]), maximum=np.array([maximum]), paused=nobody, is_pinned=nobody, pinned=np.array([0])
        ),
        quota=np.array([quota, *[NO_QUOTA] * (len(lanes) - 1)]),
        tuning=Tuning.usual(1),
        told=Told(
            per_item_seconds=np.array([one.law.per_item_seconds for one in lanes]),
            fixed_seconds=np.array([one.law.fixed_seconds for one in lanes]),
            largest=np.array([float(one.law.max_batch) for one in lanes]),
            cold_start_seconds=np.full(len(lanes), 45.0),
        ),
    )
    past = nothing_known(1, end_seconds=1_704_067_200.0)
    return simulate(policy, lanes, conditions=Conditions(), past=past, warm_up_seconds=600.0)


def classes(*laws: Law, rate: float = 200.0) -> list[Lane]:
    return [
        Lane(
            name=f"class {place}",
            rates_rps=np.full(40, rate),
            step_seconds=60.0,
            seed=place,
            law=law,
            slo_latency_seconds=0.25,
            cold_start=Duration.constant(45.0),
            shares="service",
            min_replicas=0,
            max_replicas=20,
            initial_replicas=2 if place == 0 else 0,
        )
        for place, law in enumerate(laws)
    ]


USUAL = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8)
HOPELESS = Law(per_item_seconds=0.300, fixed_seconds=0.040, max_batch=8)


def test_the_second_class_has_what_the_quota_of_the_first_leaves() -> None:
    first, second = divided(classes(USUAL, USUAL), quota=3)
    assert first.timeline.desired.max() == 3
    assert second.timeline.desired.min() >= 1
    together = first.timeline.desired + second.timeline.desired
    assert together.min() >= 200.0 / USUAL.saturation_rps
    late = (first.violations + second.violations) / (first.requests + second.requests)
    assert late < 0.05


def test_without_a_quota_the_second_class_is_not_used() -> None:
    first, second = divided(classes(USUAL, USUAL), quota=20)
    assert second.timeline.desired.max() == 0
    assert first.timeline.desired.min() >= 200.0 / USUAL.saturation_rps


def test_a_class_that_cannot_keep_the_slo_is_left() -> None:
    first, second = divided(classes(HOPELESS, USUAL), quota=NO_QUOTA)
    assert first.timeline.desired[-1] == 0
    assert second.timeline.desired[-1] >= 200.0 / USUAL.saturation_rps
