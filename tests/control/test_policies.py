"""ScalingPolicies, ModelProfiles and quotas as the arrays of a tick."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from foretide.adapters.resources import MODEL_PROFILE, SCALING_POLICY
from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.reasons import Reason
from foretide.api.scalingpolicy import ScalingPolicySpec
from foretide.control.policies import USUAL, NoPolicy, Policies, quotas, told, tuning
from foretide.control.world import Key, Served, ServedClass, World
from foretide.scaling.arbitrate import NO_QUOTA
from foretide.scaling.tuning import Told, Tuning
from tests.control import objects
from tests.scaling.build import ints, same

WEB = Key(objects.NAMESPACE, "web")


def policy(name: str = "web", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": objects.NAMESPACE, "uid": f"uid-of-{name}", "generation": 1}
    kind = group.SCALING_POLICY_KIND
    return {"apiVersion": group.API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def profile(name: str = "ranker-cpu-16", **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": objects.NAMESPACE, "uid": f"uid-of-{name}", "generation": 1}
    spec = {
        "service": "ranker",
        "hardwareClass": "cpu-16",
        "batchTime": {"perItem": "1.2ms", "fixed": "4.5ms"},
        "maxBatchSize": 8,
    }
    kind = group.MODEL_PROFILE_KIND
    return {"apiVersion": group.API_VERSION, "kind": kind, "metadata": metadata, "spec": {**spec, **changes}}


def service(policy_name: str | None = "web") -> InferenceService:
    scaling: dict[str, Any] = {} if policy_name is None else {"policyRef": {"name": policy_name}}
    parsed = parse.inference_service(objects.service(scaling=scaling))
    assert isinstance(parsed, InferenceService)
    return parsed


def hardware_class(name: str = "cpu-16", **spec: Any) -> HardwareClass:
    parsed = parse.hardware_class(objects.hardware_class(name, **spec))
    assert isinstance(parsed, HardwareClass)
    return parsed


def test_without_a_reference_the_defaults_hold() -> None:
    assert Policies(World()).of(service(None)) == USUAL
    assert same(tuning([USUAL, USUAL]), Tuning.usual(2))


def test_a_policy_is_found_by_its_name_and_followed_as_it_changes() -> None:
    world = World()
    policies = Policies(world)
    world.seen(SCALING_POLICY, policy(priority=7))
    found = policies.of(service())
    assert isinstance(found, ScalingPolicySpec)
    assert found.priority == 7
    world.seen(SCALING_POLICY, policy(priority=9))
    changed = policies.of(service())
    assert isinstance(changed, ScalingPolicySpec)
    assert changed.priority == 9


def test_of_a_policy_that_is_not_there_or_breaks_rules_nothing_is_followed() -> None:
    world = World()
    policies = Policies(world)
    missing = policies.of(service())
    assert isinstance(missing, NoPolicy)
    assert missing.reason == Reason.POLICY_NOT_FOUND
    assert missing.message == (
        'spec.scaling.policyRef.name: "web" is not a ScalingPolicy of the namespace; replicas are held'
    )
    world.seen(SCALING_POLICY, policy(priority=-1))
    broken = policies.of(service())
    assert isinstance(broken, NoPolicy)
    assert broken.reason == Reason.POLICY_INVALID
    assert "spec.priority" in broken.message
    world.seen(SCALING_POLICY, policy(), deleted=True)
    assert isinstance(policies.of(service()), NoPolicy)


# Each field of the kind, and what it makes of the row.
@pytest.mark.parametrize(
    ("spec", "column", "value"),
    [
        ({"mode": "Advisory"}, "advisory", True),
        ({"forecast": {"mode": "Reactive"}}, "forecasts", False),
        ({"forecast": {"risk": "0.95"}}, "quantile", 0.95),
        ({"forecast": {"season": "90m"}}, "season_seconds", 5_400.0),
        ({"scaleUp": {"maxStep": "50%"}}, "step_up", 0.5),
        ({"scaleDown": {"hold": "10m"}}, "hold_seconds", 600.0),
        ({"scaleDown": {"maxStep": "50%"}}, "step_down", 0.5),
        ({"metricsFailure": {"hold": "5m"}}, "blind_seconds", 300.0),
        ({"metricsFailure": {"then": "Grow"}}, "grows_blind", True),
    ],
)
def test_each_field_of_a_policy_is_a_column(spec: dict[str, Any], column: str, value: float | bool) -> None:
    world = World()
    world.seen(SCALING_POLICY, policy(**spec))
    made = tuning([USUAL, Policies(world).of(service()), NoPolicy(Reason.POLICY_INVALID, "")])
    usual = Tuning.usual(1)
    for name in Tuning.__dataclass_fields__:
        row, default = getattr(made, name), getattr(usual, name)
        assert np.array_equal(row[[0, 2]], np.repeat(default, 2), equal_nan=True)
        assert row[1] == (value if name == column else default[0]) or (name != column and math.isnan(row[1]))
    assert getattr(made, column)[1] == value


def test_the_challenger_of_a_policy_is_found_by_its_name_and_told_apart_by_the_generations_of_both() -> None:
    world = World()
    policies = Policies(world)
    assert policies.challenge(service()) is None
    world.seen(SCALING_POLICY, policy())
    assert policies.challenge(service()) is None
    world.seen(SCALING_POLICY, policy(challenger={"policyRef": {"name": "web-next"}}))
    missing = policies.challenge(service())
    assert missing is not None
    assert isinstance(missing.spec, NoPolicy)
    assert (missing.spec.reason, missing.compared) == (Reason.CHALLENGER_NOT_FOUND, None)
    world.seen(SCALING_POLICY, policy("web-next", priority=7))
    found = policies.challenge(service())
    assert found is not None
    assert isinstance(found.spec, ScalingPolicySpec)
    assert (found.name, found.spec.priority) == ("web-next", 7)
    assert found.compared == "uid-of-web/1 uid-of-web-next/1"
    world.seen(SCALING_POLICY, policy("web-next", priority=-1))
    broken = policies.challenge(service())
    assert broken is not None
    assert isinstance(broken.spec, NoPolicy)
    assert broken.spec.reason == Reason.CHALLENGER_INVALID
    assert policies.challenge(service(None)) is None


def test_the_history_of_a_policy_is_how_much_of_the_past_is_read() -> None:
    world = World()
    policies = Policies(world)
    key = Key(objects.NAMESPACE, "ranker")
    assert policies.history_seconds(key) == 14 * 86_400.0
    world.served[key] = Served(service(), (ServedClass("cpu-16", objects.DEPLOYMENT, hardware_class()),))
    world.seen(SCALING_POLICY, policy(forecast={"history": "6h"}))
    assert policies.history_seconds(key) == 6 * 3_600.0


def test_a_profile_tells_of_its_service_on_its_class() -> None:
    world = World()
    world.seen(MODEL_PROFILE, profile(coldStart="42s"))
    world.seen(MODEL_PROFILE, profile("a-broken-one", maxBatchSize=0))
    found = Policies(world).profiles()
    assert list(found) == [(Key(objects.NAMESPACE, "ranker"), "cpu-16")]
    made = told([found[Key(objects.NAMESPACE, "ranker"), "cpu-16"], None])
    assert made.per_item_seconds[0] == pytest.approx(0.0012)
    assert made.fixed_seconds[0] == pytest.approx(0.0045)
    assert (made.largest[0], made.cold_start_seconds[0]) == (8.0, 42.0)
    assert same(told([None]), Told.nothing(1))
    assert np.isnan(made.per_item_seconds[1])


def test_of_two_profiles_of_one_service_the_first_name_counts() -> None:
    world = World()
    for name in ("b", "a", "c"):
        world.seen(MODEL_PROFILE, profile(name))
    (found,) = Policies(world).profiles().values()
    assert isinstance(found, ModelProfile)
    assert found.name == "a"


def test_a_class_with_a_quota_is_a_group_and_its_services_have_the_priority_of_their_policies() -> None:
    small, free = hardware_class(quota={"maxReplicas": 9}), hardware_class("cpu-4")
    high = ScalingPolicySpec(priority=5)
    made = quotas([small, free, small], [USUAL, high, high], ints(1, 2, 3))
    assert made.group.tolist() == [0, NO_QUOTA, 0]
    assert made.priority.tolist() == [0, 5, 5]
    assert made.limit.tolist() == [9]
    assert len(quotas([free], [USUAL], ints(1)).limit) == 0


def test_what_an_advised_service_has_is_not_there_for_the_others() -> None:
    small = hardware_class(quota={"maxReplicas": 9})
    made = quotas([small, small], [ScalingPolicySpec(mode="Advisory"), USUAL], ints(4, 1))
    assert made.group.tolist() == [NO_QUOTA, 0]
    assert made.limit.tolist() == [5]
