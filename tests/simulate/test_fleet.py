"""What Kubernetes does with pods, and what they cost."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.simulate.scenario import Conditions, Duration, Nodes
from tests.simulate.worlds import Scripted, constant, lane, run


def test_a_constant_fleet_costs_its_time() -> None:
    (outcome,) = run(constant(3), lane(initial_replicas=3), warm_up_seconds=60.0)
    assert outcome.replica_seconds == pytest.approx(3 * 540.0)
    assert outcome.scale_events == 0


def test_a_new_pod_serves_after_its_cold_start_and_is_paid_from_its_creation() -> None:
    (outcome,) = run(Scripted(lambda tick: 1 if tick < 4 else 2), lane())
    created, ready = 60, 60 + 45
    assert outcome.replica_seconds == pytest.approx(600.0 + (600.0 - created))
    assert outcome.timeline.ready.tolist() == [1] * (ready // 15 - 1) + [2] * (40 - ready // 15 + 1)
    assert outcome.timeline.starting.sum() == 3  # seen at 60, 75 and 90 s; at 105 s it is ready
    assert outcome.scale_events == 1


def test_cold_starts_differ_as_their_distribution_says() -> None:
    starts = Duration.lognormal(60.0, 0.5)
    lanes = [lane(name=f"lane-{number}", cold_start=starts, initial_replicas=1) for number in range(60)]
    outcomes = run(Scripted(lambda tick: 2), *lanes)
    seconds = np.array([15.0 * (outcome.timeline.ready < 2).sum() for outcome in outcomes])
    assert np.median(seconds) == pytest.approx(starts.quantiles_seconds[50] - 7.5, rel=0.2)
    assert seconds.std() > 10.0


def test_a_pod_without_room_waits_for_a_machine() -> None:
    nodes = Nodes(warm_pods=2, provisioning=Duration.constant(90.0))
    (outcome,) = run(Scripted(lambda tick: 3), lane(nodes=nodes))
    assert outcome.timeline.ready[:2].max() == 1
    assert outcome.timeline.ready[4] == 2  # fits beside the first
    assert outcome.timeline.ready[7] == 2
    assert outcome.timeline.ready[8:].min() == 3  # after 45 s + 90 s


def test_shrinking_fails_no_request_and_pays_for_the_drain() -> None:
    (outcome,) = run(Scripted(lambda tick: 4 if tick < 10 else 1), lane(20.0, initial_replicas=4))
    assert outcome.failures == 0
    assert outcome.timeline.ready[10] == 1
    drain = Conditions().pre_stop_seconds
    assert outcome.replica_seconds == pytest.approx(4 * 150.0 + 450.0 + 3 * drain, abs=1.0)


def test_without_a_drain_the_requests_of_a_leaving_pod_are_still_answered() -> None:
    """SIGTERM lets Triton finish what it has; only what kube-proxy still sends there would be lost."""
    script = Scripted(lambda tick: 4 if tick < 10 else 1)
    (outcome,) = run(script, lane(100.0, initial_replicas=4), conditions=Conditions(pre_stop_seconds=0.0))
    assert outcome.failures == 0


def test_what_is_not_ready_goes_first() -> None:
    script = Scripted(lambda tick: {0: 1, 1: 3}.get(tick, 2 if tick < 4 else 1))
    (outcome,) = run(script, lane(cold_start=Duration.constant(120.0)))
    assert outcome.timeline.ready.min() == outcome.timeline.ready.max() == 1
    assert outcome.timeline.starting.max() == 2


def test_no_ready_pod_is_a_failed_request() -> None:
    (outcome,) = run(constant(1), lane(50.0, initial_replicas=0))
    before = outcome.timeline.arrivals[:3].sum()
    assert outcome.timeline.failures[:3].sum() == before > 0
    assert outcome.timeline.failures[4:].sum() == 0


def test_a_crash_loses_what_was_in_the_pod_and_the_container_comes_back() -> None:
    conditions = Conditions(crashes_per_hour=30.0, restart=Duration.constant(20.0))
    (outcome,) = run(constant(2), lane(60.0, seconds=3600.0, initial_replicas=2), conditions=conditions)
    assert 0 < outcome.failures < 0.1 * outcome.requests
    assert outcome.timeline.ready.min() < 2
    assert (outcome.timeline.ready == 2).mean() > 0.5
    assert outcome.replica_seconds == pytest.approx(2 * 3600.0), "a crashed pod is still paid"


def test_machines_that_run_anyway_are_there_again_after_a_quiet_time() -> None:
    """Five replicas, then one for longer than an empty machine stays, then five again: nobody waits for a machine."""
    nodes = Nodes(warm_pods=5, provisioning=Duration.constant(300.0), linger_seconds=60.0)
    script = Scripted(lambda tick: 5 if tick < 4 or tick >= 100 else 1)
    (outcome,) = run(script, lane(seconds=1_800.0, nodes=nodes, initial_replicas=5))
    assert outcome.timeline.ready[100 + 4] == 5, "45 s after the order"


def test_a_pod_that_cannot_finish_is_killed_at_the_end_of_its_grace() -> None:
    """Six minutes of queue in a pod that is told to leave: what it has not answered by then is lost."""
    script = Scripted(lambda tick: 2 if tick < 20 else 1)
    conditions = Conditions(grace_seconds=30.0)
    (outcome,) = run(script, lane(400.0, initial_replicas=2), conditions=conditions)
    lost = outcome.failures
    left_at, drained = 300.0, 30.0
    assert outcome.replica_seconds == pytest.approx(2 * left_at + drained + 300.0, abs=1.0)
    assert lost > 10_000
    assert outcome.latencies.answered + lost == outcome.requests


@pytest.mark.parametrize("endpoints_seconds", [1.0, 45.0])
def test_a_drain_counts_into_the_grace_and_is_cut_off_at_its_end(endpoints_seconds: float) -> None:
    """terminationGracePeriodSeconds begins before preStop: one of 60 s is killed after 30 s, busy or not."""
    conditions = Conditions(pre_stop_seconds=60.0, grace_seconds=30.0, endpoints_seconds=endpoints_seconds)
    script = Scripted(lambda tick: 2 if tick < 20 else 1)
    for rate in (0.0, 40.0):
        (outcome,) = run(script, lane(rate, initial_replicas=2), conditions=conditions)
        assert outcome.replica_seconds == pytest.approx(600.0 + 300.0 + 30.0, abs=1e-6)


def test_a_pod_that_is_ready_and_has_no_requests_yet_ends_with_its_grace_too() -> None:
    """Ready at 45 s, known to kube-proxy at 75 s, told to leave at 60 s."""
    conditions = Conditions(pre_stop_seconds=60.0, grace_seconds=20.0, endpoints_seconds=30.0)
    (outcome,) = run(Scripted(lambda tick: 2 if tick < 4 else 1), lane(), conditions=conditions)
    assert outcome.replica_seconds == pytest.approx(600.0 + 80.0, abs=1e-6)


def second_start_seconds(script: dict[int, int], *, tick_seconds: float, cold_seconds: float = 45.0) -> float:
    """From the last order to the third ready replica, where two fit and a machine takes 90 s."""
    nodes = Nodes(warm_pods=2, provisioning=Duration.constant(90.0))
    counts = {round(at / tick_seconds): replicas for at, replicas in script.items()}

    def replicas(tick: int) -> int:
        return counts[max(number for number in counts if number <= tick)]

    some = lane(nodes=nodes, initial_replicas=2, cold_start=Duration.constant(cold_seconds))
    (outcome,) = run(Scripted(replicas, tick_seconds=tick_seconds), some)
    return 15.0 * float((outcome.timeline.ready < 3).argmin() + 1) - max(script)


@pytest.mark.parametrize("tick_seconds", [5.0, 15.0])
def test_a_machine_is_no_room_before_it_is_there(tick_seconds: float) -> None:
    """Up, down and up again within 30 s: the second pod waits for a machine as the first one would have."""
    script = {0: 2, 15: 3, 30: 2, 45: 3}
    assert second_start_seconds(script, tick_seconds=tick_seconds) == 90.0 + 45.0


def test_a_machine_that_is_there_is_room_for_the_next_pod() -> None:
    """Its pod left after 120 s, still starting; the machine came after 90 s and stays."""
    script = {0: 2, 15: 3, 135: 2, 150: 3}
    assert second_start_seconds(script, tick_seconds=15.0, cold_seconds=120.0) == 120.0


@pytest.mark.parametrize(("ordered_at", "seconds"), [(405.0, 15.0), (415.0, 90.0 + 15.0)])
def test_an_empty_machine_lingers_from_the_end_of_its_pod(ordered_at: float, seconds: float) -> None:
    """Its pod ends at 310 s, after preStop, and it goes at 410 s."""
    nodes = Nodes(warm_pods=1, provisioning=Duration.constant(90.0), linger_seconds=100.0)
    script = Scripted(lambda tick: 2 if tick < 60 or tick * 5.0 >= ordered_at else 1, tick_seconds=5.0)
    some = lane(nodes=nodes, initial_replicas=2, cold_start=Duration.constant(15.0))
    (outcome,) = run(script, some)
    waited = outcome.replica_seconds - 600.0 - 310.0
    assert waited == pytest.approx(600.0 - ordered_at)
    ready_at = 15.0 * (1 + 25 + float((outcome.timeline.ready[25:] == 2).argmax()))
    assert ready_at - 15.0 < ordered_at + seconds <= ready_at
