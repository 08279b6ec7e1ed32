import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capacity_table.replica import arrivals, steady
from foretide.scaling.capacity import Capacity, Evidence, Law, fit, rate_per_replica
from foretide.scaling.capacity.rate import (
    BETWEEN_BATCHES_SECONDS,
    HOPELESS_UTILISED,
    MOST_UTILISED,
    PRIOR_UTILISED,
)
from foretide.simulate import capacity as simulated
from foretide.simulate.scenario import Law as SimulatedLaw
from foretide.simulate.scenario import Queue
from tests.scaling.build import bools, evidence_of, floats, ints
from tests.scaling.strategies import any_float, often, random_world, seeds


def rate(
    per_item: float,
    fixed: float,
    slo: float,
    *,
    objective: float = 0.99,
    max_batch: int = 8,
    instances: int = 1,
    largest: float = 4096.0,
    measured: bool = True,
    arrival_cv2: float | None = None,
    kappa: float | None = None,
) -> Capacity:
    law = Law(
        per_item_seconds=floats(per_item),
        fixed_seconds=floats(fixed),
        largest=floats(largest),
        known=bools(measured),
        single_known=bools(measured),
        told=bools(False),
    )
    return rate_per_replica(
        law,
        slo_latency_seconds=floats(slo),
        objective=floats(objective),
        max_batch=ints(max_batch),
        instances=ints(instances),
        arrival_cv2=None if arrival_cv2 is None else floats(arrival_cv2),
        kappa=None if kappa is None else floats(kappa),
    )


@pytest.mark.parametrize("objective", [0.95, 0.99])
@pytest.mark.parametrize("slo_in_singles", [4.0, 6.0, 10.0, 20.0])
@pytest.mark.parametrize(
    ("per_item", "fixed", "max_batch"),
    [
        (0.0012, 0.0025, 8),
        (0.0012, 0.0025, 32),
        (0.0004, 0.004, 32),
        (0.004, 0.0005, 8),
        (0.010, 0.040, 8),
        (0.02, 0.0, 1),
    ],
)
def test_at_its_rate_a_simulated_replica_keeps_the_objective(
    per_item: float, fixed: float, max_batch: int, slo_in_singles: float, objective: float
) -> None:
    single = per_item + fixed + BETWEEN_BATCHES_SECONDS
    slo = slo_in_singles * single
    capacity = rate(per_item, fixed, slo, objective=objective, max_batch=max_batch)
    quantile, _ = steady(
        arrivals(200_000, cv2=1.0, seed=2),
        load=float(capacity.utilisation[0]),
        per_item=per_item / single,
        max_batch=max_batch,
        servers=1,
        # The table is right to a few percent of rate, which is some tenths of a percent of requests.
        levels=floats(objective - 0.004),
    )
    assert quantile[0] * single <= slo


def test_the_measured_replica_of_40_ms_and_10_ms_an_item() -> None:
    """Real Triton serves 65.6/s of full batches; 250 ms at p99 by simulation holds up to 45.9/s on one replica."""
    capacity = rate(0.010, 0.040, 0.250)
    assert capacity.batch[0] == 8.0
    assert capacity.rate_rps[0] / capacity.utilisation[0] == pytest.approx(65.6, abs=0.1)
    assert capacity.rate_rps[0] == pytest.approx(45.9, rel=0.02)


def test_with_a_pause_of_one_millisecond_more_it_is_what_the_simulator_finds() -> None:
    """46.9/s, with the pause and the noise that were measured."""
    law = SimulatedLaw(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8)
    found = simulated.rate_at_slo(law, slo_latency_seconds=0.250, objective=0.99, queue=Queue())
    assert found == pytest.approx(46.9, abs=0.05)
    assert 0.97 * found <= rate(0.010, 0.040, 0.250).rate_rps[0] <= 1.01 * found


def test_a_long_slo_still_leaves_a_tenth_of_the_throughput_free() -> None:
    assert rate(0.001, 0.004, 60.0).utilisation[0] == MOST_UTILISED


def test_instances_multiply_throughput_and_share_one_queue() -> None:
    one, two = rate(0.010, 0.040, 0.250), rate(0.010, 0.040, 0.250, instances=2)
    assert two.rate_rps[0] > 2 * one.rate_rps[0]
    assert two.rate_rps[0] / two.utilisation[0] == pytest.approx(2 * one.rate_rps[0] / one.utilisation[0])


def test_bursty_arrivals_take_from_the_rate_and_most_where_the_slo_is_short() -> None:
    tight, loose = (
        [float(rate(0.0012, 0.0025, slo, arrival_cv2=cv2).rate_rps[0]) for cv2 in (1.0, 4.0)] for slo in (0.025, 0.1)
    )
    assert tight[1] < 0.8 * tight[0]
    assert 0.8 * loose[0] < loose[1] < loose[0]
    assert rate(0.0012, 0.0025, 0.025).rate_rps[0] == tight[0]


def test_latencies_twice_as_long_as_foreseen_are_an_slo_half_as_long() -> None:
    assert rate(0.01, 0.04, 0.5, kappa=2.0).rate_rps[0] == rate(0.01, 0.04, 0.25).rate_rps[0]
    assert rate(0.01, 0.04, 0.5, kappa=1e9).rate_rps[0] == rate(0.01, 0.04, 0.25).rate_rps[0]


def test_the_batch_takes_at_most_half_the_slo() -> None:
    capacity = rate(0.010, 0.040, 0.150)
    assert capacity.batch[0] == pytest.approx(3.3)  # 33 ms + 42 ms = 75 ms
    assert capacity.feasible[0]


def test_no_larger_batch_is_counted_on_than_was_seen() -> None:
    assert rate(0.010, 0.040, 0.250, largest=2.0).batch[0] == 2.0


@pytest.mark.parametrize("max_batch", [0, 1])
def test_a_model_without_batches_serves_one_item_at_a_time(max_batch: int) -> None:
    capacity = rate(0.010, 0.040, 1.0, max_batch=max_batch)
    assert capacity.batch[0] == 1.0
    assert capacity.rate_rps[0] / capacity.utilisation[0] == pytest.approx(1 / 0.052)


def test_before_anything_is_measured_one_item_takes_half_the_slo() -> None:
    capacity = rate(0.0, 0.0, 0.100, measured=False, max_batch=32)
    assert (capacity.known[0], capacity.feasible[0], capacity.batch[0]) == (False, True, 1.0)
    assert capacity.fixed_seconds[0] == pytest.approx(0.050)
    assert capacity.rate_rps[0] / capacity.utilisation[0] == pytest.approx(20.0)
    assert capacity.utilisation[0] == PRIOR_UTILISED
    assert rate(0.0, 0.0, 0.100, measured=False, objective=0.999, kappa=2.0).rate_rps[0] == capacity.rate_rps[0]


def test_a_model_slower_than_its_slo_is_infeasible_and_still_has_a_rate() -> None:
    capacity = rate(0.010, 0.095, 0.100)
    assert not capacity.feasible[0]
    assert capacity.batch[0] == 1.0
    assert 0.0 < capacity.rate_rps[0] < 1 / 0.105
    assert rate(0.010, 0.090, 0.100).feasible[0]


def test_a_full_batch_slower_than_the_slo_proves_nothing_about_a_single_item() -> None:
    law = fit(evidence_of(0.010, 0.040, sizes=(8,)))
    capacity = rate_per_replica(
        law, slo_latency_seconds=floats(0.1), objective=floats(0.99), max_batch=ints(8), instances=ints(1)
    )
    assert capacity.feasible[0]


seconds = st.floats(0.0, 10.0)


@often
@given(
    seconds,
    seconds,
    seconds,
    seconds,
    st.floats(0.001, 100.0),
    st.sampled_from([0.5, 0.9, 0.99, 0.9999]),
    st.integers(1, 256),
    st.integers(1, 8),
    st.floats(1.0, 256.0),
    st.floats(1.0, 16.0),
)
def test_a_slower_law_never_has_a_higher_rate(
    per_item: float,
    fixed: float,
    more_per_item: float,
    more_fixed: float,
    slo: float,
    objective: float,
    max_batch: int,
    instances: int,
    largest: float,
    cv2: float,
) -> None:
    fast, slow = (
        rate(
            a,
            t,
            slo,
            objective=objective,
            max_batch=max_batch,
            instances=instances,
            largest=largest,
            arrival_cv2=cv2,
        )
        for a, t in ((per_item, fixed), (per_item + more_per_item, fixed + more_fixed))
    )
    assert fast.feasible[0] or not slow.feasible[0]
    if slow.feasible[0]:
        assert slow.rate_rps[0] <= fast.rate_rps[0] * (1.0 + 1e-9)


@often
@given(seconds, seconds, st.floats(0.001, 100.0), st.floats(1.0, 10.0), st.sampled_from([0.5, 0.99, 0.999]))
def test_a_longer_slo_or_a_laxer_objective_or_faster_answers_never_have_a_lower_rate(
    per_item: float, fixed: float, slo: float, factor: float, objective: float
) -> None:
    tight = rate(per_item, fixed, slo, objective=0.999, kappa=2.0)
    lax = rate(per_item, fixed, slo * factor, objective=objective, kappa=2.0 / factor)
    if tight.feasible[0]:
        assert lax.rate_rps[0] >= tight.rate_rps[0] * (1.0 - 1e-9)


@often
@given(st.floats(0.0, 1.0), st.floats(0.001, 10.0), st.floats(1.0, 100.0), st.floats(1.0, 1.01))
def test_the_further_an_slo_is_out_of_reach_the_less_is_spent_on_it(
    fixed_share: float, slo: float, over: float, little: float
) -> None:
    """What is asked is served, at 70 % of saturation; and a law that trembles around its SLO moves no fleet."""

    def utilisation(single_seconds: float) -> float:
        per_item, fixed = (1.0 - fixed_share) * single_seconds, fixed_share * single_seconds
        return float(rate(per_item, fixed, slo).utilisation[0])

    reached, beyond = utilisation(slo * over), utilisation(slo * over * little)
    assert utilisation(2.0 * slo) <= max(HOPELESS_UTILISED, utilisation(slo)) + 1e-9
    assert utilisation(2.5 * slo) >= HOPELESS_UTILISED
    assert beyond >= reached - 0.01
    assert abs(beyond - reached) <= 0.02


@often
@given(seeds, any_float, any_float, any_float, any_float)
def test_any_law_and_any_slo_give_a_finite_rate_above_zero(
    seed: int, per_item: float, fixed: float, cv2: float, kappa: float
) -> None:
    world = random_world(seed, services=20)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        learnt = world.capacity()
        given_law = rate(
            per_item,
            fixed,
            float(world.slo_seconds[0]),
            max_batch=int(world.max_batch[0]),
            arrival_cv2=cv2,
            kappa=kappa,
        )
    for capacity in (learnt, given_law):
        assert np.isfinite(capacity.rate_rps).all()
        assert (capacity.rate_rps > 0.0).all()
        assert ((capacity.utilisation > 0.0) & (capacity.utilisation <= MOST_UTILISED)).all()


def test_no_services_have_no_rates() -> None:
    law = fit(Evidence.none(0))
    none = np.zeros(0)
    capacity = rate_per_replica(
        law, slo_latency_seconds=none, objective=none, max_batch=none.astype(np.int64), instances=none.astype(np.int64)
    )
    assert len(capacity.rate_rps) == 0
