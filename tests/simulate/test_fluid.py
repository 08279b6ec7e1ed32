"""The fluid: as the fine fidelity in what counts, and plain about what it cannot do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate import fidelity as fidelity_module
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.fluid_columns import COMPLETED, FAILED
from foretide.simulate.fluid_table import table_of
from foretide.simulate.outcome import Outcome
from foretide.simulate.scenario import Conditions, Duration, Lane, Queue, Routing
from tests.simulate.worlds import LAW, Scripted, constant, lane, run, same

SATURATION = LAW.saturation_rps
TIMELY = Queue(timeout_seconds=0.125, max_size=2_000)
POINTS = 0.003


def fluid(policy: Scripted, *lanes: Lane, **more: Any) -> list[Outcome]:
    return run(policy, *lanes, fidelity=Fidelity.FLUID, **more)


def shares(policy: Scripted, some: Lane) -> tuple[float, float]:
    """Of the violations, as a fluid and request by request."""
    found = [run(policy, some, fidelity=fidelity)[0] for fidelity in (Fidelity.FLUID, Fidelity.ARRIVALS)]
    return found[0].violations / found[0].requests, found[1].violations / found[1].requests


@pytest.mark.parametrize("queue", [Queue(), TIMELY], ids=["default", "timely"])
@pytest.mark.parametrize("load", [0.7, 0.85])
@pytest.mark.parametrize("replicas", [1, 6])
def test_steady_loads_violate_as_often(queue: Queue, load: float, replicas: int) -> None:
    rate = load * replicas * SATURATION
    found, true = shares(
        constant(replicas), lane(rate, seconds=14_400.0, queue=queue, initial_replicas=replicas, max_replicas=replicas)
    )
    assert true > 0.007
    assert found == pytest.approx(true, abs=POINTS)


@pytest.mark.parametrize(
    ("change", "load"),
    [
        ({"slo_latency_seconds": 2.0}, 0.97),  # steps of 2.5 s
        ({"law": replace(LAW, instances=2), "slo_latency_seconds": 0.25}, 0.85),
        ({"law": replace(LAW, max_batch=3), "slo_latency_seconds": 0.4}, 0.85),
    ],
    ids=["long steps", "two instances", "small batches"],
)
def test_other_services_violate_as_often(change: dict[str, Any], load: float) -> None:
    law = change.get("law", LAW)
    some = lane(2 * load * law.saturation_rps, seconds=14_400.0, initial_replicas=2, max_replicas=2, **change)
    found, true = shares(constant(2), some)
    assert true > 0.001
    assert found == pytest.approx(true, abs=0.005)


@pytest.mark.parametrize("load", [1.3, 4.0, 12.0])
@pytest.mark.parametrize("queue", [Queue(), TIMELY], ids=["default", "timely"])
def test_overloads_violate_as_often_bin_by_bin(queue: Queue, load: float) -> None:
    """Also what is still there when the run ends is counted when it came."""
    some = lane([0.3 * SATURATION, load * SATURATION, 0.3 * SATURATION, load * SATURATION], seconds=240.0, queue=queue)
    coarse, fine = (run(constant(1), some, fidelity=fidelity)[0] for fidelity in (Fidelity.FLUID, Fidelity.ARRIVALS))
    assert coarse.violations == pytest.approx(fine.violations, rel=0.02)
    assert (coarse.timeline.violations <= coarse.timeline.arrivals * 1.1 + 20).all()
    assert coarse.timeline.violations == pytest.approx(fine.timeline.violations, abs=0.1 * fine.timeline.arrivals.max())


@pytest.mark.parametrize("queue", [Queue(), TIMELY], ids=["default", "timely"])
def test_a_flash_crowd_violates_as_often(queue: Queue) -> None:
    """Overload, growth by cold starts, and the queue that has to be worked off."""
    policy = Scripted(lambda tick: 1 if tick < 45 else 4)
    found, true = shares(policy, lane([20.0] * 4 + [180.0] * 4 + [20.0] * 4, seconds=1_200.0, queue=queue))
    assert true > 0.3
    assert found == pytest.approx(true, abs=0.01)


def test_replicas_cost_the_same() -> None:
    policy = Scripted(lambda tick: 1 + tick % 4)
    some = lane(60.0, seconds=3_600.0)
    (coarse,), (fine,) = fluid(policy, some), run(policy, some)
    assert coarse.replica_seconds == pytest.approx(fine.replica_seconds, rel=0.02)
    assert coarse.scale_events == fine.scale_events


def test_what_prometheus_shows_is_the_same_in_the_mean() -> None:
    ask = (
        Query(Quantity.SUCCESS, Over.RATE, 60.0),
        Query(Quantity.BUSY_SECONDS, Over.RATE, 60.0),
        Query(Quantity.EXECUTION, Over.RATE, 60.0),
        Query(Quantity.CONCURRENCY_SECONDS, Over.RATE, 60.0),
        Query(Quantity.REQUEST_SECONDS, Over.RATE, 60.0),
    )
    means = []
    for fidelity in Fidelity:
        policy = constant(2, queries=ask)
        run(policy, lane(90.0, seconds=7_200.0, initial_replicas=2), fidelity=fidelity)
        means.append([np.mean([seen.total(query).value[0] for seen in policy.seen[8:]]) for query in ask])
    assert means[1] == pytest.approx(means[0], rel=0.05)


def seen(queries: tuple[Query, ...], load: float, *, seconds: float = 600.0) -> list[np.ndarray[Any, Any]]:
    """What two replicas show at each tick as a fluid, and request by request; [ticks, queries, replicas]."""
    rate = 2 * load * SATURATION
    found = []
    for fidelity in (Fidelity.FLUID, Fidelity.ARRIVALS):
        policy = constant(2, queries=queries)
        run(policy, lane(rate, seconds=seconds, initial_replicas=2, max_replicas=2), fidelity=fidelity)
        found.append(np.array([[look.answers[query].value for query in queries] for look in policy.seen[8:]]))
    return found


def test_an_overload_is_served_and_waits_as_it_does_request_by_request() -> None:
    """Without decisions, for an hour: an error of 0.4 % in what a replica serves is a tenth of this queue."""
    fluid_shows, true = seen((Query(Quantity.SUCCESS), Query(Quantity.PENDING)), 1.05, seconds=3_600.0)
    assert fluid_shows[-1, 0] == pytest.approx(true[-1, 0], rel=0.001)
    assert fluid_shows[-1, 1] == pytest.approx(true[-1, 1], rel=0.02)


@pytest.mark.parametrize("load", [0.02, 0.1, 0.3, 0.7])
def test_single_requests_are_as_fast_as_request_by_request(load: float) -> None:
    """Latencies of replicas that idle decide how far a policy that follows latencies shrinks."""
    ask = (Query(Quantity.REQUEST_SECONDS), Query(Quantity.SUCCESS))
    latency = [
        (looks[-1] - looks[0])[0].sum() / (looks[-1] - looks[0])[1].sum() for looks in seen(ask, load, seconds=14_400.0)
    ]
    assert latency[0] == pytest.approx(latency[1], rel=0.06)


def test_latencies_in_overload_grow_as_they_do_request_by_request() -> None:
    ask = (Query(Quantity.REQUEST_SECONDS, Over.RATE, 60.0), Query(Quantity.SUCCESS, Over.RATE, 60.0))
    latency = [looks[:, 0].sum(axis=1) / looks[:, 1].sum(axis=1) for looks in seen(ask, 1.3)]
    assert latency[1][-1] > 100.0
    assert latency[0] == pytest.approx(latency[1], rel=0.03)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8, 0.9])
def test_what_waits_is_drawn_not_its_mean(load: float) -> None:
    """Who looks at every replica sees one that is free and one that is full, not two of the mean."""
    fluid_shows, true = (looks.ravel() for looks in seen((Query(Quantity.PENDING),), load, seconds=28_800.0))
    assert fluid_shows.mean() == pytest.approx(true.mean(), rel=0.12)
    assert fluid_shows.std() == pytest.approx(true.std(), rel=0.15)
    assert np.array_equal(fluid_shows, np.floor(fluid_shows)), "whole requests"


def test_batches_are_of_all_sizes_that_they_have_request_by_request() -> None:
    """A law of batch times is learned from small and large ones; two sizes around the mean would tell of no others."""
    executions = []
    for fidelity in (Fidelity.FLUID, Fidelity.ARRIVALS):
        policy = constant(2)
        run(policy, lane(2 * 0.6 * SATURATION, seconds=7_200.0, initial_replicas=2), fidelity=fidelity)
        batches = [look.batches for look in policy.seen]
        counts = [np.bincount(each.batch_size, each.executions, minlength=LAW.max_batch + 1) for each in batches]
        executions.append(np.sum(counts, axis=0))
    shares = [found / found.sum() for found in executions]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
    assert (shares[0][1:] > 0.0).all()


rates = st.lists(st.sampled_from([0.0, 5.0, 60.0, 250.0]), min_size=1, max_size=5)


@settings(max_examples=15)
@given(rates, st.lists(st.integers(0, 8), min_size=1, max_size=20), st.sampled_from([0.0, 20.0]))
def test_no_request_is_counted_twice(steps: list[float], script: list[int], crashes: float) -> None:
    some = lane(steps, seconds=300.0, queue=TIMELY, cold_start=Duration.lognormal(30.0, 0.5), min_replicas=0)
    policy = Scripted(lambda tick: script[tick % len(script)])
    (outcome,) = fluid(policy, some, conditions=Conditions(crashes_per_hour=crashes))
    assert 0 <= outcome.failures <= outcome.violations <= outcome.requests
    assert outcome.latencies.answered == 0, "it knows none"
    assert np.isfinite(outcome.replica_seconds)


def test_the_same_seed_gives_the_same_bits_alone_or_beside_others() -> None:
    script = Scripted(lambda tick: 1 + tick % 3)
    (alone,) = fluid(script, lane())
    other = lane(120.0, name="other", queue=TIMELY)
    slow = lane(20.0, name="slow", slo_latency_seconds=2.0, law=replace(LAW, max_batch=16))
    beside, _, _ = fluid(script, lane(), other, slow)
    assert same(alone, beside)


@settings(max_examples=15)
@given(rates, st.lists(st.integers(0, 8), min_size=1, max_size=20), st.integers(0, 9))
def test_both_fidelities_run_the_same_requests(steps: list[float], script: list[int], seed: int) -> None:
    some = lane(steps, seconds=300.0, min_replicas=0, seed=seed)
    found = [
        run(Scripted(lambda tick: script[tick % len(script)]), some, fidelity=fidelity)[0] for fidelity in Fidelity
    ]
    assert np.array_equal(found[0].timeline.arrivals, found[1].timeline.arrivals)


def test_requests_take_the_same_routes_after_fleets_differed_for_a_moment() -> None:
    """A pod becomes routable within a step in one and between two in the other."""
    ask = (Query(Quantity.ARRIVED),)
    got = []
    for fidelity in Fidelity:
        policy = Scripted(lambda tick: 2 if 20 <= tick < 40 else 1, queries=ask)
        run(
            policy, lane(60.0, seconds=900.0, cold_start=Duration.constant(46.3), initial_replicas=1), fidelity=fidelity
        )
        got.append([policy.seen[tick].answers[ask[0]].value for tick in (30, 38)])
    between = [late - early for early, late in got]
    assert len(between[0]) == 2
    # Other routes would differ by the square root of what each gets, 60 of 3,600; scrapes in a step by some of a step.
    assert between[0] == pytest.approx(between[1], abs=25)
    assert min(between[0]) > 3_000


def test_two_policies_see_the_same_arrivals() -> None:
    few, many = fluid(constant(1), lane(100.0)), fluid(constant(6), lane(100.0))
    assert np.array_equal(few[0].timeline.arrivals, many[0].timeline.arrivals)
    assert few[0].violations > many[0].violations


def test_without_replicas_every_request_fails() -> None:
    (outcome,) = fluid(constant(0), lane(50.0, initial_replicas=0, min_replicas=0))
    assert outcome.failures == outcome.violations == outcome.requests > 0


def test_a_step_neither_makes_nor_loses_requests() -> None:
    table = table_of(LAW, 0.25, Queue())
    there = np.maximum(table.grid.there[:, None], table.grid.total[None, :])
    gone = table.values[..., COMPLETED] + table.values[..., FAILED]
    assert (gone <= there + 2.0).all()
    assert gone[-1, -1] == pytest.approx(SATURATION, rel=0.05)
    assert table.values[..., FAILED].max() <= 0.5, "nothing is refused without a limit"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"routing": Routing.ROUND_ROBIN}, "routes at random"),
        ({"arrival_cv": 2.0}, "ranker has an arrival_cv of 2: the fluid's arrivals are Poisson"),
        ({"arrival_times": np.array([1.0])}, "recorded arrivals"),
        ({"slo_latency_seconds": 16.0}, "SLO of 16 s"),
        ({"queue": Queue(max_size=10)}, "a queue that refuses, but not what is late"),
        ({"queue": Queue(timeout_seconds=1.0)}, "a queue that refuses, but not what is late"),
    ],
)
def test_what_it_cannot_do_is_refused_before_a_table_is_made(
    change: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*of: object) -> None:
        raise AssertionError(f"a table of {of} was made")

    monkeypatch.setattr(fidelity_module, "table_of", made)
    with pytest.raises(ValueError, match=words):
        fluid(constant(1), replace(lane(), **change))
