"""The simulator against queueing theory, where that is exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foretide.simulate.outcome import Latencies
from foretide.simulate.scenario import Law, Noise, Queue, Routing
from tests.simulate.closed_forms import DeterministicQueue, MarkovQueue, batch_sojourn_bound_seconds
from tests.simulate.worlds import LAW, constant, lane, run, same

SERVICE_SECONDS = 0.02
# How far the tail of 300,000 requests may be off: near saturation they are few independent busy periods.
TAIL = {0.3: 0.1, 0.8: 0.25}


def latencies(rate: float, law: Law, *, replicas: int = 1, routing: Routing = Routing.RANDOM) -> Latencies:
    """Of 300,000 requests after 10,000."""
    seconds = 300_000 / rate // 15 * 15
    (outcome,) = run(
        constant(replicas),
        lane(rate, seconds=seconds, law=law, initial_replicas=replicas, routing=routing),
        warm_up_seconds=10_000 / rate // 15 * 15,
    )
    return outcome.latencies


def single(noise: Noise, instances: int = 1) -> Law:
    """One request at a time, without anything that the formulas do not know."""
    return Law(
        per_item_seconds=SERVICE_SECONDS,
        fixed_seconds=0.0,
        max_batch=1,
        instances=instances,
        noise=noise,
        noise_cv=0.0,
        between_batches_seconds=0.0,
        overhead_seconds=0.0,
    )


@pytest.mark.parametrize("load", TAIL)
@pytest.mark.parametrize("servers", [1, 4])
def test_exponential_service_is_m_m_c(load: float, servers: int) -> None:
    rate = load * servers / SERVICE_SECONDS
    found = latencies(rate, single(Noise.EXPONENTIAL, servers))
    theory = MarkovQueue(arrival_rps=rate, service_rps=1 / SERVICE_SECONDS, servers=servers)
    assert found.mean_seconds == pytest.approx(theory.mean_sojourn_seconds, rel=0.04)
    for level in (0.5, 0.9, 0.99):
        assert theory.sojourn_beyond(found.quantile_seconds(level)) == pytest.approx(1 - level, rel=TAIL[load])


@pytest.mark.parametrize("load", TAIL)
def test_constant_service_is_m_d_1(load: float) -> None:
    rate = load / SERVICE_SECONDS
    found = latencies(rate, single(Noise.LOGNORMAL))
    theory = DeterministicQueue(arrival_rps=rate, service_seconds=SERVICE_SECONDS)
    assert found.mean_seconds == pytest.approx(theory.mean_sojourn_seconds, rel=0.04)
    for level in (0.9, 0.99):  # below, most have waited for nothing at all
        assert theory.sojourn_beyond(found.quantile_seconds(level) * 1.0025) == pytest.approx(1 - level, rel=TAIL[load])


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_batches_stay_below_inoues_bound_and_near_it(load: float) -> None:
    """Arrivals that all fit into one batch: the bound on the mean is tight within 8 % (facts of 126 settings)."""
    law = Law(
        per_item_seconds=0.002,
        fixed_seconds=0.010,
        max_batch=512,
        noise_cv=0.0,
        between_batches_seconds=0.0,
        overhead_seconds=0.0,
    )
    rate = load / law.per_item_seconds
    found = latencies(rate, law)
    bound = batch_sojourn_bound_seconds(arrival_rps=rate, per_item_seconds=0.002, fixed_seconds=0.010)
    assert 0.9 * bound <= found.mean_seconds <= 1.01 * bound


def test_random_routing_makes_each_replica_a_queue_of_its_own() -> None:
    alone = latencies(0.7 / SERVICE_SECONDS, single(Noise.EXPONENTIAL))
    four = latencies(4 * 0.7 / SERVICE_SECONDS, single(Noise.EXPONENTIAL), replicas=4)
    assert four.quantile_seconds(0.99) == pytest.approx(alone.quantile_seconds(0.99), rel=0.05)


def test_knowing_the_queues_beats_turns_and_turns_beat_chance() -> None:
    rate = 4 * 0.8 / SERVICE_SECONDS
    tails = [
        latencies(rate, single(Noise.EXPONENTIAL), replicas=4, routing=routing).quantile_seconds(0.99)
        for routing in (Routing.LEAST_OUTSTANDING, Routing.ROUND_ROBIN, Routing.RANDOM)
    ]
    assert tails[0] < 0.9 * tails[1]
    assert tails[1] < 0.9 * tails[2]


def sent(*times: float, missed_wake_ups: float, instances: int = 1) -> list[float]:
    """Latencies of requests at those times to one replica with a limited queue that misses so many ends of batches."""
    law = replace(LAW, between_batches_seconds=0.0, overhead_seconds=0.0, instances=instances)
    queue = Queue(max_size=100, missed_wake_ups=missed_wake_ups)
    (outcome,) = run(constant(1), lane(0.0, law=law, queue=queue, arrival_times=np.array(times)))
    counts = outcome.latencies.counts
    return [outcome.latencies.quantile_seconds((place + 1) / counts.sum()) for place in range(counts.sum())]


def test_a_batcher_that_misses_the_end_of_a_batch_sleeps_for_half_a_second() -> None:
    """Real Triton 2.51 with a queue limit: one in ten of such pairs, 0.52 to 0.58 s."""
    assert sent(1.0, 1.02, missed_wake_ups=0.0) == pytest.approx([0.05, 0.08], rel=0.01)
    assert sent(1.0, 1.02, missed_wake_ups=1.0) == pytest.approx([0.05, 0.58], rel=0.01)


def test_a_request_to_a_free_instance_wakes_it() -> None:
    together = 0.06
    found = sent(1.0, 1.02, 1.15, missed_wake_ups=1.0)
    assert found == pytest.approx([0.05, together, 1.15 + together - 1.02], rel=0.01)


def test_the_end_of_another_instances_batch_wakes_it() -> None:
    """Real Triton 2.51, two instances and a limit: none of 40 rounds took longer than two batches."""
    found = sent(1.0, 1.01, 1.02, missed_wake_ups=1.0, instances=2)
    assert found == pytest.approx([0.05, 0.05, 0.01 + 0.03 + 0.05], rel=0.01)


def test_without_a_limit_no_end_is_missed() -> None:
    assert not Queue(missed_wake_ups=1.0).limited
    (outcome,) = run(constant(1), lane(30.0, queue=Queue(missed_wake_ups=1.0)))
    (usual,) = run(constant(1), lane(30.0))
    assert same(outcome, usual)
