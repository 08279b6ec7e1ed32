"""The budgeted optimum: nothing beats the bound, and the schedule is worth its name."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.simulate.optimum import (
    ServedAtMost,
    ViolationModel,
    ViolationTable,
    WholeSteps,
    bound_curve,
    budgeted,
    most_in_time_rps,
    zero_violation,
)
from tests.scaling.build import floats, ints

steps_and_peak = st.one_of(st.tuples(st.integers(1, 4), st.integers(1, 3)), st.tuples(st.integers(5, 7), st.just(1)))
cold_starts = st.integers(0, 50).map(lambda tenths: tenths / 10)
shares = st.integers(0, 100).map(lambda percent: percent / 100)
counts = st.integers(0, 20).map(float)


@st.composite
def tables(draw: st.DrawFn) -> ViolationTable:
    """Any table, even one by which more replicas do worse."""
    steps, peak = draw(steps_and_peak)
    violations = draw(st.lists(counts, min_size=steps * (peak + 1), max_size=steps * (peak + 1)))
    return ViolationTable(violations=np.array(violations).reshape(steps, peak + 1), requests=20.0 * steps)


@st.composite
def whole_steps(draw: st.DrawFn) -> WholeSteps:
    steps, peak = draw(steps_and_peak)
    needed = draw(st.lists(st.integers(0, peak), min_size=steps, max_size=steps))
    requests = draw(st.lists(counts, min_size=steps, max_size=steps))
    return WholeSteps(needed=ints(*needed), step_requests=floats(*requests))


@st.composite
def served_at_most(draw: st.DrawFn) -> ServedAtMost:
    steps, _ = draw(steps_and_peak)
    requests = draw(st.lists(counts, min_size=steps, max_size=steps))
    return ServedAtMost(early_requests=floats(*requests), requests=sum(requests), served_rps=7.0, step_seconds=1.0)


models = st.one_of(tables(), whole_steps(), served_at_most())


def table(model: ViolationModel) -> Floats:
    return model.whole.rows(0, model.whole.steps)


def all_schedules(model: ViolationModel, *, cold: float, minimum: int = 0) -> list[tuple[float, float]]:
    """Cost and violations of every schedule of whole replicas through whole steps."""
    violations = table(model)
    last = violations.shape[1] - 1
    found = []
    for serving in product(range(minimum, max(last, minimum) + 1), repeat=len(violations)):
        cost = zero_violation(ints(*serving), step_seconds=1.0, cold_start_seconds=cold).replica_seconds
        found.append((cost, float(sum(violations[t, min(n, last)] for t, n in enumerate(serving)))))
    return found


@given(models, shares, cold_starts)
def test_the_best_of_all_schedules_lies_between_bound_and_feasible(
    model: ViolationModel, share: float, cold: float
) -> None:
    budget = share * model.requests
    within = [cost for cost, violations in all_schedules(model, cold=cold) if violations <= budget + 1e-9]
    if budget < table(model).min(axis=1).sum():
        with pytest.raises(ValueError, match="with any number of replicas"):
            budgeted(model, share=share, step_seconds=1.0, cold_start_seconds=cold)
        return
    found = budgeted(model, share=share, step_seconds=1.0, cold_start_seconds=cold)
    assert found.violations <= budget + 1e-9
    assert found.lower_bound <= min(within) + 1e-9
    assert min(within) <= found.feasible.replica_seconds + 1e-9


@given(models, cold_starts, st.integers(0, 4))
def test_no_schedule_is_below_the_curve_at_its_own_violations(model: ViolationModel, cold: float, minimum: int) -> None:
    curve = bound_curve(model, step_seconds=1.0, cold_start_seconds=cold, minimum_replicas=minimum)
    for cost, violations in all_schedules(model, cold=cold, minimum=minimum):
        assert curve.lower_bound(violations) <= cost + 1e-6


@given(whole_steps(), cold_starts)
def test_without_a_budget_it_is_the_exact_optimum(model: WholeSteps, cold: float) -> None:
    found = budgeted(model, share=0.0, step_seconds=1.0, cold_start_seconds=cold)
    needed = np.where(model.step_requests > 0.0, model.needed, 0)
    exact = zero_violation(needed, step_seconds=1.0, cold_start_seconds=cold).replica_seconds
    assert found.lower_bound == pytest.approx(exact, abs=1e-9)
    assert found.feasible.replica_seconds == pytest.approx(exact, abs=1e-9)


@given(whole_steps(), cold_starts)
def test_with_all_the_budget_nothing_is_paid(model: WholeSteps, cold: float) -> None:
    found = budgeted(model, share=1.0, step_seconds=1.0, cold_start_seconds=cold)
    assert found.feasible.replica_seconds == 0.0
    assert found.lower_bound == pytest.approx(0.0, abs=1e-9)


@given(st.one_of(whole_steps(), served_at_most()), shares, shares, cold_starts)
def test_a_larger_budget_is_never_dearer(model: ViolationModel, one: float, other: float, cold: float) -> None:
    curve = bound_curve(model, step_seconds=1.0, cold_start_seconds=cold)
    small, large = sorted((one, other))
    assert curve.lower_bound(large * model.requests) <= curve.lower_bound(small * model.requests)


@given(st.one_of(whole_steps(), served_at_most()), shares, cold_starts, cold_starts)
def test_a_longer_cold_start_is_never_cheaper(model: ViolationModel, share: float, one: float, other: float) -> None:
    """For the bound this is so at every price, hence for the true optimum; two searches may differ by their prices."""
    short, long = sorted((one, other))
    bound = budgeted(model, share=share, step_seconds=1.0, cold_start_seconds=short).lower_bound
    assert (
        bound <= budgeted(model, share=share, step_seconds=1.0, cold_start_seconds=long).feasible.replica_seconds + 1e-9
    )


@given(st.one_of(whole_steps(), served_at_most()), shares, cold_starts, st.integers(0, 4))
def test_the_minimum_is_always_paid(model: ViolationModel, share: float, cold: float, minimum: int) -> None:
    found = budgeted(model, share=share, step_seconds=1.0, cold_start_seconds=cold, minimum_replicas=minimum)
    assert np.all(found.feasible.serving >= minimum)
    assert found.lower_bound >= minimum * len(found.feasible.serving) - 1e-9


def test_the_spike_that_is_dropped_is_the_one_that_saves_most() -> None:
    """One replica for 1 request with a start of its own, or for 1 request beside others."""
    model = WholeSteps(needed=ints(1, 1, 0, 0, 0, 0, 1), step_requests=floats(49, 1, 0, 0, 0, 0, 1))
    found = budgeted(model, share=0.02, step_seconds=1.0, cold_start_seconds=3.0)
    assert found.feasible.serving.tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert found.violations == 1.0


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
def test_bound_and_schedule_are_within_a_percent_on_a_noisy_day(share: float) -> None:
    chance = np.random.default_rng(7)
    requests = chance.poisson(300.0 * (1.2 + np.sin(np.arange(1440) / 229.0))).astype(np.float64)
    whole = WholeSteps(needed=np.ceil(requests / 60).astype(np.int64), step_requests=requests)
    at_most = ServedAtMost(early_requests=requests, requests=requests.sum(), served_rps=1.0, step_seconds=60.0)
    for model, gap in ((whole, 0.01), (at_most, 0.05)):
        found = budgeted(model, share=share, step_seconds=60.0, cold_start_seconds=300.0)
        assert found.violations <= share * requests.sum()
        assert (1 - gap) * found.feasible.replica_seconds <= found.lower_bound <= found.feasible.replica_seconds


def test_the_curve_agrees_with_the_search() -> None:
    requests = 100.0 + 90.0 * np.sin(np.arange(300) / 9.0)
    model = ServedAtMost(early_requests=requests, requests=requests.sum(), served_rps=10.0, step_seconds=1.0)
    curve = bound_curve(model, step_seconds=1.0, cold_start_seconds=5.0)
    for share in (0.001, 0.01, 0.1):
        found = budgeted(model, share=share, step_seconds=1.0, cold_start_seconds=5.0)
        assert curve.lower_bound(share * model.requests) == pytest.approx(found.lower_bound, rel=0.01)


def test_a_batch_that_does_not_fit_into_the_slo_serves_nobody_in_time() -> None:
    law = {"per_item_seconds": 0.010, "fixed_seconds": 0.040, "instances": 1}
    assert most_in_time_rps(**law, max_batch=8, slo_seconds=0.250) == pytest.approx(8 / 0.120)  # type: ignore[arg-type]
    assert most_in_time_rps(**law, max_batch=8, slo_seconds=0.075) == pytest.approx(3 / 0.070)  # type: ignore[arg-type]
    assert most_in_time_rps(**law, max_batch=8, slo_seconds=0.045) == 0.0  # type: ignore[arg-type]


def test_only_requests_whose_slo_ends_within_the_step_count_as_early() -> None:
    arrivals = floats(-0.1, 0.0, 0.74, 0.75, 0.9, 1.1, 1.99, 2.0)
    model = ServedAtMost.of_arrivals(arrivals, steps=2, step_seconds=1.0, slo_seconds=0.25, served_rps=1.0)
    assert model.early_requests.tolist() == [2.0, 1.0]
    assert model.requests == 6.0


def test_of_bins_those_before_the_last_of_a_step_count_as_early() -> None:
    """The seventh and eighth make no whole step of three: they may violate, and nobody is needed for them."""
    model = ServedAtMost.of_bins(
        ints(1, 2, 4, 8, 16, 32, 64, 128), bin_seconds=15.0, bins_a_step=3, slo_seconds=0.25, served_rps=1.0
    )
    assert model.early_requests.tolist() == [3.0, 24.0]
    assert model.requests == 255.0
    assert model.step_seconds == 45.0


@given(st.lists(st.floats(0.0, 59.9), max_size=30).map(sorted), st.floats(0.1, 5.0))
def test_bins_say_no_more_than_the_arrivals_themselves(arrivals: list[float], slo_seconds: float) -> None:
    counts = np.histogram(arrivals, bins=12, range=(0.0, 60.0))[0]
    model = {"slo_seconds": slo_seconds, "served_rps": 1.0}
    binned = ServedAtMost.of_bins(counts, bin_seconds=5.0, bins_a_step=4, **model)
    known = ServedAtMost.of_arrivals(floats(*arrivals), steps=3, step_seconds=20.0, **model)
    assert (binned.early_requests <= known.early_requests).all()
    assert binned.requests == known.requests


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: WholeSteps(needed=ints(1), step_requests=floats(1, 2)), "needed"),
        (lambda: WholeSteps(needed=ints(-1), step_requests=floats(1)), "needed"),
        (lambda: WholeSteps(needed=ints(1), step_requests=floats(np.nan)), "step_requests"),
        (lambda: ViolationTable(violations=np.zeros((0, 2)), requests=1.0), "violations"),
        (lambda: ViolationTable(violations=-np.ones((1, 2)), requests=1.0), "violations"),
        (lambda: ServedAtMost(early_requests=floats(1), requests=1.0, served_rps=0.0, step_seconds=1.0), "served_rps"),
        (lambda: ServedAtMost(early_requests=floats(), requests=1.0, served_rps=1.0, step_seconds=1.0), "early"),
        (
            lambda: ServedAtMost.of_bins(ints(1), bin_seconds=1.0, bins_a_step=1, slo_seconds=1.5, served_rps=1.0),
            "slo_seconds is 1.5, must be at most the 1 s of a bin",
        ),
    ],
)
def test_nonsense_is_refused_by_name(build: object, word: str) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=word):
        build()


def test_a_share_beyond_all_requests_is_refused() -> None:
    model = WholeSteps(needed=ints(1), step_requests=floats(1))
    with pytest.raises(ValueError, match="share"):
        budgeted(model, share=1.5, step_seconds=1.0, cold_start_seconds=1.0)
    with pytest.raises(ValueError, match="minimum_replicas"):
        budgeted(model, share=0.5, step_seconds=1.0, cold_start_seconds=1.0, minimum_replicas=-1)
