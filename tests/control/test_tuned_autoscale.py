"""What ScalingPolicies, ModelProfiles, quotas and the past make of the autoscale loop."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from foretide.adapters import promql
from foretide.adapters.prometheus_grid import Workload
from foretide.control.outcome import Outcome
from foretide.control.past import Chunk, ServiceId
from foretide.scaling.policy import Past, Quantity
from foretide.scaling.readings import Readings
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import DOWN, between_ticks
from tests.control.test_policies import policy, profile
from tests.virtual_time import run

ONE_REPLICA = 4.0  # nothing is learned of batch times: a replica is counted on for 4.5 items a second


def tuned(name: str = "ranker", *, policy_name: str = "web", **scaling: Any) -> dict[str, Any]:
    bounds = {"minReplicas": 1, "maxReplicas": 20}
    return objects.service(name, scaling={**bounds, "policyRef": {"name": policy_name}, **scaling})


async def up(spec: dict[str, Any], *, replicas: int = 4) -> Cluster:
    cluster = Cluster(objects.hardware_class(), policy(**spec))
    await cluster.serve(tuned(), replicas=replicas)
    await cluster.live(1, ranker=3.5 * replicas)
    cluster.kubernetes.writes.clear()
    return cluster


async def test_an_advisory_policy_tells_and_writes_no_replicas() -> None:
    cluster = await up({"mode": "Advisory"}, replicas=1)
    assert set(await cluster.live(4, ranker=5 * ONE_REPLICA)) == {1}
    assert cluster.written("scale") == []
    assert cluster.condition("ScalingActive") == ("False", "Advisory")
    assert (cluster.status()["decisions"][-1]["from"], cluster.status()["decisions"][-1]["to"]) == (1, 5)
    cluster.add(policy(mode="Active"))
    assert await cluster.live(1, ranker=5 * ONE_REPLICA) == [5]


async def test_without_the_policy_that_it_names_a_service_is_left_as_it_is() -> None:
    cluster = await up({})
    cluster.remove("ScalingPolicy", "web")
    assert set(await cluster.live(3, ranker=10 * ONE_REPLICA)) == {4}
    assert cluster.condition("ScalingActive") == ("False", "PolicyNotFound")
    cluster.add(policy(priority=-1))
    await cluster.live(1, ranker=10 * ONE_REPLICA)
    assert cluster.condition("ScalingActive") == ("False", "PolicyInvalid")
    cluster.add(policy())
    assert await cluster.live(1, ranker=10 * ONE_REPLICA) == [10]


async def test_a_limit_of_a_step_up_and_one_of_a_step_down_are_kept() -> None:
    cluster = await up({"scaleUp": {"maxStep": "50%"}, "scaleDown": {"maxStep": "50%", "hold": "1m"}})
    assert await cluster.live(3, ranker=12 * ONE_REPLICA) == [6, 9, 11]
    assert cluster.status()["decisions"][-3]["bound"] == "StepUpLimit"
    shrinking = await cluster.live(12, ranker=ONE_REPLICA)
    assert shrinking[-1] == 1
    assert 5 in shrinking, "half of 11 at once"


async def test_a_load_unknown_for_long_is_met_with_what_the_last_day_needed_where_that_is_ordered() -> None:
    cluster = await up({"metricsFailure": {"hold": "5m", "then": "Grow"}})
    await cluster.live(44, ranker=9 * ONE_REPLICA)  # eleven minutes, and what whole days tell is renewed
    fewer = await cluster.live(60, ranker=2 * ONE_REPLICA)
    assert fewer[-1] < 4
    cluster.prometheus.down = DOWN
    blind = await cluster.live(30)
    assert set(blind[:18]) == {fewer[-1]}
    assert blind[-1] >= 8
    assert blind == sorted(blind)
    assert cluster.status()["decisions"][-1]["reason"] == "GrownBlind"


async def test_a_quota_is_shared_by_the_priority_of_the_policies() -> None:
    cluster = Cluster(
        objects.hardware_class(quota={"maxReplicas": 8}), policy("high", priority=10), policy("low", priority=1)
    )
    await cluster.serve(tuned("one", policy_name="low"), tuned("two", policy_name="high"), replicas=2)
    for _ in range(3):
        cluster.load(one=10 * ONE_REPLICA, two=6 * ONE_REPLICA)
        await cluster.tick()
        cluster.settle()
    assert (cluster.replicas("one"), cluster.replicas("two")) == (2, 6)
    assert cluster.condition("ScalingLimited", "one") == ("True", "AtQuota")


async def test_a_profile_counts_until_batches_are_measured() -> None:
    cluster = await up({})
    cluster.add(profile(batchTime={"perItem": "1ms", "fixed": "4ms"}))
    await cluster.live(1, ranker=ONE_REPLICA)
    capacity = cluster.status()["capacity"]
    assert capacity["source"] == "Profile"
    assert capacity["batchTime"] == {"perItem": "1ms", "fixed": "4ms"}
    assert float(capacity["perReplica"]) > 100.0, "a replica of which nothing is known is counted on for 4.5"


async def test_what_was_read_of_the_past_is_known_at_the_next_tick_and_a_successor_inherits_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = await up({})
    minutes = 60
    past = Past(
        demand=Readings(value=np.full((1, minutes), 7.0), known=np.ones((1, minutes), dtype=np.bool_)),
        step_seconds=60.0,
        end_seconds=cluster.clock.seconds - 600.0,
    )
    mine = Chunk(services=(ServiceId(key(), "uid-of-ranker"),), past=past)
    theirs = Chunk(services=(ServiceId(key(), "uid-of-its-predecessor"),), past=past)
    for chunk, known in ((theirs, False), (mine, True)):
        monkeypatch.setattr(cluster.backfill, "take", lambda chunk=chunk: (chunk,))
        outcome = await cluster.tick()
        minute = int(past.end_seconds // 60) - 5
        found = outcome.decisions.memory.sight.history.between(minute, minute)
        assert bool(np.isfinite(found).all()) == known


def test_the_past_in_prometheus_reaches_the_memory_no_further_back_than_the_policy_says() -> None:
    async def main() -> tuple[Outcome, float]:
        cluster = await up({"forecast": {"history": "2h"}})
        workload = Workload(objects.NAMESPACE, objects.DEPLOYMENT)
        for quantity, rate in ((Quantity.SUCCESS, 6.0), (Quantity.FAILURE, 0.0), (Quantity.INFERENCE, 6.0)):
            expression = promql.history(quantity, rate_window_seconds=30.0)
            cluster.prometheus.past[expression] = {workload: lambda _, rate=rate: rate}  # type: ignore[misc]
        raw = cluster.world.services[key()]
        cluster.seen({**raw, "metadata": {**raw["metadata"], "creationTimestamp": "2025-11-01T00:00:00Z"}})
        reading = asyncio.create_task(cluster.backfill.run(between_ticks()))
        await asyncio.sleep(60)
        cluster.load(ranker=6.0)
        outcome = await cluster.tick()
        reading.cancel()
        return outcome, cluster.clock.seconds

    outcome, now_seconds = run(main())
    newest = int(now_seconds // 60)
    history = outcome.decisions.memory.sight.history.between(newest - 200, newest - 10)[0]
    known = np.isfinite(history)
    assert known[-100:].all()
    assert not known[:70].any()
    assert history[known] == pytest.approx(6.0, rel=0.01)
