"""llm-d's queueing analyzer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.hpa_behavior import HpaRule
from foretide.simulate.peers.inferno import Inferno, InfernoRule, Queue
from foretide.simulate.peers.profile import Profile
from foretide.simulate.peers.wva import Actuation
from tests.simulate.peers.observations import (
    Run,
    Service,
    Total,
    check_rows_are_independent,
    past,
    profile,
    random_profile,
)


def inferno(profile: Profile, **knobs: Any) -> Inferno:
    """Without the windows of the chart's HPA and without the stability margin."""
    return Inferno(**{"profile": profile, "actuation": Actuation.DIRECT, "stability_safety_fraction": 0.0, **knobs})


def most_rps(policy: Inferno) -> float:
    return float(policy.start(past(services=1)).most_rps[0])


def chain(arrivals_rps: float, rates: list[float]) -> tuple[float, float]:
    """(throughput, mean response time) of a birth-death chain, state by state."""
    weights = [1.0]
    for rate in rates:
        weights.append(weights[-1] * arrivals_rps / rate)
    full = weights[-1] / math.fsum(weights)
    in_system = math.fsum(n * weight for n, weight in enumerate(weights)) / math.fsum(weights)
    return arrivals_rps * (1.0 - full), in_system / (arrivals_rps * (1.0 - full))


def serving(total_rps: float, replicas: int = 1) -> Service:
    return Service(ready=replicas, answers={Quantity.SUCCESS: Total(total_rps)})


# --- the model


def test_service_rate_with_n_in_service_is_n_over_alpha_plus_beta_n() -> None:
    queue = Queue.of(profile(per_item_seconds=0.01, fixed_seconds=0.04, max_batch=4), queue_to_batch_ratio=1)
    assert queue.rates[0] == pytest.approx([20.0, 2 / 0.06, 3 / 0.07, 50.0, 50.0, 50.0, 50.0, 50.0])


def test_the_chain_holds_a_full_batch_and_ten_times_as_many_waiting() -> None:
    assert Queue.of(profile(max_batch=8), queue_to_batch_ratio=10).largest.tolist() == [88]


def test_instances_share_what_is_in_service() -> None:
    queue = Queue.of(
        profile(per_item_seconds=0.01, fixed_seconds=0.04, max_batch=4, instances=2), queue_to_batch_ratio=0
    )
    assert queue.largest.tolist() == [8]
    assert queue.rates[0, 7] == pytest.approx(100.0)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9, 1.1])
def test_constant_service_rate_is_m_m_1_k(load: float) -> None:
    queue = Queue.of(profile(per_item_seconds=0.02, fixed_seconds=0.0, max_batch=2), queue_to_batch_ratio=4)
    k = 10
    throughput, seconds = queue.solve(np.array([50.0 * load]))
    in_system = load / (1 - load) - (k + 1) * load ** (k + 1) / (1 - load ** (k + 1))
    expected = 50.0 * load * (1 - load**k * (1 - load) / (1 - load ** (k + 1)))
    assert throughput[0] == pytest.approx(expected)
    assert seconds[0] == pytest.approx(in_system / expected)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.0001, 0.1), st.floats(0.0001, 0.2), st.integers(1, 32), st.integers(0, 4), st.floats(0.01, 0.999))
def test_any_law_solves_as_the_chain_does_state_by_state(
    per_item: float, fixed: float, batch: int, ratio: int, load: float
) -> None:
    queue = Queue.of(
        profile(per_item_seconds=per_item, fixed_seconds=fixed, max_batch=batch), queue_to_batch_ratio=ratio
    )
    arrivals = load * batch / (fixed + per_item * batch)
    rates = [min(n, batch) / (fixed + per_item * min(n, batch)) for n in range(1, batch * (1 + ratio) + 1)]
    throughput, seconds = queue.solve(np.array([arrivals]))
    assert (throughput[0], seconds[0]) == pytest.approx(chain(arrivals, rates), rel=1e-9)


def test_long_queues_do_not_overflow() -> None:
    queue = Queue.of(profile(max_batch=64, per_item_seconds=1e-4), queue_to_batch_ratio=100)
    throughput, seconds = queue.solve(queue.fastest_rps * 3.0)
    assert throughput[0] == pytest.approx(queue.fastest_rps[0])
    assert np.isfinite(seconds).all()


# --- the largest rate


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_largest_rate_keeps_the_target_and_a_larger_one_does_not(seed: int) -> None:
    profiles = random_profile(np.random.default_rng(seed), 5)
    queue = Queue.of(profiles, queue_to_batch_ratio=10)
    target = profiles.slo_latency_seconds
    arrivals, feasible = queue.largest_arrivals(target, most_of_fastest=1.0)
    searched = feasible & (arrivals < queue.fastest_rps * 0.998)
    assert (queue.solve(arrivals)[1][feasible] <= target[feasible]).all()
    assert (queue.solve(arrivals * 1.0001)[1][searched] > target[searched]).all()


def test_a_target_that_full_batches_keep_is_limited_by_the_service_rate() -> None:
    easy = profile(slo_latency_seconds=100.0)
    queue = Queue.of(easy, queue_to_batch_ratio=10)
    assert queue.fastest_rps[0] == pytest.approx(8 / 0.12)
    assert most_rps(inferno(easy)) == queue.solve(queue.fastest_rps * 0.999)[0][0]


def test_stability_margin_keeps_a_tenth_of_the_fastest_rate() -> None:
    easy = profile(slo_latency_seconds=100.0)
    assert most_rps(Inferno(profile=easy)) == pytest.approx(0.9 * 0.999 * 8 / 0.12, rel=1e-3)


def test_stability_margin_does_not_lower_a_rate_that_the_latency_keeps_lower() -> None:
    strict = profile(slo_latency_seconds=0.08)
    assert most_rps(Inferno(profile=strict)) == most_rps(inferno(strict)) < 50.0


def test_a_smaller_share_of_the_latency_is_a_smaller_rate() -> None:
    rates = [most_rps(inferno(profile(), target_share=share)) for share in (0.3, 0.5, 1.0)]
    assert rates == sorted(set(rates))


# --- replicas


def test_replicas_are_the_rate_over_the_largest_rate_of_one() -> None:
    policy = inferno(profile())
    most = most_rps(policy)
    assert Run(policy).tick(serving(2.99 * most)) == [3]
    assert Run(policy).tick(serving(3.01 * most)) == [4]


def test_no_load_needs_the_minimum() -> None:
    run = Run(inferno(profile()))
    assert run.tick(Service(ready=4, minimum=2, answers={Quantity.SUCCESS: 0.0})) == [2]
    assert run.reason == "NoLoad"


def test_a_latency_below_a_single_request_is_infeasible_and_changes_nothing() -> None:
    run = Run(inferno(profile(slo_latency_seconds=0.049)))
    assert run.tick(serving(500.0, replicas=3)) == [3]
    memory = inferno(profile(slo_latency_seconds=0.051)).start(past(services=1))
    assert memory.feasible.tolist() == [True]


def test_without_metrics_the_last_wanted_number_stays() -> None:
    run = Run(inferno(profile()))
    wanted = run.tick(serving(300.0))
    assert run.tick(Service(ready=1), after_seconds=60.0) == wanted
    assert run.reason == "NoMetrics"


def test_counts_requests_that_succeeded_unless_told() -> None:
    assert inferno(profile()).queries == (Query(Quantity.SUCCESS, Over.RATE, 60.0),)
    assert inferno(profile(), with_failures=True).queries[1] == Query(Quantity.FAILURE, Over.RATE, 60.0)


def test_runs_every_60_seconds() -> None:
    run = Run(inferno(profile()))
    first = run.tick(serving(100.0))
    later = [run.tick(serving(900.0)) for _ in range(4)]
    assert later[:3] == [first] * 3
    assert later[3] > first


def test_charts_hpa_scales_to_the_wanted_number() -> None:
    run = Run(Inferno(profile=profile()))
    wanted = Run(inferno(profile(), stability_safety_fraction=0.1)).tick(serving(300.0))
    ticks = [run.tick(serving(300.0)) for _ in range(17)]
    assert ticks == [[1]] * 16 + [wanted]


def test_rules_are_numbered_after_those_of_the_hpa() -> None:
    assert [int(rule) for rule in InfernoRule] == list(range(len(HpaRule), len(HpaRule) + len(InfernoRule)))


def test_knobs_out_of_range_are_refused_with_name_and_value() -> None:
    with pytest.raises(ValueError, match=r"stability_safety_fraction must be within \[0.0, 0.99\], not 1.0"):
        Inferno(profile=profile(), stability_safety_fraction=1.0)


@pytest.mark.parametrize("seed", range(2))
def test_no_service_looks_at_another(seed: int) -> None:
    check_rows_are_independent(lambda profile: Inferno(profile=profile, actuation=Actuation.DIRECT), seed=seed)


def test_the_largest_rate_has_the_same_bits_in_any_company() -> None:
    profiles = random_profile(np.random.default_rng(7), 40)
    together = Inferno(profile=profiles).start(past(services=40)).most_rps
    for row in range(40):
        one = Profile(**{name: getattr(profiles, name)[row : row + 1] for name in Profile.__dataclass_fields__})
        assert Inferno(profile=one).start(past(services=1)).most_rps[0] == together[row]
