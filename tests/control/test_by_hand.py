"""Replicas that somebody else sets (F29 to F31): told once, brought back, and left alone where it becomes a fight."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from foretide.adapters.errors import AdapterError, Conflict
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.by_hand import CONTEST_SECONDS, CONTESTS, OFF, QUIET_SECONDS, ByHand, Stand
from tests.control import objects
from tests.control.cluster import TICK_SECONDS, Cluster, key
from tests.control.fakes import API_DOWN

LOAD = 3.5 * 4  # what four replicas are for


async def up() -> Cluster:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=4)
    await cluster.live(3, ranker=LOAD)
    cluster.kubernetes.writes.clear()
    cluster.events.emitted.clear()
    return cluster


def by_hand(cluster: Cluster, replicas: int, *, manager: str = "") -> None:
    cluster.resize("ranker", replicas)
    if manager:
        deployment = cluster.deployment()
        setters = [{"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
        cluster.add({**deployment, "metadata": {**deployment["metadata"], "managedFields": setters}})
    cluster.settle()


def told(cluster: Cluster) -> int:
    return sum(reason is Reason.MANUAL_SCALE for _, reason, _ in cluster.events.emitted)


async def test_a_number_set_by_hand_is_told_once_and_brought_back() -> None:
    cluster = await up()
    by_hand(cluster, 1)
    assert await cluster.live(1, ranker=LOAD) == [4]
    assert told(cluster) == 1
    await cluster.live(20, ranker=LOAD)
    assert told(cluster) == 1
    assert cluster.condition("ScalingActive") == ("True", "ScalingActive")


async def test_the_event_says_who_it_was_where_the_api_server_knows(caplog: pytest.LogCaptureFixture) -> None:
    cluster = await up()
    by_hand(cluster, 2, manager="argocd-controller")
    with caplog.at_level("INFO"):
        await cluster.live(1, ranker=LOAD)
    assert "argocd-controller scaled the Deployment from 4 to 2" in caplog.text
    assert told(cluster) == 1


async def test_a_number_that_a_tick_had_no_time_to_write_is_not_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.control.autoscale.PATIENCE", 0.0)
    cluster = await up()
    cluster.load(ranker=1.0)
    postponed = await cluster.tick()
    while postponed.decisions.desired[0] == cluster.replicas():  # until it has held
        postponed = await cluster.tick()
    assert postponed.postponed == 1
    by_hand(cluster, int(postponed.decisions.desired[0]))
    await cluster.tick()
    assert told(cluster) == 1


async def test_our_own_field_manager_is_nobody_else() -> None:
    """A number that the reconcile loop put back, say."""
    cluster = await up()
    by_hand(cluster, 2, manager=group.AUTOSCALE_MANAGER)
    await cluster.live(1, ranker=LOAD)
    assert told(cluster) == 0


async def test_a_fight_ends_with_the_number_left_alone_until_nobody_fights() -> None:
    cluster = await up()
    sizes = []
    for _ in range(CONTESTS):
        by_hand(cluster, 2)
        sizes += await cluster.live(1, ranker=LOAD)
    assert sizes == [4] * (CONTESTS - 1) + [2], "brought back twice, and then no more"
    assert told(cluster) == CONTESTS
    assert cluster.condition("ScalingActive") == ("False", "ManualScaleContested")
    writes = len(cluster.kubernetes.writes)
    quiet = int(QUIET_SECONDS / TICK_SECONDS) - 1
    assert set(await cluster.live(quiet, ranker=LOAD)) == {2}
    assert len(cluster.kubernetes.writes) == writes, "a status at rest is written no more"
    by_hand(cluster, 3)  # and the half hour begins anew
    assert set(await cluster.live(quiet, ranker=LOAD)) == {3}
    assert (await cluster.live(3, ranker=LOAD))[-1] == 4
    assert cluster.condition("ScalingActive") == ("True", "ScalingActive")


async def test_numbers_that_the_load_agrees_with_are_no_fight() -> None:
    """F29 speaks of reverts: who scales in step with a load that rises takes nothing from the operator."""
    cluster = await up()
    for replicas in range(5, 5 + CONTESTS):
        load = 3.5 * replicas
        cluster.load(ranker=load)
        by_hand(cluster, replicas)
        assert await cluster.live(1, ranker=load) == [replicas]
        assert cluster.condition("ScalingActive") == ("True", "ScalingActive")
    assert (await cluster.live(1, ranker=2 * load))[-1] > replicas, "growth goes on"


async def test_changes_that_are_far_apart_or_of_both_ways_are_no_fight() -> None:
    cluster = await up()
    for replicas in (2, 6) * CONTESTS:
        by_hand(cluster, replicas)
        await cluster.tick(seconds=CONTEST_SECONDS / CONTESTS + 1.0)
        await cluster.live(1, ranker=LOAD)
        assert cluster.condition("ScalingActive") == ("True", "ScalingActive")


async def test_a_restart_in_the_middle_of_a_fight_goes_on_leaving_it_alone() -> None:
    cluster = await up()
    for _ in range(CONTESTS):
        by_hand(cluster, 2)
        await cluster.live(1, ranker=LOAD)
    cluster.start_operator()
    await cluster.reconcile()
    assert set(await cluster.live(10, ranker=LOAD)) == {2}
    assert cluster.condition("ScalingActive") == ("False", "ManualScaleContested")


async def test_what_was_set_while_the_operator_was_away_is_told() -> None:
    cluster = await up()
    by_hand(cluster, 1)
    cluster.start_operator()
    await cluster.reconcile()
    assert await cluster.live(1, ranker=LOAD) == [4]
    assert told(cluster) == 1


@pytest.mark.parametrize("before", ["scale", "its answer"])
async def test_a_death_between_status_and_scale_is_nobody_elses_number(before: str) -> None:
    cluster = await up()
    if before == "scale":
        cluster.kubernetes.fail = lambda _, verb, __: API_DOWN if verb == "scale" else None
    else:
        calls = cluster.kubernetes.calls
        cluster.kubernetes.lose = lambda call: API_DOWN if call == calls + 2 else None
    cluster.load(ranker=2 * LOAD)
    await cluster.tick()
    cluster.kubernetes.fail, cluster.kubernetes.lose = lambda *_: None, lambda _: None
    cluster.start_operator()
    await cluster.reconcile()
    await cluster.live(2, ranker=2 * LOAD)
    assert cluster.replicas() == 7
    assert told(cluster) == 0


@pytest.mark.parametrize("scaling", [{}, {"replicas": 3}])
async def test_a_deployment_scaled_to_zero_is_off_until_it_is_scaled_up_again(scaling: dict[str, Any]) -> None:
    """F31: the rule of the HPA."""
    cluster = await up()
    if scaling:
        cluster.add(objects.service(generation=2, scaling=scaling, status=cluster.status()))
        await cluster.reconcile()
        await cluster.live(2, ranker=LOAD)
    by_hand(cluster, 0)
    assert set(await cluster.live(20, ranker=0.0)) == {0}
    assert cluster.condition("ScalingActive") == ("False", "ScaledToZero")
    cluster.start_operator()
    await cluster.reconcile()
    assert set(await cluster.live(5, ranker=0.0)) == {0}, "after a restart, too"
    by_hand(cluster, 1)
    assert (await cluster.live(3, ranker=LOAD))[-1] == (3 if scaling else 4)
    assert cluster.condition("ScalingActive")[1] == ("ReplicasPinned" if scaling else "ScalingActive")
    assert told(cluster) == 0, "the condition tells it"


BOTH = {"aardvark": 1.0, "ranker": 1.0}


async def left_nothing() -> Cluster:
    """Two that share one replica, and it is the other that has it."""
    cluster = Cluster(objects.hardware_class(quota={"maxReplicas": 1}))
    await cluster.serve(*(objects.service(name) for name in BOTH), replicas=1)
    assert (await cluster.live(3, **BOTH))[-1] == 0
    return cluster


async def lift_quota(cluster: Cluster) -> None:
    cluster.add(objects.hardware_class())
    for name in BOTH:
        await cluster.reconcile(name)


async def test_a_zero_of_a_quota_is_our_own() -> None:
    """A quota that has room again gives it back."""
    cluster = await left_nothing()
    assert cluster.condition("ScalingLimited") == ("True", "AtQuota")
    await lift_quota(cluster)
    assert (await cluster.live(2, **BOTH))[-1] == 1


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("error", [API_DOWN, Conflict("modified", reason="Conflict")], ids=lambda error: error.reason)
async def test_a_way_up_from_the_zero_of_a_quota_that_fails_is_tried_again(
    error: AdapterError, restarted: bool
) -> None:
    """Status tells of the way up before it is gone, and the zero is the operator's own still."""
    cluster = await left_nothing()
    await lift_quota(cluster)
    cluster.kubernetes.fail = lambda _, verb, __: error if verb == "scale" else None
    assert await cluster.live(1, **BOTH) == [0]
    assert cluster.status()["decisions"][-1]["to"] == 1
    cluster.kubernetes.fail = lambda *_: None
    if restarted:
        cluster.start_operator()
        await lift_quota(cluster)
    assert (await cluster.live(2, **BOTH))[-1] == 1
    assert told(cluster) == 0


async def test_a_quota_that_takes_and_gives_back_before_the_event_of_the_first_makes_no_conflict() -> None:
    """From 0 the resourceVersion is tested."""
    cluster = Cluster(objects.hardware_class(quota={"maxReplicas": 1}))
    await cluster.serve(*(objects.service(name) for name in BOTH), replicas=1)
    cluster.kubernetes.written = lambda obj: None if obj["kind"] == "Deployment" else cluster.seen(obj)
    cluster.load(**BOTH)
    await cluster.tick()
    assert cluster.replicas() == 0
    await lift_quota(cluster)
    assert (await cluster.tick()).failed_writes == 0
    assert cluster.replicas() == 1


async def test_who_set_a_zero_is_believed_before_what_was_decided_once() -> None:
    """A quota left nothing some time ago; now somebody turns the service off while the operator is away."""
    cluster = await left_nothing()
    await lift_quota(cluster)
    assert (await cluster.live(2, **BOTH))[-1] == 1
    by_hand(cluster, 0, manager="kubectl-scale")
    cluster.start_operator()
    await lift_quota(cluster)
    assert set(await cluster.live(5, **BOTH)) == {0}
    assert cluster.condition("ScalingActive") == ("False", "ScaledToZero")


@pytest.mark.parametrize("order", ["paused", "advisory", "foreign"])
async def test_where_the_number_is_not_ours_nobody_contests_it(order: str) -> None:
    cluster = await up()
    if order == "foreign":
        cluster.add(objects.scaler("rival", objects.DEPLOYMENT))
    else:
        scaling: dict[str, Any] = {"minReplicas": 1, "maxReplicas": 20, "paused": True}
        if order == "advisory":
            scaling = {"minReplicas": 1, "maxReplicas": 20, "policyRef": {"name": "web"}}
            cluster.add(
                {
                    "apiVersion": group.API_VERSION,
                    "kind": "ScalingPolicy",
                    "metadata": {"name": "web", "namespace": objects.NAMESPACE, "uid": "u", "generation": 1},
                    "spec": {"mode": "Advisory"},
                }
            )
        cluster.add(objects.service(generation=2, scaling=scaling, status=cluster.status()))
        await cluster.reconcile()
    for replicas in (2, 7) * CONTESTS:
        by_hand(cluster, replicas)
        assert await cluster.live(1, ranker=LOAD) == [replicas]
    assert told(cluster) == 0


async def test_a_service_that_is_being_deleted_is_not_written() -> None:
    """F33: while its children are deleted before it."""
    cluster = await up()
    cluster.add(objects.service(status=cluster.status(), deleted=True))
    cluster.load(ranker=4 * LOAD)
    assert (await cluster.tick()).keys == ()
    assert cluster.kubernetes.writes == []


async def test_a_deployment_made_anew_between_decision_and_write_is_not_scaled() -> None:
    """F32: it is found made anew when the status was written, and gets its number from the next tick."""
    cluster = await up()

    def replaced(obj: dict[str, Any]) -> None:
        cluster.kubernetes.written = cluster.seen
        cluster.seen(obj)
        deployment = cluster.deployment()
        metadata = {**deployment["metadata"], "uid": "another", "generation": 1}
        cluster.kubernetes.objects["Deployment", objects.NAMESPACE, objects.DEPLOYMENT] = {
            **deployment,
            "metadata": metadata,
        }

    cluster.kubernetes.written = replaced
    cluster.load(ranker=2 * LOAD)
    assert (await cluster.tick()).failed_writes == 1
    assert cluster.replicas() == 4
    cluster.add(cluster.deployment())  # its event
    assert await cluster.live(1, ranker=2 * LOAD) == [7]
    assert told(cluster) == 0


# A Deployment through any life in which nobody else sets its number.


def deployment(replicas: int, generation: int, *, uid: str = "u1") -> dict[str, Any]:
    metadata = {"name": objects.DEPLOYMENT, "uid": uid, "generation": generation}
    return {"metadata": metadata, "spec": {"replicas": replicas}}


class Life:
    """What the API server has, what the operator sees of it, and what the operator remembers."""

    def __init__(self) -> None:
        self.hands, self.now = ByHand(), 1_763_800_000.0
        self.replicas, self.generation = 3, 2
        self.shown = self.true
        self.status: dict[str, Any] = {"desiredReplicas": 3, "decisions": []}

    @property
    def true(self) -> dict[str, Any]:
        return deployment(self.replicas, self.generation)

    def look(self) -> Stand:
        self.now += TICK_SECONDS
        return self.hands.look(key(), self.shown, self.status, now_seconds=self.now, acts=True)

    def write(self, replicas: int, outcome: str) -> None:
        """As the autoscale loop does, with a precondition on the number that it saw."""
        present = self.shown["spec"]["replicas"]
        if replicas == present:
            return
        decisions = [*self.status["decisions"], {"from": present, "to": replicas}]
        self.status = {"desiredReplicas": replicas, "decisions": decisions}
        if outcome == "dies before":
            self.restart()
            return
        done = outcome != "fails" and present == self.replicas
        if done:
            self.replicas, self.generation = replicas, self.generation + 1
        if outcome == "dies after":
            self.restart()
            return
        told = done and outcome != "answer lost"
        self.hands.wrote(key(), replicas, done=told)
        if told:  # the cache has the number, and not yet the generation
            self.shown = deployment(replicas, self.shown["metadata"]["generation"])

    def restart(self) -> None:
        self.hands, self.shown = ByHand(), self.true


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["works", "works", "fails", "answer lost", "dies before", "dies after"]),
        st.integers(0, 9),
        st.sampled_from(["event", "no event", "roll-out", "old event"]),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=200)
@given(STEPS)
def test_nothing_that_we_write_and_no_roll_out_is_taken_for_somebody_elses(
    steps: list[tuple[str, int, str]],
) -> None:
    life = Life()
    assert life.look() == Stand()
    for outcome, replicas, what in steps:
        before = life.shown
        life.write(replicas, outcome)
        if what == "roll-out":
            life.generation += 1
        if what in ("event", "roll-out"):
            life.shown = life.true
        elif what == "old event":
            life.shown = before  # of a status, from before our own write
        assert life.look() == Stand(), (outcome, replicas, what)


@settings(deadline=None, max_examples=200)
@given(STEPS, st.integers(0, 9))
def test_whatever_came_before_another_number_is_somebody_elses(steps: list[tuple[str, int, str]], number: int) -> None:
    life = Life()
    life.look()
    for outcome, replicas, _ in steps:
        life.write(replicas, outcome)
        life.shown = life.true
        life.look()
    last, tried = life.replicas, [entry for one in life.status["decisions"] for entry in one.values()]
    assume(number == last or number not in tried)  # what we may have written ourselves
    life.replicas, life.generation = number, life.generation + 1
    life.shown = life.true
    changed = f"somebody else scaled the Deployment from {last} to {number}"
    stand = life.look()
    if number == 0 and last > 0:
        assert stand == OFF
    else:
        assert stand.change == ("" if number == last else changed)


def test_garbage_in_a_status_is_no_memory() -> None:
    for status in ({}, {"desiredReplicas": "x"}, {"decisions": 3}, {"desiredReplicas": 3, "decisions": ["x"]}):
        hands = ByHand()
        assert hands.look(key(), deployment(3, 7), status, now_seconds=0.0, acts=True) == Stand()
