"""Acting: status first, /scale second, and a failure of either loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.errors import AdapterError, Conflict, Rejected
from foretide.adapters.resources import Object
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.act import HEAD_START_TICKS, Actuator, Scale, Written
from foretide.control.concurrency import all_of
from foretide.control.world import Key, World
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import API_DOWN, FakeEvents, FakeKubernetes
from tests.virtual_time import run

DECISION = {"from": 2, "to": 5, "reason": "ScaledUp", "text": "2 -> 5: because"}
STATUS = {"conditions": [], "desiredReplicas": 5, "decisions": [DECISION]}
AT_REST = {"conditions": [], "desiredReplicas": 2, "decisions": []}
ERRORS = [
    API_DOWN,
    Rejected("inferenceservices/status is forbidden", reason="Forbidden"),
    Conflict("modified", reason="Conflict"),
]


@pytest.fixture
async def cluster() -> Cluster:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=2)
    return cluster


@pytest.fixture
def actuator(cluster: Cluster) -> Actuator:
    return Actuator(cluster.kubernetes, cluster.events, cluster.world)


async def act(
    actuator: Actuator,
    status: dict[str, Any] = STATUS,
    *,
    memory: str = "m1",
    present: int = 2,
    decided_on: Object | None = None,
) -> bool:
    """On the Deployment as it is known now, or as it was known when it was decided on."""
    deployment = decided_on or actuator._world.child(key(), "Deployment", objects.DEPLOYMENT)
    assert deployment is not None
    written = await actuator.act(
        key(),
        "uid-of-ranker",
        status=lambda: status,
        before={},
        memory=lambda: memory,
        scales=[Scale(shown(deployment, present), status["desiredReplicas"])],
        urgent=True,
    )
    assert written is not Written.POSTPONED
    return written is Written.DONE


def shown(deployment: Object, present: int) -> Object:
    """With the number of replicas that was decided on."""
    return {**deployment, "spec": {**deployment["spec"], "replicas": present}}


async def test_what_must_be_remembered_is_written_before_the_number(cluster: Cluster, actuator: Actuator) -> None:
    assert await act(actuator)
    assert [write.what for write in cluster.kubernetes.writes] == ["status InferenceService", "scale Deployment"]
    assert {write.manager for write in cluster.kubernetes.writes} == {group.AUTOSCALE_MANAGER}
    assert cluster.status()["memory"] == "m1"
    assert cluster.replicas() == 5
    assert cluster.events.emitted[-1] == ("ranker", Reason.SCALED_UP, False)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_failed_status_write_never_scales(cluster: Cluster, actuator: Actuator, error: AdapterError) -> None:
    cluster.kubernetes.fail = lambda _, verb, __: error if verb == "status" else None
    assert not await act(actuator)
    assert cluster.written("scale") == []
    cluster.kubernetes.fail = lambda *_: None
    assert await act(actuator)
    assert cluster.replicas() == 5


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_failed_scale_is_tried_again(cluster: Cluster, actuator: Actuator, error: AdapterError) -> None:
    cluster.kubernetes.fail = lambda _, verb, __: error if verb == "scale" else None
    assert not await act(actuator)
    assert cluster.replicas() == 2
    assert cluster.status()["desiredReplicas"] == 5
    cluster.kubernetes.fail = lambda *_: None
    assert await act(actuator)
    assert cluster.replicas() == 5


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Rejected('deployments.apps "x" is forbidden', reason="Forbidden"), "Forbidden"),
        (Rejected("denied request: few", reason="Invalid"), "ScaleRefused"),
        (Conflict("modified", reason="Conflict"), None),
        (Rejected("not found", reason="NotFound"), None),
        (API_DOWN, None),
    ],
    ids=lambda value: getattr(value, "reason", value),
)
async def test_a_scale_that_is_refused_is_told_once_and_tried_at_each_tick(
    error: AdapterError, word: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=2)
    tried = []

    def refuse(_: int, verb: str, __: str) -> AdapterError | None:
        tried.extend([verb] if verb == "scale" else [])
        return error if verb == "scale" else None

    cluster.kubernetes.fail = refuse
    with caplog.at_level("INFO"):
        await cluster.live(3, ranker=14.0)
        writes, first = len(cluster.kubernetes.writes), cluster.status()
        await cluster.live(17, ranker=14.0)
    assert len(tried) == 20
    assert cluster.written("scale") == []
    assert len(cluster.kubernetes.writes) == writes, "nothing new to tell"
    assert cluster.status() == first
    assert sum("2 -> 4" in line for line in caplog.messages) == 1
    assert sum(str(error) in line for line in caplog.messages) == 1
    turned = [reason for _, reason, _ in cluster.events.emitted if reason == word]
    active = next(one for one in cluster.status()["conditions"] if one["type"] == "ScalingActive")
    assert (active["status"], active["reason"]) == (("False", word) if word else ("True", "ScalingActive"))
    assert (str(error) in active["message"]) == bool(word)
    assert len(turned) == bool(word)
    cluster.kubernetes.fail = lambda *_: None
    assert (await cluster.live(2, ranker=14.0))[-1] == 4
    assert cluster.condition("ScalingActive") == ("True", "ScalingActive")
    assert [one["to"] for one in cluster.status()["decisions"]] == [4]


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_lost_answer_does_no_harm(cluster: Cluster, actuator: Actuator, lost: int) -> None:
    calls = cluster.kubernetes.calls
    cluster.kubernetes.lose = lambda call: API_DOWN if call == calls + lost else None
    assert not await act(actuator)
    assert await act(actuator, present=cluster.replicas())
    assert cluster.replicas() == 5


async def test_a_service_at_rest_is_not_written_although_its_memory_moves(cluster: Cluster, actuator: Actuator) -> None:
    assert await act(actuator, AT_REST, memory="m1")  # the first tick of a process tells all
    assert await act(actuator, AT_REST, memory="m2")
    assert len(cluster.kubernetes.writes) == 1
    assert cluster.status()["memory"] == "m1"
    assert await act(actuator, {**AT_REST, "decisions": [DECISION]}, memory="m3")
    assert cluster.status()["memory"] == "m3"


async def test_a_service_deleted_while_its_status_is_written_is_not_scaled(
    cluster: Cluster, actuator: Actuator
) -> None:
    cluster.kubernetes.written = lambda _: cluster.remove("InferenceService", "ranker")
    await act(actuator)
    assert cluster.written("scale") == []


async def test_a_service_made_again_meanwhile_is_not_scaled(cluster: Cluster, actuator: Actuator) -> None:
    def replaced(_: object) -> None:
        cluster.kubernetes.written = lambda _: None
        served = cluster.world.served[key()]
        cluster.world.served[key()] = replace(served, service=replace(served.service, uid="another"))

    cluster.kubernetes.written = replaced
    await act(actuator)
    assert cluster.written("scale") == []


async def test_a_deployment_made_again_meanwhile_is_not_scaled(cluster: Cluster, actuator: Actuator) -> None:
    """F32: of the same name, and as many replicas."""
    decided_on = cluster.deployment()
    metadata = {**decided_on["metadata"], "uid": "another"}
    cluster.add({**decided_on, "metadata": metadata})
    assert not await act(actuator, decided_on=decided_on)
    assert cluster.replicas() == 2


async def test_a_number_that_somebody_else_wrote_meanwhile_is_not_overwritten(
    cluster: Cluster, actuator: Actuator
) -> None:
    """F39: the next tick reads and decides anew; nothing is tried again blindly."""
    decided_on = cluster.deployment()
    cluster.resize("ranker", 9)
    assert not await act(actuator, decided_on=decided_on)
    assert cluster.replicas() == 9
    assert len(cluster.written("scale")) == 1


async def test_a_number_just_written_is_known_before_its_event_arrives(cluster: Cluster, actuator: Actuator) -> None:
    cluster.kubernetes.written = lambda _: None
    await act(actuator)
    (deployment,) = cluster.world.deployments(key())
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 5


async def test_a_service_that_is_gone_is_no_error(cluster: Cluster, actuator: Actuator) -> None:
    cluster.remove("InferenceService", "ranker")
    assert not await act(actuator)
    assert cluster.written("scale") == []


AT_ONCE = 2


class Slow(FakeKubernetes):
    """Takes a second for each write; what it answers of some is none."""

    def __init__(self, faulty: Container[str] = (), refused: Container[str] = ()) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._faulty = faulty
        self._refused = refused

    async def apply(self, obj: Object, *, manager: str, subresource: str | None = None) -> Object:
        name = obj["metadata"]["name"]
        await asyncio.sleep(1.0)
        self.asked.append(name)
        if name in self._refused:
            raise API_DOWN
        return {} if name in self._faulty else obj


@given(st.integers(1, 12), st.integers(2, 4), st.data())
def test_every_turn_comes_where_no_tick_has_time_for_all(services: int, seconds: int, data: st.DataObject) -> None:
    """Each tick is given up, and each time all want another number; else the last in order would never be written.
    Whoever is refused, or meets a fault, waits like the others."""
    keys = [Key("shop", f"s{number}") for number in range(services)]
    names = st.sets(st.sampled_from([key.name for key in keys]))
    api = Slow(faulty=data.draw(names), refused=data.draw(names))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("foretide.control.act.WRITES_AT_ONCE", AT_ONCE)
        actuator = Actuator(api, FakeEvents(), World())

    async def tick(number: int) -> None:
        status = {**AT_REST, "desiredReplicas": number}
        urgent = data.draw(st.lists(st.booleans(), min_size=services, max_size=services))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - 0.5):
                await all_of(
                    actuator.act(
                        keys[index], "uid", status=lambda: status, before={}, memory=str, scales=[], urgent=True
                    )
                    for index in actuator.in_turn(keys, urgent=urgent, changing=urgent)
                )

    async def ticks() -> None:
        for number in range(-(-services // (AT_ONCE * (seconds - 1))) + HEAD_START_TICKS):
            await tick(number)

    run(ticks())
    assert set(api.asked) == {key.name for key in keys}


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_in_a_tick_that_has_no_time_for_all_those_grow_that_must_and_the_others_come_soon(grow: list[bool]) -> None:
    """2,000 services that all shrank made ticks that were given up one after the other."""
    keys = [Key("shop", f"s{number}") for number in range(len(grow))]
    api, patience_seconds = Slow(), 1.5
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("foretide.control.act.WRITES_AT_ONCE", AT_ONCE)
        actuator = Actuator(api, FakeEvents(), World(), patience_seconds=patience_seconds)

    async def tick(number: int) -> None:
        made: list[int] = []

        def status() -> dict[str, Any]:
            made.append(number)
            return {**AT_REST, "desiredReplicas": number}

        began = asyncio.get_running_loop().time()
        order = actuator.in_turn(keys, urgent=grow, changing=[True] * len(keys))
        outcomes = await all_of(
            actuator.act(
                keys[index],
                "uid",
                status=status,
                before={},
                memory=str,
                scales=[Scale({"spec": {"replicas": 4}}, 5 if grow[index] else 3)],
                urgent=grow[index],
                decided=False,
            )
            for index in order
        )
        took = asyncio.get_running_loop().time() - began
        assert took <= patience_seconds + 1.0 + sum(grow)  # of one that had begun, and of those that grow
        for index, outcome in zip(order, outcomes, strict=True):
            assert outcome is Written.DONE or (outcome is Written.POSTPONED and not grow[index])
        assert len(made) == outcomes.count(Written.DONE), "a status that nobody has the time to write is not made"

    async def ticks() -> None:
        for number in range(len(grow) + HEAD_START_TICKS):
            before = len(api.asked)
            await tick(number)
            assert {key.name for key, grows in zip(keys, grow, strict=True) if grows} <= set(api.asked[before:])

    run(ticks())
    assert set(api.asked) == {key.name for key in keys}


async def test_the_urgent_have_a_start_of_some_ticks() -> None:
    actuator, keys = Actuator(Slow(), FakeEvents(), World()), [Key("shop", name) for name in "abcd"]
    urgent = [False, True, False, True]
    assert actuator.in_turn(keys, urgent=urgent, changing=[True] * 4) == [1, 3, 0, 2]
    for _ in range(HEAD_START_TICKS):
        keys.append(Key("shop", f"e{len(keys)}"))
        urgent = [*[False] * (len(keys) - 1), True]
        order = actuator.in_turn(keys, urgent=urgent, changing=[True] * len(keys))
    assert order[:5] == [0, 1, 2, 3, len(keys) - 1]  # those wait for as long as the start is


async def test_of_those_who_wait_for_as_long_who_changes_is_first() -> None:
    actuator, keys = Actuator(Slow(), FakeEvents(), World()), [Key("shop", name) for name in "abcd"]
    changing = [False, False, True, False]
    assert actuator.in_turn(keys, urgent=[False] * 4, changing=changing) == [2, 0, 1, 3]
    keys.append(Key("shop", "e"))
    assert actuator.in_turn(keys, urgent=[False] * 5, changing=[*changing, True]) == [2, 0, 1, 3, 4]


async def test_who_is_at_rest_does_not_wait_for_those_that_are_written(
    cluster: Cluster, actuator: Actuator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await act(actuator, AT_REST)
    monkeypatch.setattr(actuator, "_slots", asyncio.Semaphore(0))
    async with asyncio.timeout(1.0):
        assert await act(actuator, AT_REST)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.0):
            await act(actuator, STATUS)
    assert cluster.written("scale") == []


async def test_a_decision_whose_turn_does_not_come_is_in_no_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("foretide.control.act.WRITES_AT_ONCE", 0)
    actuator = Actuator(Slow(), FakeEvents(), World())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.0):
            await actuator.act(key(), "uid", status=lambda: STATUS, before={}, memory=str, scales=[], urgent=True)
    assert caplog.messages == []
