"""A policy tried in the shadow touches nothing, its score outlives the operator, and a bad one is told and no more."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foretide.api.reasons import Reason
from foretide.control import challenge
from foretide.scaling.shadow import Side
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.test_policies import policy, profile
from tests.control.test_tuned_autoscale import tuned
from tests.scaling.build import same

NEXT: Final = {"policyRef": {"name": "web-next"}}
# 100 ms for a batch of any size up to 8: a replica is counted on for some ten items a second within the SLO of 1 s.
SLOW: Final[dict[str, Any]] = {"batchTime": {"perItem": "0s", "fixed": "100ms"}, "maxBatchSize": 1}
# Needs replicas only when they are needed, and lets go of them at once.
MEAN: Final = {"scaleUp": {"maxStep": "1%"}, "scaleDown": {"hold": "1s", "maxStep": "100%"}}


async def up(challenger: dict[str, Any] | None, *, champion: dict[str, Any] | None = None, **changes: Any) -> Cluster:
    cluster = Cluster(objects.hardware_class(**changes), policy(**(champion or {}), challenger=NEXT))
    if challenger is not None:
        cluster.add(policy("web-next", **challenger))
    cluster.add(profile(**SLOW))
    await cluster.serve(
        {**tuned(), "spec": {**tuned()["spec"], "slo": {"objective": "99", "latency": "1s"}}}, replicas=2
    )
    cluster.kubernetes.writes.clear()
    return cluster


def told(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.status()["challenger"]
    return found


async def wave(cluster: Cluster, ticks: int) -> None:
    """Five items a second and fifty, by turns of three minutes."""
    for tick in range(ticks):
        await cluster.live(1, ranker=50.0 if tick // 12 % 2 else 5.0)


async def test_a_meaner_policy_is_late_more_often_and_costs_less_and_status_says_so() -> None:
    cluster = await up(MEAN, cost={"perHour": "0.50", "currency": "EUR"})
    await wave(cluster, 64)
    found = told(cluster)
    score, champion = found["score"], found["championScore"]
    assert (found["policy"], "reason" in found) == ("web-next", False)
    assert float(score["late"]) > float(champion["late"])
    assert float(score["replicaHours"]) < float(champion["replicaHours"])
    assert float(score["attainment"]) < float(champion["attainment"]) <= 100.0
    assert float(score["costPerHour"]) == pytest.approx(
        0.5 * float(score["replicaHours"]) / float(found["hours"]), rel=1e-3
    )
    assert 0.25 <= float(found["hours"]) <= 0.5
    assert float(found["inferences"]) == pytest.approx(27.5 * 3_600.0 * float(found["hours"]), rel=0.3)


async def test_without_a_price_there_is_none_and_without_a_challenger_nothing_is_told() -> None:
    cluster = await up({})
    await cluster.live(3, ranker=5.0)
    assert "costPerHour" not in told(cluster)["score"]
    cluster.add(policy())
    outcome = await cluster.tick()
    assert "challenger" not in cluster.written("status")[-1].body["status"]
    assert outcome.verdicts == {}


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["Active", "Advisory"]),
        "forecast": st.sampled_from([{"mode": "Reactive"}, {"risk": "0.5"}, {"season": "10m"}]),
        "scaleUp": st.sampled_from([{"maxStep": "1%"}, {"maxStep": "1000%"}]),
        "scaleDown": st.sampled_from([{"hold": "1s", "maxStep": "100%"}, {"hold": "24h"}]),
        "metricsFailure": st.just({"hold": "1m", "then": "Grow"}),
        "priority": st.sampled_from([0, 1000, -1]),  # the last one breaks a rule
        "challenger": st.just({"policyRef": {"name": "web"}}),  # a challenger's own counts for nothing
    },
)
LOADS = st.lists(st.sampled_from([None, 0.0, 5.0, 40.0, 90.0]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(spec=st.none() | SPECS, champion=SPECS.filter(lambda spec: spec.get("priority") != -1), loads=LOADS)
def test_a_challenger_changes_no_decision_no_memory_and_no_write(
    spec: dict[str, Any] | None, champion: dict[str, Any], loads: list[float | None]
) -> None:
    async def main() -> None:
        tried = await up(spec, champion={name: value for name, value in champion.items() if name != "challenger"})
        alone = await up(None, champion={name: value for name, value in champion.items() if name != "challenger"})
        alone.add(policy(**{name: value for name, value in champion.items() if name != "challenger"}))
        for load in loads:
            outcomes = []
            for cluster in (tried, alone):
                cluster.load(ranker=load)
                outcomes.append((await cluster.tick()).decisions)
                cluster.settle()
            one, other = outcomes
            assert same(one.desired, other.desired)
            assert same(one.bound, other.bound)
            assert same(one.memory, other.memory)
        scales = [[(write.name, write.body) for write in one.written("scale")] for one in (tried, alone)]
        assert scales[0] == scales[1]
        assert alone.status() == {name: value for name, value in tried.status().items() if name != "challenger"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("spec", "reason", "fragment"),
    [(None, "ChallengerNotFound", '"web-next" is not a ScalingPolicy'), ({"priority": -1}, "ChallengerInvalid", "-1")],
)
async def test_a_challenger_that_is_missing_or_broken_is_told_and_the_policy_goes_on(
    spec: dict[str, Any] | None, reason: str, fragment: str
) -> None:
    cluster = await up(spec)
    assert (await cluster.live(2, ranker=50.0))[-1] > 2
    assert told(cluster).keys() == {"policy", "reason", "message"}
    assert told(cluster)["reason"] == reason
    assert fragment in told(cluster)["message"]
    assert cluster.condition("ScalingActive") == ("True", "ScalingActive")
    cluster.add(policy("web-next"))
    await cluster.live(1, ranker=50.0)
    assert "reason" not in told(cluster)


async def test_a_fault_in_the_shadow_stops_nothing_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = await up({})
    await wave(cluster, 64)
    before = told(cluster)

    def fault(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(challenge, "judge", fault)
        assert (await cluster.live(2, ranker=120.0))[-1] > 8
        assert told(cluster) == {**before, "reason": "ChallengerFault", "message": Reason.CHALLENGER_FAULT.meaning}
    await cluster.live(1, ranker=120.0)
    assert "reason" not in told(cluster)
    assert float(told(cluster)["hours"]) > float(before["hours"])


async def test_a_restart_goes_on_with_the_sums_of_the_status() -> None:
    cluster = await up(MEAN)
    await wave(cluster, 64)
    before = told(cluster)
    cluster.start_operator()
    await cluster.reconcile()
    cluster.load(ranker=5.0)
    outcome = await cluster.tick()
    verdict = outcome.verdicts[key()]
    assert verdict.tally is not None
    assert told(cluster) == before, "nothing new is worth a write"
    assert verdict.tally.judged_seconds[0] / 3_600.0 == pytest.approx(float(before["hours"]), abs=0.01)
    assert verdict.tally.late[0, Side.CHALLENGER] == pytest.approx(float(before["score"]["late"]), rel=0.01)
    assert verdict.tally.asked[0] >= float(before["inferences"])


@pytest.mark.parametrize(
    "edit",
    [
        {"hours": "9999999"},
        {"hours": "NaN"},
        {"inferences": "-1"},
        {"inferences": "inf"},
        {"since": "2199-01-01T00:00:00Z"},
        {"since": "yesterday"},
        {"score": None},
        {"score": {"late": "1e300", "replicaHours": "1"}},
        {"championScore": {"replicaHours": "1"}},
        {"compared": "a/1 b/2"},
    ],
)
async def test_a_status_that_was_edited_into_what_cannot_be_begins_anew(edit: dict[str, Any]) -> None:
    cluster = await up({})
    await cluster.live(4, ranker=30.0)
    since = told(cluster)["since"]
    raw = cluster.object("InferenceService", "ranker")
    cluster.add({**raw, "status": {**raw["status"], "challenger": {**told(cluster), **edit}}})
    cluster.start_operator()
    await cluster.reconcile()
    await cluster.live(1, ranker=30.0)
    assert told(cluster)["hours"] == "0"
    assert since < told(cluster)["since"] < "2025-11-23"


@pytest.mark.parametrize("edited", ["web", "web-next"])
async def test_an_edited_policy_begins_anew(edited: str) -> None:
    cluster = await up({})
    await cluster.live(4, ranker=30.0)
    since = told(cluster)["since"]
    changes = {"priority": 3} if edited == "web-next" else {"priority": 3, "challenger": NEXT}
    raw = policy(edited, **changes)
    cluster.add({**raw, "metadata": {**raw["metadata"], "generation": 2}})
    await cluster.live(1, ranker=30.0)
    assert told(cluster)["hours"] == "0"
    assert told(cluster)["since"] > since


@pytest.mark.parametrize(
    ("scaling", "reason"), [({"paused": True}, "ScalingPaused"), ({"replicas": 6}, "ReplicasPinned")]
)
async def test_what_the_policy_does_not_decide_is_not_compared(scaling: dict[str, Any], reason: str) -> None:
    cluster = await up(MEAN)
    await wave(cluster, 20)
    raw = cluster.object("InferenceService", "ranker")
    cluster.add({**raw, "spec": {**raw["spec"], "scaling": {**raw["spec"]["scaling"], **scaling}}})
    await cluster.reconcile()
    await cluster.live(1, ranker=30.0)
    assert told(cluster)["reason"] == reason
    tallies = [(await cluster.tick()).verdicts[key()].tally for _ in range(2)]
    assert same(tallies[0], tallies[1])


async def test_of_a_service_that_is_off_the_reason_is_that() -> None:
    cluster = await up(MEAN)
    await wave(cluster, 20)
    cluster.resize("ranker", 0)
    cluster.settle()
    await cluster.live(1, ranker=30.0)
    assert told(cluster)["reason"] == "ScaledToZero"


async def test_of_a_replica_of_which_nothing_is_known_nobody_can_tell_what_is_late() -> None:
    cluster = await up({})
    cluster.remove("ModelProfile", "ranker-cpu-16")
    await cluster.live(2, ranker=5.0)
    assert told(cluster)["reason"] == "SLOUnknown"
    assert told(cluster)["hours"] == "0"


async def test_a_service_at_rest_is_written_no_more_than_four_times_in_an_hour() -> None:
    cluster = await up({})
    for minute in range(120):
        if minute == 60:
            cluster.kubernetes.writes.clear()
        cluster.load(ranker=5.0)
        await cluster.tick(seconds=60.0)
        cluster.settle()
    assert 0 < len(cluster.written("status")) <= 4


async def test_only_services_with_a_challenger_are_decided_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = await up({})
    await cluster.serve(*(objects.service(name) for name in ("a", "b", "z")), replicas=1)
    rows = []

    def judge(*arguments: Any, **named: Any) -> Any:
        rows.append(named["challenged"].tolist())
        return shadow_judge(*arguments, **named)

    shadow_judge = challenge.judge  # type: ignore[attr-defined]
    monkeypatch.setattr(challenge, "judge", judge)
    for tick in range(4):
        cluster.load(ranker=5.0, a=5.0, b=5.0, z=5.0)
        await cluster.tick()
        if tick == 1:
            cluster.remove("InferenceService", "a")
            cluster.world.served.pop(key("a"), None)
    assert rows == [[2], [2], [1], [1]]
    cluster.add(policy())
    await cluster.tick()
    assert len(rows) == 4
