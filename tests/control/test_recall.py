"""Memory: each service finds its own again, after any tick and any restart, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.control.recall import Identity, Recall, identity
from foretide.control.world import Key, Served, ServedClass
from foretide.scaling.journal import encode
from foretide.scaling.memory import Memory
from foretide.scaling.readings import Readings
from tests.control import objects
from tests.scaling.build import evidence_of, held_since_long


def whose(name: str = "ranker", *, uid: str = "1", model: str = "m") -> Identity:
    return Identity(Key("shop", name), uid, model)


def marked(*marks: float) -> Memory:
    """Memories that can be told apart."""
    return replace(Memory.fresh(len(marks)), items_per_request=np.array(marks))


def learned() -> Memory:
    """A hold and a law."""
    return replace(held_since_long(6), evidence=evidence_of(0.001, 0.004))


def marks(memory: Memory) -> list[float]:
    found: list[float] = memory.items_per_request.tolist()
    return found


def test_a_service_never_seen_starts_fresh() -> None:
    memory = Recall().recall([whose()], [{}])
    assert len(memory) == 1
    assert not memory.window.started[0]


def test_a_tick_finds_the_rows_of_the_last_tick_whatever_their_order() -> None:
    recall = Recall()
    recall.keep([whose("a"), whose("b"), whose("c")], marked(2, 3, 4))
    assert marks(recall.recall([whose("c"), whose("new"), whose("a")], [{}] * 3)) == [4, 1, 2]


services = st.lists(st.sampled_from("abcd"), unique=True)


@given(st.lists(services, max_size=6))
def test_whoever_comes_and_goes_nobody_gets_the_memory_of_another(ticks: list[list[str]]) -> None:
    recall, expected, present = Recall(), dict[str, float](), list[str]()
    for number, names in enumerate(ticks):
        who = [whose(name) for name in names]
        found = marks(recall.recall(who, [{}] * len(who)))
        assert found == [expected[name] if name in present else 1.0 for name in names]
        kept = [100.0 * number + ord(name) for name in names]
        recall.keep(who, marked(*kept))
        expected, present = dict(zip(names, kept, strict=True)), names


def test_a_restart_finds_in_status_what_was_learned_but_starts_the_hold_anew() -> None:
    """A status is written when something changes, so the hold in it is old."""
    text = encode(learned(), 0, uid="1", model="m")
    memory = Recall().recall([whose()], [{"memory": text}])
    assert not memory.window.started[0]
    assert memory.evidence.executions.sum() == learned().evidence.executions.sum()


def test_what_this_process_knows_is_newer_than_status() -> None:
    recall = Recall()
    recall.keep([whose()], marked(7))
    text = encode(marked(3), 0, uid="1", model="m")
    assert marks(recall.recall([whose()], [{"memory": text}])) == [7]


def test_an_object_with_another_uid_inherits_nothing() -> None:
    text = encode(learned(), 0, uid="1", model="m")
    after_a_restart = Recall().recall([whose(uid="2")], [{"memory": text}])
    recall = Recall()
    recall.keep([whose()], learned())
    in_one_process = recall.recall([whose(uid="2")], [{"memory": text}])
    for memory in (after_a_restart, in_one_process):
        assert not memory.window.started[0]
        assert memory.evidence.executions.sum() == 0


def test_another_model_keeps_the_hold_and_little_of_the_batch_times() -> None:
    recall = Recall()
    recall.keep([whose()], learned())
    in_one_process = recall.recall([whose(model="m2")], [{}])
    assert in_one_process.window.highest[0] == 6
    after_a_restart = Recall().recall([whose(model="m2")], [{"memory": encode(learned(), 0, uid="1", model="m")}])
    for memory in (in_one_process, after_a_restart):
        assert 0 < memory.evidence.executions.max() <= 10 < learned().evidence.executions.max()


def test_a_new_version_keeps_the_demand_and_forgets_how_slow_the_old_one_was() -> None:
    recall, memory = Recall(), learned()
    history = memory.sight.history.append(Readings.of([42.0]), now_seconds=1.76e9)
    sight = replace(memory.sight, history=history)
    recall.keep([whose()], replace(memory, sight=sight, kappa=np.array([1.5])))
    found = recall.recall([whose(model="m2")], [{}])
    assert found.sight.history.recent[0, -1] == 42.0
    assert found.kappa[0] == 1.0


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '{"v":3}', 7, None, ["x"], "x" * 5000, '{"v":1,"uid":"\\ud800"}']
)
def test_garbage_in_status_is_lost_memory(text: object) -> None:
    memory = Recall().recall([whose()], [{"memory": text}])
    assert not memory.window.started[0]


def served(hardware: dict[str, Any] | None = None, **spec: Any) -> Served:
    service = parse.inference_service(objects.service(**spec))
    hardware_class = parse.hardware_class(objects.hardware_class(**(hardware or {})))
    assert isinstance(service, InferenceService)
    assert isinstance(hardware_class, HardwareClass)
    return Served(service, (ServedClass(hardware_class.name, objects.DEPLOYMENT, hardware_class),))


MODEL = objects.service()["spec"]["model"]


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        (served(slo={"objective": "99.9", "latency": "1s"}), True),
        (served(scaling={"maxReplicas": 3}), True),
        (served(generation=7), True),
        (served({"placement": {"priorityClassName": "high"}}), True),
        (served(model={**MODEL, "version": "2"}), False),
        (served(model={**MODEL, "backend": "onnxruntime"}), False),
        (served(model={**MODEL, "source": {"configMap": {"name": "other"}}}), False),
        (served({"triton": {"image": "tritonserver:2.60"}}), False),
        (served({"triton": {"image": "tritonserver:2.51", "instances": 2}}), False),
    ],
)
def test_batch_times_belong_to_model_image_and_hardware(changed: Served, kept: bool) -> None:
    now, then = identity(Key("shop", "ranker"), served()), identity(Key("shop", "ranker"), changed)
    assert (now == then) == kept
    assert now.uid == then.uid
