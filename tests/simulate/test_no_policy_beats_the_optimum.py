"""No policy is cheaper than the bound at its own number of violations, request by request in the simulator."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foretide.scaling.policy import AnyPolicy
from foretide.simulate.observe import profile, promise
from foretide.simulate.optimum import ServedAtMost, bound_curve, most_in_time_rps
from foretide.simulate.outcome import Outcome
from foretide.simulate.policies import POLICIES, SCRAPE_SECONDS, Listed
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Duration, Lane, Law, Queue
from foretide.simulate.state import BIN_SECONDS
from foretide.simulate.workload import Workload
from tests.simulate.loads import loads, trace
from tests.simulate.worlds import Scripted, constant, lane

SECONDS = 900.0
BINS_A_STEP = 10
SLO_SECONDS = 0.25
# Without noise there is a fastest batch; without the time between batches it is as fast as the bound takes it for.
LAW = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8, noise_cv=0.0, between_batches_seconds=0.0)
TIMELY = Queue(timeout_seconds=0.125, max_size=2_000)
MOST_RPS = most_in_time_rps(
    per_item_seconds=LAW.per_item_seconds,
    fixed_seconds=LAW.fixed_seconds,
    max_batch=LAW.max_batch,
    instances=LAW.instances,
    slo_seconds=SLO_SECONDS,
)


def served_at_most(outcome: Outcome) -> ServedAtMost:
    return ServedAtMost.of_bins(
        outcome.timeline.arrivals,
        bin_seconds=BIN_SECONDS,
        bins_a_step=BINS_A_STEP,
        slo_seconds=SLO_SECONDS,
        served_rps=MOST_RPS,
    )


def bound(outcome: Outcome) -> float:
    """Replica-seconds that such a violation count costs at least."""
    model = served_at_most(outcome)
    curve = bound_curve(
        model,
        step_seconds=model.step_seconds,
        cold_start_seconds=outcome.lane.cold_start.quantiles_seconds[0],
        minimum_replicas=outcome.lane.min_replicas,
    )
    return curve.lower_bound(float(outcome.violations))


def run(policy: AnyPolicy, some: Lane, *, scrape_seconds: float = SCRAPE_SECONDS) -> Outcome:
    (outcome,) = simulate(policy, [some], conditions=Conditions(scrape_seconds=scrape_seconds))
    return outcome


rates = st.lists(st.sampled_from([0.0, 20.0, 55.0, 150.0, 300.0]), min_size=1, max_size=5)
cold_starts = st.sampled_from([Duration.constant(0.0), Duration.constant(320.0), Duration.lognormal(60.0, 0.5)])


@settings(max_examples=12)
@given(rates, cold_starts, st.lists(st.integers(1, 8), min_size=1, max_size=20), st.sampled_from([Queue(), TIMELY]))
@example([55.0], Duration.constant(0.0), [1], Queue())
@example([150.0, 20.0], Duration.constant(0.0), [3, 1], TIMELY)
def test_no_order_of_replicas_beats_it(
    steps: list[float], cold_start: Duration, script: list[int], queue: Queue
) -> None:
    some = lane(steps, seconds=SECONDS, law=LAW, cold_start=cold_start, queue=queue, slo_latency_seconds=SLO_SECONDS)
    outcome = run(Scripted(lambda tick: script[tick % len(script)]), some)
    assert bound(outcome) <= outcome.replica_seconds


def minutes(steps: list[float], cold_start: Duration) -> Workload:
    """A quarter of an hour, no past."""
    counts = [1.0 + 60.0 * steps[minute * len(steps) // 15] for minute in range(15)]
    (load,) = loads(trace(counts), cold_start=cold_start, law=LAW, size=3)
    return load


@pytest.mark.parametrize("entry", POLICIES.values(), ids=list(POLICIES))
@settings(max_examples=4)
@given(rates, cold_starts, st.integers(0, 10))
def test_no_policy_of_the_list_beats_it(entry: Listed, steps: list[float], cold_start: Duration, place: int) -> None:
    load = minutes(steps, cold_start)
    some = lane(
        load.rates_rps.tolist(),
        seconds=SECONDS,
        law=LAW,
        cold_start=cold_start,
        slo_latency_seconds=SLO_SECONDS,
        max_replicas=12,
        initial_replicas=1 + place % 3,
    )
    knobs = {knob.name: knob.sweep[place % len(knob.sweep)] for knob in entry.knobs}
    policy = entry.policy(profile([some]), promise([some]), knobs)
    outcome = run(policy, some, scrape_seconds=entry.scrape_seconds)
    assert bound(outcome) <= outcome.replica_seconds


@pytest.mark.parametrize("replicas", [1, 3])
def test_the_bound_is_not_idle(replicas: int) -> None:
    """Replicas that are always busy cost hardly more than the bound: nine tenths of the requests count."""
    some = lane(
        200.0 * replicas,
        seconds=SECONDS,
        law=LAW,
        queue=TIMELY,
        initial_replicas=replicas,
        slo_latency_seconds=SLO_SECONDS,
    )
    outcome = run(constant(replicas), some)
    left_out = outcome.requests - served_at_most(outcome).early_requests.sum()
    assert bound(outcome) >= (outcome.requests - outcome.violations - left_out) / MOST_RPS * 0.98
