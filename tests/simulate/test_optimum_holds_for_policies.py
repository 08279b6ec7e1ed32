"""The bounds hold for fleets whose pods come and go at any moment, request by request."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foretide.simulate.optimum import ServedAtMost, ViolationTable, bound_curve, most_in_time_rps
from tests.scaling.build import floats

STEPS = 12
PER_ITEM, FIXED, LARGEST = 0.05, 0.15, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """Created before 0: it may serve from 0 on."""

    created: float
    gone: float

    def ready(self, cold: float) -> float:
        return 0.0 if self.created < 0.0 else self.created + cold

    @property
    def paid(self) -> float:
        return max(min(self.gone, STEPS) - max(self.created, 0.0), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    cold: float
    pods: list[Pod]

    @property
    def paid(self) -> float:
        return sum(pod.paid for pod in self.pods)


cold_starts = st.one_of(st.sampled_from([0.0, 0.25, 1.0, 2.0, 3.0]), st.floats(0.0, 5.0))
# Pods that serve for a moment around the border of two steps are the hardest for a bound that thinks in steps.
moments = st.one_of(st.integers(-2, STEPS).map(lambda step: step - 0.01), st.floats(-5.0, STEPS))
lives = st.one_of(st.sampled_from([0.005, 0.02, 1.0]), st.floats(0.0, STEPS))


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    cold = draw(cold_starts)
    serving = draw(st.lists(st.tuples(moments, lives), max_size=6))
    return Fleet(cold=cold, pods=[Pod(created=ready - cold, gone=ready + life) for ready, life in serving])


def violated(arrivals: list[float], fleet: Fleet, *, slo: float) -> int:
    """As few as a simple clever queue can have: what would be late is dropped, and batches end before a pod goes."""
    free = {number: pod.ready(fleet.cold) for number, pod in enumerate(fleet.pods)}
    queue, in_time = sorted(arrivals), 0
    while free:
        number = min(free, key=lambda number: free[number])
        now = max(free[number], queue[0] if queue else np.inf)
        # The largest batch whose oldest request is still in time.
        for size in range(LARGEST, 0, -1):
            seconds = PER_ITEM * size + FIXED
            batch = [at for at in queue if at <= now and at + slo >= now + seconds][:size]
            if len(batch) == size and now + seconds <= fleet.pods[number].gone:
                in_time += size
                queue = [at for at in queue if at not in batch]
                free[number] = now + seconds
                break
        else:
            waiting = [at for at in queue if at > now]
            queue = [at for at in queue if at > now or at + slo >= now + PER_ITEM + FIXED]
            if not waiting or now >= fleet.pods[number].gone:
                del free[number]
            else:
                free[number] = waiting[0]
    return len(arrivals) - in_time


times = st.floats(0.0, float(STEPS), exclude_max=True)


@settings(max_examples=40)
@given(st.lists(times, max_size=80, unique=True), fleets(), st.floats(0.2, 0.9))
def test_no_fleet_beats_the_bound_request_by_request(arrivals: list[float], fleet: Fleet, slo: float) -> None:
    rate = most_in_time_rps(
        per_item_seconds=PER_ITEM, fixed_seconds=FIXED, max_batch=LARGEST, instances=1, slo_seconds=slo
    )
    model = ServedAtMost.of_arrivals(floats(*arrivals), steps=STEPS, step_seconds=1.0, slo_seconds=slo, served_rps=rate)
    curve = bound_curve(model, step_seconds=1.0, cold_start_seconds=fleet.cold)
    assert curve.lower_bound(violated(arrivals, fleet, slo=slo)) <= fleet.paid + 1e-6


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=STEPS * 4, max_size=STEPS * 4), fleets())
def test_no_fleet_beats_the_bound_at_the_rates_of_a_table(cells: list[int], fleet: Fleet) -> None:
    """Changes within steps, and violations in proportion to time."""
    rates = np.array(cells, dtype=np.float64).reshape(STEPS, 4)
    moments = sorted(
        {0.0, *range(1, STEPS + 1), *(at for pod in fleet.pods for at in (pod.ready(fleet.cold), pod.gone))}
    )
    inside = [at for at in moments if 0.0 <= at <= STEPS]
    violations = 0.0
    for begin, end in pairwise(inside):
        serving = sum(pod.ready(fleet.cold) <= begin and pod.gone >= end for pod in fleet.pods)
        violations += (end - begin) * rates[int(begin), min(serving, 3)]
    curve = bound_curve(
        ViolationTable(violations=rates, requests=9.0 * STEPS), step_seconds=1.0, cold_start_seconds=fleet.cold
    )
    assert curve.lower_bound(violations) <= fleet.paid + 1e-6


# One pod that serves two steps, in one moment.
ON_THE_BORDER = Fleet(cold=3.0, pods=[Pod(created=1.99, gone=5.01)])


@settings(max_examples=40)
@example(fleet=ON_THE_BORDER, beyond=[0] * STEPS)
@given(fleets(), st.lists(st.integers(0, 3), min_size=STEPS, max_size=STEPS))
def test_no_fleet_beats_the_bound_when_all_that_it_can_do_is_asked_for(fleet: Fleet, beyond: list[int]) -> None:
    """The hardest case for the bound: each step asks for just the work that was done, or for a little more."""
    steps = np.arange(STEPS)
    served = np.zeros(STEPS)
    for pod in fleet.pods:
        served += np.clip(np.minimum(pod.gone, steps + 1) - np.maximum(pod.ready(fleet.cold), steps), 0.0, None)
    requests = 10.0 * served + beyond
    model = ServedAtMost(early_requests=requests, requests=requests.sum(), served_rps=10.0, step_seconds=1.0)
    curve = bound_curve(model, step_seconds=1.0, cold_start_seconds=fleet.cold)
    assert curve.lower_bound(float(sum(beyond))) <= fleet.paid + 1e-6


def test_the_bound_is_not_idle() -> None:
    """A steady 60 requests a second at 20 per replica: three replicas, and the bound says nearly so."""
    arrivals = np.arange(0.0, 600.0, 1 / 60)
    model = ServedAtMost.of_arrivals(arrivals, steps=60, step_seconds=10.0, slo_seconds=0.25, served_rps=20.0)
    curve = bound_curve(model, step_seconds=10.0, cold_start_seconds=60.0)
    assert 2.9 * 600 <= curve.lower_bound(0.0) <= 3 * 600
