"""The autoscale loop end to end: real decisions, fake cluster, virtual time."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foretide.adapters.errors import AdapterError, Rejected, Unavailable
from foretide.adapters.prometheus import Pod
from foretide.adapters.resources import DEPLOYMENT, POD, Object
from foretide.adapters.triton import BatchCount
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.outcome import Outcome, Stage
from foretide.serving.naming import deployment_name
from tests.control import objects
from tests.control.cluster import QUANTITIES, Cluster, key
from tests.control.fakes import API_DOWN, DOWN, FakeKubernetes, FakePrometheus
from tests.virtual_time import run

HOLD_TICKS = 25  # a little more than the 300 s of the hold
# Nothing is learned of batch times in most tests: a replica is counted on for 4.5 items a second.
ONE_REPLICA = 4.0

TIMEOUT = Unavailable("no answer in 4 s", reason="PrometheusTimeout")
MALFORMED = Rejected("not JSON", reason="PrometheusMalformed")


async def up(*services: dict[str, Any], replicas: int = 4, ticks: int = 0, **rps: float) -> Cluster:
    """Services that are up, and that many ticks under a load."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(*(services or (objects.service(),)), replicas=replicas)
    await cluster.live(ticks, **(rps or {"ranker": 3.5 * replicas}))
    cluster.kubernetes.writes.clear()
    return cluster


# Growing and shrinking


async def test_replicas_follow_the_load_up_at_once_and_down_after_the_hold() -> None:
    cluster = await up(replicas=1, ticks=1)
    assert await cluster.live(1, ranker=5 * ONE_REPLICA) == [5]
    held = await cluster.live(HOLD_TICKS - 6, ranker=ONE_REPLICA)
    assert set(held) == {5}
    shrinking = await cluster.live(HOLD_TICKS, ranker=ONE_REPLICA)
    assert shrinking == sorted(shrinking, reverse=True)
    assert shrinking[-1] == 1


def test_the_parts_of_a_tick_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(call: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        async def slowed(*given: Any, **named: Any) -> Any:
            await asyncio.sleep(seconds)
            return await call(*given, **named)

        return slowed

    async def main() -> Outcome:
        cluster = await up(replicas=1, ticks=1)
        monkeypatch.setattr(FakePrometheus, "by_pod", slow(FakePrometheus.by_pod, 2.0))
        monkeypatch.setattr(FakeKubernetes, "apply", slow(FakeKubernetes.apply, 3.0))
        cluster.load(ranker=5 * ONE_REPLICA)
        return await cluster.tick()

    outcome = run(main())
    assert outcome.stage_seconds == {Stage.OBSERVE: 2.0, Stage.DECIDE: 0.0, Stage.WRITE: 3.0}
    assert [[one.name for one, _ in hardware] for hardware in outcome.hardware] == [["cpu-16"]]


async def test_only_the_scale_is_written_and_by_its_own_manager() -> None:
    cluster = await up(replicas=1, ticks=1)
    await cluster.live(1, ranker=5 * ONE_REPLICA)
    assert [write.what for write in cluster.kubernetes.writes] == ["status InferenceService", "scale Deployment"]
    assert {write.manager for write in cluster.kubernetes.writes} == {group.AUTOSCALE_MANAGER}
    fields = {"conditions", "desiredReplicas", "hardware", "capacity", "decisions", "memory"}
    status = cluster.kubernetes.writes[0].body["status"]
    assert set(status) == fields
    types = [entry["type"] for entry in status["conditions"]]
    assert types == [
        "MetricsAvailable",
        "ForecastHealthy",
        "ScalingActive",
        "ScalingLimited",
        "SLOFeasible",
        "SLOMet",
    ]


async def test_a_tick_at_rest_writes_nothing() -> None:
    cluster = await up(ticks=1)
    await cluster.live(40, ranker=3.5 * 4)
    assert cluster.kubernetes.writes == []
    assert cluster.replicas() == 4


async def test_a_load_that_trembles_moves_nothing() -> None:
    cluster = await up(ticks=2)
    for tick in range(60):
        await cluster.live(1, ranker=3.5 * 4 + math.sin(tick))
    assert cluster.written("scale") == []


async def test_without_services_a_tick_is_empty() -> None:
    cluster = Cluster(objects.hardware_class())
    outcome = await cluster.tick()
    assert (outcome.keys, outcome.no_metrics, outcome.failed_writes) == ((), None, 0)


async def test_a_service_without_a_ready_pod_waits() -> None:
    cluster = Cluster(objects.hardware_class(), objects.service())
    await cluster.reconcile()
    await cluster.tick()
    assert cluster.condition("MetricsAvailable") == ("Unknown", "NoReadyReplicas")
    assert cluster.written("scale") == []


async def test_the_minimum_is_held_before_anything_is_known() -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(scaling={"minReplicas": 3}))
    cluster.resize("ranker", 1)
    cluster.prometheus.down = DOWN
    await cluster.tick()
    assert cluster.replicas() == 3


async def test_what_triton_tells_of_batches_becomes_capacity() -> None:
    cluster = await up(replicas=1)
    cluster.triton.counts["10.0.0.0:8000"] = tuple(
        BatchCount(batch_size=size, executions=500, compute_seconds=500 * (0.004 + 0.001 * size)) for size in (1, 4, 8)
    )
    await cluster.live(1, ranker=ONE_REPLICA)
    capacity = cluster.status()["capacity"]
    assert capacity["source"] == "Measured"
    assert capacity["batchTime"] == {"perItem": "1ms", "fixed": "4ms"}
    assert float(capacity["perReplica"]) > 100
    await cluster.live(1, ranker=100.0)
    assert cluster.replicas() == 1  # the prior would have asked for 23


# Unknown is never zero

# Without items the ratio before counts; without half windows a burst is seen later, and the load is known.
LOAD = [name for name in QUANTITIES if name != "inference_rps" and not name.startswith("short")]
OUTAGES: list[Callable[[Cluster], None]] = [
    lambda cluster: setattr(cluster.prometheus, "down", DOWN),
    lambda cluster: setattr(cluster.prometheus, "down", TIMEOUT),
    *(lambda cluster, name=name: cluster.prometheus.fail.update({name: MALFORMED}) for name in QUANTITIES),
    lambda cluster: cluster.prometheus.samples.clear(),
    *(lambda cluster, name=name: cluster.prometheus.samples[name].clear() for name in LOAD),
]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DOWN, "PrometheusUnreachable"),
        (TIMEOUT, "PrometheusTimeout"),
        (Rejected("HTTP 503", reason="PrometheusRejected"), "PrometheusRejected"),
        (MALFORMED, "PrometheusMalformed"),
        (Rejected("HTTP 401", reason="PrometheusUnauthorized"), "PrometheusUnauthorized"),
        (Unavailable("certificate has expired", reason="PrometheusTLS"), "PrometheusTLS"),
        (Rejected("more than 16 MiB", reason="PrometheusTooLarge"), "PrometheusTooLarge"),
        (Unavailable("a store is away", reason="PrometheusPartial"), "PrometheusPartial"),
        (Unavailable("the clock of Prometheus is 600s ahead", reason="ClockSkew"), "ClockSkew"),
    ],
)
async def test_without_prometheus_nothing_moves_and_status_says_why(error: AdapterError, reason: str) -> None:
    cluster = await up(ticks=1)
    cluster.prometheus.down = error
    assert set(await cluster.live(HOLD_TICKS, ranker=0.0)) == {4}
    assert cluster.condition("MetricsAvailable") == ("False", reason)
    assert cluster.condition("ScalingActive") == ("False", "MetricsUnavailable")
    assert len(cluster.kubernetes.writes) == 1  # told once
    cluster.prometheus.down = None
    assert set(await cluster.live(HOLD_TICKS - 7, ranker=0.0)) == {4}  # the hold starts anew
    assert cluster.condition("MetricsAvailable") == ("True", "MetricsComplete")
    assert (await cluster.live(HOLD_TICKS, ranker=0.0))[-1] == 1


@pytest.mark.parametrize("outage", OUTAGES)
async def test_no_partial_or_missing_answer_shrinks_anything(outage: Callable[[Cluster], None]) -> None:
    cluster = await up(ticks=1)
    for _ in range(HOLD_TICKS):
        cluster.load(ranker=0.0)
        outage(cluster)
        await cluster.tick()
        cluster.settle()
    assert cluster.replicas() == 4
    assert cluster.condition("MetricsAvailable")[0] == "False"


@pytest.mark.parametrize(
    ("quantity", "value", "reason"),
    [
        ("success_rps", math.nan, "NotFinite"),
        ("success_rps", math.inf, "NotFinite"),
        ("failure_rps", -math.inf, "NotFinite"),
        ("pending", -5.0, "NotFinite"),
        ("success_rps", 1e308, "NotFinite"),
        ("sample_age_seconds", 120.0, "StaleSeries"),
        ("sample_age_seconds", -600.0, "ClockSkew"),
        ("sample_age_seconds", math.nan, "NoSeries"),
    ],
)
async def test_a_value_that_cannot_be_is_unknown(quantity: str, value: float, reason: str) -> None:
    cluster = await up(ticks=1)
    for _ in range(HOLD_TICKS):
        cluster.load(ranker=0.0)
        cluster.prometheus.samples[quantity] = dict.fromkeys(cluster.pods, value)
        await cluster.tick()
        cluster.settle()
    assert cluster.replicas() == 4
    assert cluster.condition("MetricsAvailable") == ("False", reason)


async def test_silent_pods_count_as_loaded_but_do_not_send_the_fleet_to_its_maximum() -> None:
    cluster = await up(ticks=1)
    for _ in range(HOLD_TICKS):
        cluster.load(ranker=ONE_REPLICA)
        for pod in [pod for pod in cluster.pods if pod.name.endswith(("-0", "-1"))]:
            for quantity in cluster.prometheus.samples.values():
                quantity.pop(pod, None)
        await cluster.tick()
    assert cluster.condition("MetricsAvailable") == ("False", "PartialSeries")
    assert cluster.replicas() == 3  # the half that is seen needs 1, the silent 2 count as full


async def test_pods_that_the_watch_does_not_show_count_as_silent() -> None:
    """With the watch of pods blind to 3 of 4, their load would read as zero and the fleet would shrink."""
    cluster = await up(ticks=1)
    for pod in list(cluster.pods.values())[1:]:
        cluster.world.seen(POD, pod, deleted=True)
    for _ in range(HOLD_TICKS):
        cluster.load(ranker=3.5 * 4)
        await cluster.tick()
    assert cluster.replicas() == 4
    assert cluster.condition("MetricsAvailable") == ("False", "PartialSeries")


@pytest.mark.parametrize("deployment_told", [False, True])
async def test_replicas_that_came_while_the_watches_were_silent_count_as_loaded(deployment_told: bool) -> None:
    """Nothing is heard after the fleet has grown, or no more than that the Deployment has made pods: those that came
    take load, and the one that is known has little."""
    cluster = await up(replicas=1, ticks=1)
    cluster.kubernetes.written = lambda _: None
    cluster.load(ranker=5 * ONE_REPLICA)
    await cluster.tick()
    assert cluster.replicas() == 5
    if deployment_told:
        cluster.add(objects.running(cluster.deployment(), ready=1))
    for _ in range(HOLD_TICKS):
        cluster.load(ranker=ONE_REPLICA)  # the fifth that Prometheus shows of a pod that is known
        await cluster.tick()
        assert cluster.replicas() == 5
    cluster.settle()
    shrinking = await cluster.live(2 * HOLD_TICKS, ranker=ONE_REPLICA)
    assert shrinking[-1] == 1, "all are seen again"


Event = tuple[float, str]  # load in replicas, what else happens
lives = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, 2.5, 9.0, 40.0]), st.sampled_from(["", "", "", "down", "half", "none", "restart"])
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=12)
@given(lives)
def test_nothing_shrinks_without_metrics_and_the_bounds_always_hold(life: list[Event]) -> None:
    async def main() -> None:
        cluster = await up(objects.service(scaling={"minReplicas": 2, "maxReplicas": 12}), ticks=1)
        for load, what in life * 3:  # long enough for the hold to run out
            before = cluster.replicas()
            cluster.load(ranker=load * ONE_REPLICA)
            cluster.prometheus.down = DOWN if what == "down" else None
            cluster.prometheus.fail = {"failure_rps": MALFORMED} if what == "half" else {}
            if what == "none":
                cluster.load(ranker=None)
            if what == "restart":
                cluster.start_operator()
                await cluster.reconcile()
            await cluster.tick()
            after = cluster.replicas()
            assert 2 <= after <= 12
            assert after >= before or what in ("", "restart")
            cluster.settle()

    run(main())


# A restart is invisible


@settings(max_examples=8)
@given(st.lists(st.sampled_from([0.0, 1.0, 3.0, 6.0, 9.0]), min_size=10, max_size=10), st.integers(0, 10))
# a step down is written to status; a peak that changes no number follows, and is not; then the operator restarts
@example([0.0, 7.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 2)
def test_a_restart_at_any_tick_never_shrinks_a_fleet_earlier(loads: list[float], restart_at: int) -> None:
    async def life(restart: bool) -> list[int]:
        cluster = await up(replicas=10, ticks=1)
        found = await cluster.live(HOLD_TICKS - 5, ranker=0.0)  # just before the hold runs out
        for tick, load in enumerate(loads):
            if restart and tick == restart_at:
                cluster.start_operator()
                await cluster.reconcile()
            found += await cluster.live(1, ranker=load * ONE_REPLICA)
        return found

    undisturbed, disturbed = run(life(False)), run(life(True))
    assert all(with_it >= without for with_it, without in zip(disturbed, undisturbed, strict=True))


async def test_a_restart_in_the_middle_of_a_hold_neither_shortens_nor_forgets_it() -> None:
    cluster = await up(replicas=6, ticks=5)
    await cluster.live(10, ranker=ONE_REPLICA)
    cluster.start_operator()
    await cluster.reconcile()
    assert set(await cluster.live(10, ranker=ONE_REPLICA)) == {6}
    assert (await cluster.live(2 * HOLD_TICKS, ranker=ONE_REPLICA))[-1] == 1


async def test_a_kill_at_any_write_of_a_tick_ends_in_the_same_cluster() -> None:
    async def life(killed_at: int, *, done: bool) -> tuple[Cluster, int]:
        cluster = await up(objects.service(), objects.service("other"), replicas=2, ticks=1, ranker=7.0, other=7.0)
        cluster.load(ranker=5 * ONE_REPLICA, other=ONE_REPLICA)
        calls = cluster.kubernetes.calls
        if done:
            cluster.kubernetes.lose = lambda call: API_DOWN if call >= calls + killed_at > calls else None
        else:
            cluster.kubernetes.fail = lambda call, *_: API_DOWN if call >= calls + killed_at > calls else None
        await cluster.tick()
        made = cluster.kubernetes.calls - calls
        cluster.kubernetes.fail, cluster.kubernetes.lose = lambda *_: None, lambda _: None
        cluster.start_operator()
        for name in ("ranker", "other"):
            await cluster.reconcile(name)
        for _ in range(3):
            await cluster.tick()
            cluster.settle()
        return cluster, made

    undisturbed, calls = await life(0, done=False)
    assert calls == 2
    assert (undisturbed.replicas(), undisturbed.replicas("other")) == (5, 2)
    for call in range(1, calls + 1):
        for done in (False, True):
            cluster, _ = await life(call, done=done)
            assert (cluster.replicas(), cluster.replicas("other")) == (5, 2), (call, done)
            assert cluster.status()["desiredReplicas"] == 5


async def test_a_scale_that_fails_is_tried_again_at_the_next_tick() -> None:
    cluster = await up(replicas=1, ticks=1)
    cluster.kubernetes.fail = lambda _, verb, __: API_DOWN if verb == "scale" else None
    cluster.load(ranker=5 * ONE_REPLICA)
    outcomes = [await cluster.tick(), await cluster.tick()]
    assert [outcome.failed_writes for outcome in outcomes] == [1, 1]
    assert cluster.replicas() == 1
    cluster.kubernetes.fail = lambda *_: None
    assert (await cluster.tick()).failed_writes == 0
    assert cluster.replicas() == 5
    assert [entry["to"] for entry in cluster.status()["decisions"]] == [5]


async def test_a_deployment_scaled_by_hand_is_brought_back() -> None:
    cluster = await up(ticks=2)
    cluster.resize("ranker", 1)
    cluster.settle()
    assert await cluster.live(1, ranker=3.5 * 4) == [4]


# Orders of users, and rivals


@pytest.mark.parametrize(
    ("scaling", "active", "replicas"),
    [
        ({"paused": True}, ("False", "ScalingPaused"), 4),
        ({"replicas": 7}, ("False", "ReplicasPinned"), 7),
        ({"replicas": 2}, ("False", "ReplicasPinned"), 2),
        ({"maxReplicas": 3}, ("True", "ScalingActive"), 3),
    ],
)
async def test_what_the_user_orders_is_done(scaling: dict[str, Any], active: tuple[str, str], replicas: int) -> None:
    cluster = await up(ticks=1)
    cluster.add(objects.service(generation=2, scaling=scaling, status=cluster.status()))
    await cluster.reconcile()
    assert await cluster.live(3, ranker=9 * ONE_REPLICA) == [replicas] * 3
    assert cluster.condition("ScalingActive") == active


async def test_the_end_of_a_pause_does_not_jump_down() -> None:
    paused = objects.service(scaling={"paused": True})
    cluster = await up(paused, ticks=1)
    assert set(await cluster.live(2 * HOLD_TICKS, ranker=ONE_REPLICA)) == {4}
    cluster.add(objects.service(generation=2, status=cluster.status()))
    await cluster.reconcile()
    assert set(await cluster.live(HOLD_TICKS - 7, ranker=ONE_REPLICA)) == {4}


async def test_foretide_does_not_fight_another_scaler() -> None:
    cluster = await up(ticks=1)
    cluster.add(objects.scaler("rival", objects.DEPLOYMENT))
    await cluster.live(3, ranker=9 * ONE_REPLICA)
    assert cluster.written("scale") == []
    assert cluster.condition("ScalingActive") == ("False", "ForeignScaler")
    cluster.add(objects.scaler("rival", "something-else"))
    assert await cluster.live(1, ranker=9 * ONE_REPLICA) == [9]
    assert cluster.condition("ScalingActive") == ("True", "ScalingActive")


async def test_a_deployment_of_somebody_else_is_not_scaled() -> None:
    """Restored from a backup, say, under the name of ours."""
    cluster = await up(ticks=1)
    deployment = cluster.deployment()
    cluster.add({**deployment, "metadata": {**deployment["metadata"], "ownerReferences": []}})
    cluster.load(ranker=9 * ONE_REPLICA)
    assert (await cluster.tick()).keys == ()
    assert cluster.kubernetes.writes == []


async def test_nothing_shrinks_during_a_rollout() -> None:
    cluster = await up(ticks=HOLD_TICKS)
    for _ in range(2 * HOLD_TICKS):
        cluster.load(ranker=0.0)
        deployment = objects.running(cluster.deployment())
        rolling = {**deployment, "status": {**deployment["status"], "replicas": 5, "updatedReplicas": 2}}
        cluster.world.seen(DEPLOYMENT, rolling)
        await cluster.tick()
    assert cluster.replicas() == 4


async def test_pods_that_crash_are_not_answered_with_more_pods() -> None:
    """k8s#87199: a pod that restarts for ever reports nothing, and an average over it grew the fleet to its maximum."""
    cluster = await up(ticks=1)
    for pod in list(cluster.pods)[2:]:
        cluster.world.seen(POD, objects.pod(pod.name, ready=False))
    for _ in range(10):
        cluster.load(ranker=2 * ONE_REPLICA)
        await cluster.tick()
    assert cluster.replicas() == 4


async def test_a_service_made_again_inherits_nothing() -> None:
    cluster = await up(replicas=6, ticks=5)
    old = cluster.status()
    for kind, namespace, name in list(cluster.kubernetes.objects):
        if kind != "HardwareClass":
            cluster.remove(kind, name, namespace)
    for pod in cluster.pods.values():
        cluster.world.seen(POD, pod, deleted=True)
    cluster.pods = {}
    cluster.add(objects.service(uid="another", status={"memory": old["memory"]}))  # as a backup tool would restore it
    await cluster.reconcile()
    cluster.settle()
    await cluster.live(1, ranker=ONE_REPLICA)
    assert cluster.replicas() == 1
    memory = json.loads(cluster.status()["memory"])
    assert memory["uid"] != json.loads(old["memory"])["uid"]
    assert max(memory["peaks"]) == 1


# One bad service harms no other

garbage = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 1e308, 5e-324, 0.0, 1e9])


@settings(max_examples=15)
@given(
    st.dictionaries(st.sampled_from([*QUANTITIES, "sample_age_seconds"]), garbage),
    st.fixed_dictionaries(
        {},
        optional={
            "memory": st.text(max_size=20) | st.sampled_from(["{}", "[" * 2000, '{"v":1}']),
            "desiredReplicas": st.integers(0, 2**31 - 1),
            "capacity": st.builds(
                lambda rate: {
                    "perReplica": rate,
                    "batchTime": {"perItem": "x", "fixed": ""},
                    "source": "Prior",
                },
                st.text(max_size=5) | st.sampled_from(["nan", "inf"]),
            ),
            "decisions": st.just([{"time": "", "from": 0, "to": 1, "bound": "", "reason": "", "text": ""}]),
        },
    ),
)
def test_garbage_of_one_service_changes_nothing_for_the_others(
    samples: dict[str, float], status: dict[str, Any]
) -> None:
    async def life(poisoned: bool) -> tuple[dict[str, Any], int]:
        cluster = Cluster(objects.hardware_class())
        await cluster.serve(
            objects.service("aardvark", status=status if poisoned else {}),
            objects.service(),
            objects.service("zebra"),
            replicas=2,
        )
        for load in (1.0, 5.0, 5.0):
            cluster.load(aardvark=1.0, ranker=load * ONE_REPLICA, zebra=load * ONE_REPLICA)
            if poisoned:
                bad = Pod(objects.NAMESPACE, f"{deployment_name('aardvark', 'cpu-16')}-0")
                for quantity, value in samples.items():
                    cluster.prometheus.samples[quantity][bad] = value
            assert (await cluster.tick()).failed_writes == 0
        assert cluster.replicas() == cluster.replicas("zebra") == 5
        return cluster.status(), cluster.replicas("aardvark")

    clean, _ = run(life(False))
    beside, aardvark = run(life(True))
    assert beside == clean
    assert 1 <= aardvark <= 20


async def test_a_fault_in_one_service_does_not_keep_the_others_from_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from foretide.control import scaling_status

    status = scaling_status.status

    def faulty(made: Any, row: int, *rest: Any) -> dict[str, Any]:
        if row == 0:
            raise ZeroDivisionError("a fault of ours")
        return status(made, row, *rest)

    cluster = await up(objects.service("aardvark"), objects.service(), replicas=1, ticks=1, aardvark=1.0, ranker=1.0)
    monkeypatch.setattr(scaling_status, "status", faulty)
    cluster.load(aardvark=9 * ONE_REPLICA, ranker=9 * ONE_REPLICA)
    outcome = await cluster.tick()
    assert outcome.failed_writes == 1
    assert (cluster.replicas("aardvark"), cluster.replicas()) == (1, 9)


async def slow_apply(kubernetes: FakeKubernetes, *given: Any, **named: Any) -> Object:
    """Of ticks of 15 s 3 s are for what is not urgent."""
    await asyncio.sleep(4.0)
    return await FakeKubernetes.apply(kubernetes, *given, **named)


def test_a_tick_makes_those_grow_that_must_and_leaves_others_to_the_next_ones_where_it_has_no_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("foretide.control.act.WRITES_AT_ONCE", 1)

    async def main() -> None:
        cluster = Cluster(objects.hardware_class())
        await cluster.serve(*(objects.service(name) for name in ("a", "b", "c", "ranker")), replicas=1)
        monkeypatch.setattr(cluster.kubernetes, "apply", partial(slow_apply, cluster.kubernetes))
        cluster.load(a=1.0, b=1.0, c=1.0, ranker=5 * ONE_REPLICA)
        outcomes = [await cluster.tick()]
        assert cluster.replicas() == 5
        for name in "abc":  # each is the first of a tick
            assert "desiredReplicas" not in cluster.status(name)
            outcomes.append(await cluster.tick())
            assert cluster.status(name)["desiredReplicas"] == 1
        assert [outcome.postponed for outcome in outcomes] == [3, 2, 1, 0]
        assert [outcome.failed_writes for outcome in outcomes] == [0] * 4

    run(main())


async def test_what_a_quota_takes_away_waits_for_no_later_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else has it already."""
    monkeypatch.setattr("foretide.control.autoscale.PATIENCE", 0.0)
    cluster = await up(replicas=5, ticks=1, ranker=18.0)
    cluster.add(objects.hardware_class(quota={"maxReplicas": 3}))
    await cluster.reconcile()
    assert await cluster.live(1, ranker=18.0) == [3]


def test_what_is_to_shrink_and_has_to_wait_shrinks_later_and_nobody_takes_it_for_a_change_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("foretide.control.act.WRITES_AT_ONCE", 1)

    async def main() -> None:
        services = [objects.service(name) for name in ("a", "b", "ranker")]
        cluster = await up(*services, replicas=5, ticks=1, a=18.0, b=18.0, ranker=18.0)
        loads = {"a": 1.0, "b": 1.0, "ranker": 4 * ONE_REPLICA}
        while cluster.replicas("b") == 5:
            await cluster.live(1, **loads)
        before = cluster.replicas("b")
        assert 1 < cluster.replicas("a") == before
        monkeypatch.setattr(cluster.kubernetes, "apply", partial(slow_apply, cluster.kubernetes))
        told = {name: cluster.status(name) for name in "ab"}
        cluster.load(**{**loads, "ranker": 9 * ONE_REPLICA})
        assert (await cluster.tick()).postponed == 2
        assert [cluster.replicas(name) for name in ("a", "b", "ranker")] == [before, before, 9]
        assert {name: cluster.status(name) for name in "ab"} == told
        assert (await cluster.tick()).postponed == 1
        assert cluster.replicas("a") < before == cluster.replicas("b")
        assert (await cluster.tick()).failed_writes == 0
        assert cluster.replicas("b") < before
        assert not [event for event in cluster.events.emitted if event[1] is Reason.MANUAL_SCALE]

    run(main())


async def test_a_write_that_is_cancelled_as_the_operator_ends_ends_the_tick_and_is_no_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = await up(replicas=1, ticks=1, ranker=1.0)

    async def cancelled(deployment: Object, **_: Any) -> str:
        raise asyncio.CancelledError

    cluster.kubernetes.scale = cancelled  # type: ignore[method-assign]
    cluster.load(ranker=9 * ONE_REPLICA)
    with pytest.raises(asyncio.CancelledError):
        await cluster.tick()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_an_api_server_that_refuses_one_service_serves_the_others() -> None:
    cluster = await up(objects.service("aardvark"), objects.service(), replicas=1, ticks=1, aardvark=1.0, ranker=1.0)
    refused = Rejected("quota", reason="Forbidden")
    scale = cluster.kubernetes.scale

    async def choosy(deployment: Object, **rest: Any) -> str:
        if deployment["metadata"]["name"].startswith("aardvark"):
            raise refused
        return await scale(deployment, **rest)

    cluster.kubernetes.scale = choosy  # type: ignore[method-assign]
    cluster.load(aardvark=9 * ONE_REPLICA, ranker=9 * ONE_REPLICA)
    await cluster.tick()
    assert (cluster.replicas("aardvark"), cluster.replicas()) == (1, 9)


async def test_a_service_deleted_during_a_tick_is_left_alone() -> None:
    cluster = await up(objects.service("aardvark"), objects.service(), replicas=1, ticks=1, aardvark=1.0, ranker=1.0)

    def delete(obj: dict[str, Any]) -> None:
        if (
            obj["metadata"]["name"] == "aardvark"
            and ("InferenceService", "shop", "aardvark") in cluster.kubernetes.objects
        ):
            cluster.remove("InferenceService", "aardvark")
        else:
            cluster.seen(obj)

    cluster.kubernetes.written = delete
    cluster.load(aardvark=9 * ONE_REPLICA, ranker=9 * ONE_REPLICA)
    await cluster.tick()
    assert [write.name for write in cluster.written("scale")] == [objects.DEPLOYMENT]
    assert key("aardvark") not in (await cluster.tick()).keys


@pytest.mark.parametrize("services", [1, 500])
async def test_the_number_of_queries_does_not_depend_on_the_number_of_services(services: int) -> None:
    cluster = Cluster(objects.hardware_class())
    for number in range(services):
        cluster.add(objects.service(f"s{number}"))
        await cluster.reconcile(f"s{number}")
    outcome = await cluster.tick()
    assert len(outcome.keys) == services
    assert len(cluster.prometheus.queries) == outcome.queries == 12
