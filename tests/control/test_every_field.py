"""Every field that says how replicas are scaled reaches a decision or the status; tests/serving/test_every_field.py has
those that say how they are served. One that changes nothing has no place in the API."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from pydantic import BaseModel

from foretide.api.crdschema import structural
from foretide.api.hardwareclass import HardwareClassSpec
from foretide.api.inferenceservice import InferenceServiceSpec
from foretide.api.modelprofile import ModelProfileSpec
from foretide.api.scalingpolicy import ScalingPolicySpec
from foretide.scaling.arrays import Ints
from foretide.scaling.brain import Brain
from foretide.scaling.decision import Decisions
from foretide.scaling.memory import Memory
from foretide.scaling.policy import Observation
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import BRAIN
from tests.control.test_policies import policy, profile
from tests.scaling.build import same
from tests.serving.test_every_field import FIELDS as OF_SERVING
from tests.serving.test_every_field import LEAVES, OF_A_CLASS, OF_A_VARIANT

SERVICE: Final[dict[str, Any]] = {
    "hardware": {"classes": ["cpu-16"]},
    "slo": {"objective": "99", "latency": "100ms"},
    "scaling": {"policyRef": {"name": "web"}, "minReplicas": 2, "maxReplicas": 9},
}
HARDWARE: Final[dict[str, Any]] = {
    "cost": {"perHour": "1", "currency": "USD"},
    "power": {"idleWatts": 10, "busyWatts": 90},
    "quota": {"maxReplicas": 5},
}
PROFILE: Final[dict[str, Any]] = {"batchTime": {"perItem": "1ms", "fixed": "9ms"}, "maxBatchSize": 8}

# By kind the path of each field -> another value, after which something else must be decided on or told.
FIELDS: Final[dict[str, dict[str, Any]]] = {
    "InferenceService": {
        "hardware.classes": ["cpu-16", "other"],
        "slo.objective": "99.9",
        "slo.window": "1h",
        "scaling.minReplicas": 3,
        "scaling.maxReplicas": 8,
        "scaling.replicas": 4,
        "scaling.policyRef": {"name": "other"},
        "scaling.paused": True,
    },
    "HardwareClass": {
        "cost.perHour": "2",
        "cost.currency": "EUR",
        "power.idleWatts": 20,
        "power.busyWatts": 100,
        "quota.maxReplicas": 6,
    },
    "ScalingPolicy": {
        "mode": "Advisory",
        "forecast.mode": "Reactive",
        "forecast.history": "2d",
        "forecast.risk": "0.9",
        "forecast.season": "1h",
        "scaleUp.maxStep": "50%",
        "scaleDown.hold": "10m",
        "scaleDown.maxStep": "10%",
        "metricsFailure.hold": "1h",
        "metricsFailure.then": "Grow",
        "priority": 7,
        "challenger.policyRef": {"name": "other"},
    },
    "ModelProfile": {
        "service": "another",
        "hardwareClass": "other",
        "batchTime.perItem": "2ms",
        "batchTime.fixed": "8ms",
        "maxBatchSize": 4,
        "coldStart": "77s",
    },
}
SPECS: Final[dict[str, type[BaseModel]]] = {
    "InferenceService": InferenceServiceSpec,
    "HardwareClass": HardwareClassSpec,
    "ScalingPolicy": ScalingPolicySpec,
    "ModelProfile": ModelProfileSpec,
}
# There is one word for it so far.
ONE_WORD: Final = {"hardware.choose"}


@dataclass(frozen=True, slots=True)
class Watched(Brain):
    """Keeps what it was told."""

    told: list[Observation] = field(default_factory=list)

    def decide(self, seen: Observation, memory: Memory, *, ready: Ints | None = None) -> Decisions:
        self.told.append(seen)
        return Brain.decide(self, seen, memory, ready=ready)


async def effect(changed: Mapping[str, dict[str, Any]]) -> tuple[object, ...]:
    """What three ticks of a service with these objects are told, what they tell, and what is read of the past."""
    brain = Watched(BRAIN.settings, without=BRAIN.without)
    cluster = Cluster(
        objects.hardware_class(**changed["HardwareClass"]),
        objects.hardware_class("other"),
        policy(**changed["ScalingPolicy"]),
        policy("other", forecast={"mode": "Reactive"}),
        profile(**changed["ModelProfile"]),
        brain=brain,
    )
    await cluster.serve(objects.service(**changed["InferenceService"]))
    for _ in range(3):
        cluster.load(ranker=40.0)
        await cluster.tick()
        cluster.settle()
    seen = brain.told[0]
    return (
        (seen.bounds, seen.promise, seen.tuning, seen.told, seen.quotas),
        {name: told for name, told in cluster.status().items() if name not in ("conditions", "memory")},
        cluster.autoscaler._policies.history_seconds(key()),
    )


def base() -> dict[str, dict[str, Any]]:
    return copy.deepcopy(
        {"InferenceService": SERVICE, "HardwareClass": HARDWARE, "ScalingPolicy": {}, "ModelProfile": PROFILE}
    )


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, fields in FIELDS.items() for path in fields])
async def test_a_field_changes_what_is_decided_or_told(kind: str, path: str) -> None:
    changed = base()
    *parents, last = path.split(".")
    at = changed[kind]
    for parent in parents:
        at = at.setdefault(parent, {})
    at[last] = FIELDS[kind][path]
    before, after = await effect(base()), await effect(changed)
    assert not (same(before[0], after[0]) and before[1:] == after[1:])


def _leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Down to what has no members; `[]` stands for an item."""
    for name, member in schema["properties"].items():
        if "properties" in member:
            yield from _leaves(member, f"{path}{name}.")
        elif "properties" in member.get("items", {}):
            yield from _leaves(member["items"], f"{path}{name}[].")
        else:
            yield f"{path}{name}"


def _field(leaf: str) -> str:
    """The first two levels, as the tables have them."""
    return ".".join(leaf.replace("[]", "").split(".")[:2])


def test_every_field_of_every_kind_is_in_one_of_the_two_tables_and_none_in_both() -> None:
    served = {"InferenceService": set(OF_SERVING), "HardwareClass": set(OF_A_CLASS)}
    for kind, spec in SPECS.items():
        here, there = set(FIELDS[kind]), served.get(kind, set())
        assert here.isdisjoint(there)
        found = {_field(leaf) for leaf in _leaves(structural(spec))}
        assert found == (here | there | (ONE_WORD if kind == "InferenceService" else set()))


@pytest.mark.parametrize("kind", SPECS)
def test_what_is_deeper_is_in_the_table_of_leaves_or_the_only_part_of_its_field(kind: str) -> None:
    leaves = list(_leaves(structural(SPECS[kind])))
    several = [leaf for leaf in leaves if sum(_field(other) == _field(leaf) for other in leaves) > 1]
    of_a_variant, others = (
        [leaf for leaf in several if leaf.startswith("model.variants[].") is which] for which in (True, False)
    )
    assert set(others) == {leaf for leaf in LEAVES if leaf in leaves}
    for name in (leaf.removeprefix("model.variants[].") for leaf in of_a_variant):
        # A variant is chosen by its class, and its source is what the model's is.
        assert name == "hardwareClass" or name in OF_A_VARIANT or f"model.{name}" in LEAVES


def test_what_has_one_word_only_has_one() -> None:
    choose = structural(InferenceServiceSpec)["properties"]["hardware"]["properties"]["choose"]
    assert choose["enum"] == ["InOrder"], "with a second word it needs a place in the table"
