"""Promises of a run: nothing is lost, nothing is foreseen, and the same seed gives the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.scaling.policy import Over, Past, Quantity, Query
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Duration, Lane, Law, Outage, Queue, Routing
from tests.simulate.worlds import LAW, Scripted, constant, lane, run, same

ASKED = Query(Quantity.SUCCESS, Over.RATE, 30.0)
QUESTIONS = tuple(Query(quantity, over, 30.0) for quantity in Quantity for over in Over)


@st.composite
def lanes(draw: st.DrawFn) -> Lane:
    """Anything: overload, bursts, tiny and endless queues, several instances."""
    return lane(
        draw(st.lists(st.sampled_from([0.0, 5.0, 60.0, 200.0]), min_size=1, max_size=5)),
        seconds=300.0,
        seed=draw(st.integers(0, 2**40)),
        law=Law(
            per_item_seconds=draw(st.sampled_from([0.001, 0.02])),
            fixed_seconds=draw(st.sampled_from([0.0, 0.05])),
            max_batch=draw(st.sampled_from([1, 3, 16])),
            instances=draw(st.integers(1, 3)),
            noise_cv=draw(st.sampled_from([0.0, 0.5])),
        ),
        queue=Queue(
            timeout_seconds=draw(st.sampled_from([np.inf, 0.2, 2.0])),
            max_size=draw(st.sampled_from([np.inf, 4, 100])),
            delay_seconds=draw(st.sampled_from([0.0, 0.02])),
        ),
        routing=draw(st.sampled_from(Routing)),
        arrival_cv=draw(st.sampled_from([1.0, 2.0])),
        cold_start=Duration.lognormal(draw(st.sampled_from([1.0, 40.0])), 0.3),
        initial_replicas=draw(st.integers(0, 3)),
        min_replicas=0,
    )


@settings(max_examples=25)
@given(lanes(), st.lists(st.integers(0, 8), min_size=1, max_size=20), st.sampled_from([0.0, 20.0]))
def test_every_request_is_answered_once_or_failed_once(some: Lane, script: list[int], crashes: float) -> None:
    policy = Scripted(lambda tick: script[tick % len(script)])
    (outcome,) = run(policy, some, conditions=Conditions(crashes_per_hour=crashes))
    assert outcome.latencies.answered + outcome.failures == outcome.requests
    assert outcome.failures <= outcome.violations <= outcome.requests
    assert 0.0 <= outcome.replica_seconds <= 300.0 * (2 * some.max_replicas + 2)


@settings(max_examples=10)
@given(lanes(), lanes())
def test_the_same_seed_gives_the_same_bits_alone_or_beside_others(one: Lane, other: Lane) -> None:
    script = Scripted(lambda tick: 1 + tick % 3)
    (alone,) = run(script, one)
    (again,) = run(script, one)
    beside, _ = run(script, one, other)
    assert same(alone, again)
    assert same(alone, beside)


@settings(max_examples=10)
@given(lanes(), st.integers(1, 4))
def test_nothing_of_the_future_can_be_seen(some: Lane, parts: int) -> None:
    """Another load from some moment on changes nothing that a policy is shown until then."""
    before = [80.0] * 5
    after = [80.0] * parts + [300.0] * (5 - parts)
    shown = []
    for rates in (before, after):
        policy = Scripted(lambda tick: 2, queries=QUESTIONS)
        run(policy, lane(rates, seconds=300.0, seed=some.seed, queue=some.queue, routing=some.routing, law=some.law))
        shown.append([seen for seen in policy.seen if seen.now_seconds - policy.seen[0].now_seconds <= parts * 60.0])
    for one, other in zip(*shown, strict=True):
        assert np.array_equal(one.pods.ready, other.pods.ready)
        for question in QUESTIONS:
            assert np.array_equal(one.answers[question].value, other.answers[question].value)
            assert np.array_equal(one.answers[question].known, other.answers[question].known)
        assert np.array_equal(one.batches.seconds, other.batches.seconds)


def test_two_policies_see_the_same_arrivals() -> None:
    few, many = run(constant(1), lane(100.0)), run(constant(6), lane(100.0))
    assert np.array_equal(few[0].timeline.arrivals, many[0].timeline.arrivals)
    assert few[0].violations > many[0].violations


def test_another_noise_is_other_batch_times_for_the_same_requests_on_the_same_routes() -> None:
    ask = Query(Quantity.ARRIVED)
    law = Law(per_item_seconds=0.01, fixed_seconds=0.04, max_batch=8, noise_cv=0.1)
    got, found = [], []
    for noise_seed in (0, 0, 1):
        policy = constant(3, queries=(ask,))
        found.append(run(policy, lane(120.0, initial_replicas=3, law=law, noise_seed=noise_seed))[0])
        got.append([look.answers[ask].value.tolist() for look in policy.seen])
    assert same(found[0], found[1])
    assert not same(found[0], found[2])
    assert got[0] == got[2]


def test_another_seed_or_name_is_another_day() -> None:
    counts = [run(constant(1), some)[0].timeline.arrivals for some in (lane(), lane(seed=2), lane(name="other"))]
    assert not np.array_equal(counts[0], counts[1])
    assert not np.array_equal(counts[0], counts[2])


def test_recorded_arrivals_come_when_they_came() -> None:
    times = np.array([1.0, 1.0, 14.9, 15.0, 200.0])
    (outcome,) = run(constant(1), lane(0.0, arrival_times=times))
    assert np.flatnonzero(outcome.timeline.arrivals).tolist() == [0, 1, 13]
    assert outcome.timeline.arrivals.sum() == 5
    # Alone, each takes a batch of one; the second of the pair is in the first one's batch or waits for it.
    assert outcome.latencies.quantile_seconds(0.5) == pytest.approx(
        LAW.batch_seconds(1) + LAW.overhead_seconds, rel=0.01
    )


@pytest.mark.parametrize("cv", [1.0, 2.0])
def test_arrivals_have_the_rate_of_each_step_and_the_burstiness_that_was_asked_for(cv: float) -> None:
    (outcome,) = run(constant(1), lane([20.0, 0.0, 80.0], seconds=36_000.0, arrival_cv=cv))
    per_step = outcome.timeline.arrivals.reshape(3, -1)
    assert per_step.sum(axis=1) / 12_000.0 == pytest.approx([20.0, 0.0, 80.0], rel=0.03)
    for row in (0, 2):
        dispersion = per_step[row].var() / per_step[row].mean()
        assert dispersion == pytest.approx(cv * cv, rel=0.2), "of counts, as of the times between"


def test_overload_is_seen_in_pending_and_in_rejections_and_never_in_success() -> None:
    """DESIGN 6: with a timeout success + REJECTED is what was asked for; without one the queue grows by the rest."""
    ask = tuple(
        Query(quantity, over, 30.0)
        for quantity, over in [
            (Quantity.SUCCESS, Over.RATE),
            (Quantity.FAILURE, Over.RATE),
            (Quantity.PENDING, Over.DERIV),
        ]
    )
    totals = {}
    for name, queue in {"endless": Queue(), "timeout": Queue(timeout_seconds=0.125, max_size=2_000)}.items():
        policy = constant(1, queries=ask)
        run(policy, lane(150.0, queue=queue))
        totals[name] = [float(policy.seen[20].total(question).value[0]) for question in ask]
    served = LAW.saturation_rps
    assert totals["endless"] == pytest.approx([served, 0.0, 150.0 - served], abs=6.0)
    assert totals["timeout"][0] == pytest.approx(served, rel=0.08)
    assert totals["timeout"][0] + totals["timeout"][1] == pytest.approx(150.0, rel=0.05)


def test_a_timeout_keeps_what_is_served_in_time_under_overload() -> None:
    """Triton 2.51 at 2.25 x overload: 0.35 % within the SLO with a timeout of 2 s, 43.6 % with SLO - tau(8)."""
    (late,) = run(constant(1), lane(150.0, queue=Queue(timeout_seconds=2.0, max_size=200)), warm_up_seconds=30.0)
    (timely,) = run(constant(1), lane(150.0, queue=Queue(timeout_seconds=0.125, max_size=2_000)), warm_up_seconds=30.0)
    assert 1.0 - late.violation_share < 0.02
    assert 1.0 - timely.violation_share == pytest.approx(0.436, abs=0.02)


def test_what_pods_that_ended_have_served_is_still_in_a_range() -> None:
    """A deployment that shrinks under a steady load shows no dip of the sum of rates."""
    ask = Query(Quantity.SUCCESS, Over.RATE, 60.0)
    policy = Scripted(lambda tick: 4 if tick < 20 else 2, queries=(ask,))
    run(policy, lane(60.0, seconds=900.0, initial_replicas=4))
    totals = [seen.total(ask).value[0] for seen in policy.seen[12:]]
    assert len(policy.seen[-1].pods) == 2
    assert totals == pytest.approx([60.0] * len(totals), rel=0.2)
    after = [seen for seen in policy.seen if seen.ended]
    assert 3 <= len(after) <= 5, "for the length of the window"


def test_requests_that_come_are_counted_before_they_are_answered() -> None:
    ask = (Query(Quantity.ARRIVED, Over.RATE, 60.0), Query(Quantity.SUCCESS, Over.RATE, 60.0))
    for fidelity in Fidelity:
        policy = constant(1, queries=ask)
        run(policy, lane(150.0), fidelity=fidelity)
        came, answered = (policy.seen[20].total(query).value[0] for query in ask)
        assert came == pytest.approx(150.0, rel=0.1)
        assert answered == pytest.approx(LAW.saturation_rps, rel=0.08)


def test_an_outage_between_two_ticks_loses_its_scrapes() -> None:
    ask = Query(Quantity.SUCCESS, Over.AGE)
    policy = constant(1, queries=(ask,))
    run(policy, lane(), conditions=Conditions(outages=(Outage(start_seconds=106.0, end_seconds=119.0),)))
    ages = [seen.answers[ask].value[0] for seen in policy.seen]
    assert ages[8] > 9.0, "at 120 s the newest sample is from before 106 s"
    assert max(ages[2:8] + ages[9:]) <= 5.0


def test_a_scrape_that_fails_ends_the_series_until_the_next() -> None:
    ask = (Query(Quantity.PENDING), Query(Quantity.SUCCESS, Over.RATE, 60.0))
    policy = constant(1, queries=ask)
    run(policy, lane(seconds=3_600.0), conditions=Conditions(lost_scrapes=0.3))
    newest, rates = (np.array([seen.answers[query].known[0] for seen in policy.seen[4:]]) for query in ask)
    assert newest.mean() == pytest.approx(0.7, abs=0.1)
    assert rates.all(), "a range has the samples before"


def test_each_answer_is_told_with_its_time_those_of_the_warm_up_too() -> None:
    told: list[tuple[float, int]] = []
    simulate(
        Scripted(lambda tick: 1 + tick % 3),
        [lane(seconds=90.0)],
        conditions=Conditions(),
        warm_up_seconds=30.0,
        decided=lambda now, answer: told.append((now, int(answer.desired[0]))),
    )
    assert told == [(0.0, 1), (15.0, 2), (30.0, 3), (45.0, 1), (60.0, 2), (75.0, 3)]


@pytest.mark.parametrize("desired", [-1, 0, 1, 9])
def test_an_answer_out_of_bounds_is_refused(desired: int) -> None:
    with pytest.raises(ValueError, match=f"desired of ranker is {desired}, must be whole and from 2 to 8"):
        run(constant(desired), lane(min_replicas=2, max_replicas=8))


def test_a_lane_may_go_to_zero_where_its_bounds_say_so() -> None:
    (outcome,) = run(constant(0), lane(min_replicas=0, initial_replicas=0))
    assert outcome.failures == outcome.requests > 0


def test_the_past_of_a_new_service_ends_when_its_lane_begins() -> None:
    ends: list[float] = []

    class Starts(Scripted):
        def start(self, past: Past) -> int:
            ends.append(past.end_seconds)
            return 0

    policy = Starts(lambda tick: 1)
    simulate(policy, [lane()], conditions=Conditions(), epoch_seconds=1_800_000_000.0)
    assert ends == [policy.seen[0].now_seconds] == [1_800_000_000.0]


def test_an_outage_of_metrics_is_unknown_and_not_zero() -> None:
    policy = constant(1, queries=(ASKED,))
    run(policy, lane(), conditions=Conditions(outages=(Outage(start_seconds=200.0, end_seconds=300.0),)))
    known = [bool(seen.total(ASKED).known[0]) for seen in policy.seen]
    assert known[2:14] == [True] * 12
    assert known[14:20] == [False] * 6
    assert all(known[22:])


def test_a_lost_scrape_is_a_gap_and_no_zero() -> None:
    policy = constant(1, queries=(ASKED,))
    run(policy, lane(40.0, seconds=3_000.0), conditions=Conditions(lost_scrapes=0.3))
    rates = [seen.total(ASKED) for seen in policy.seen[4:]]
    values = np.array([float(rate.value[0]) for rate in rates if rate.known[0]])
    assert len(values) > 0.95 * len(rates)
    # Two neighbours are left of six: rate() goes half an interval beyond them, to 10 s of 30 s, and no further.
    assert 40.0 * 10 / 30 * 0.7 < values.min() < 20.0


def test_statistics_tell_the_law() -> None:
    policy = constant(2)
    run(policy, lane(100.0, initial_replicas=2))
    for seen in policy.seen[1:]:
        mean = seen.batches.seconds / seen.batches.executions
        assert mean == pytest.approx(LAW.per_item_seconds * seen.batches.batch_size + LAW.fixed_seconds)


def test_statistics_of_a_container_that_was_restarted_begin_at_zero() -> None:
    """Each batch is told once, whatever its counter was before."""
    policy = constant(3)
    (outcome,) = run(
        policy, lane(100.0, seconds=3_600.0, initial_replicas=3), conditions=Conditions(crashes_per_hour=20.0)
    )
    assert outcome.failures > 0, "some have crashed"
    told = sum(float((look.batches.executions * look.batches.batch_size).sum()) for look in policy.seen)
    assert all((look.batches.executions > 0.0).all() for look in policy.seen)
    # What was run between the last look and a crash is lost with the container, as in Triton.
    assert 0.9 * outcome.requests < told <= outcome.requests


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"queries": (Query(Quantity.SUCCESS, Over.RATE, 3_600.0),)}, "3600"),
        ({"tick_seconds": 0.0}, "tick_seconds"),
    ],
)
def test_a_policy_that_cannot_be_run_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run(constant(1, **change), lane())


def test_lanes_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        run(constant(1), lane(), lane(seconds=900.0))
