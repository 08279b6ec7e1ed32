"""What examples/ tells users to apply is right by parse() and by the apiserver's rules."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.api import group
from foretide.api.problems import Problems
from foretide.api.scalingpolicy import ScalingPolicy
from tests.api import apiserver
from tests.api.judges import JUDGES, parsed

_ROOT = Path(__file__).parents[2]


def _documents(text: str) -> list[dict[str, Any]]:
    found = (each for each in yaml.safe_load_all(text) if isinstance(each, dict))
    return [each for each in found if each.get("apiVersion") == group.API_VERSION]


_EXAMPLES = [
    document
    for path in sorted((_ROOT / "examples").rglob("*.yaml"))
    for document in _documents(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("raw", _EXAMPLES, ids=lambda raw: f"{raw['kind']}-{raw['metadata']['name']}")
def test_what_is_shown_to_users_is_right(raw: dict[str, Any]) -> None:
    result = parsed(raw)
    assert not isinstance(result, Problems), result.message
    assert apiserver.errors(raw) == []


def test_there_is_an_example_of_every_kind() -> None:
    assert {raw["kind"] for raw in _EXAMPLES} == set(JUDGES)


def test_the_example_of_a_policy_shows_every_field() -> None:
    [raw] = [each for each in _EXAMPLES if each["metadata"]["name"] == "web"]
    policy = parsed(raw)
    assert isinstance(policy, ScalingPolicy)
    everything = policy.spec.model_dump(by_alias=True)
    assert raw["spec"].keys() == everything.keys()
    assert raw["spec"]["forecast"].keys() == everything["forecast"].keys()


def test_every_class_that_an_example_names_is_an_example_once() -> None:
    made = [raw["metadata"]["name"] for raw in _EXAMPLES if raw["kind"] == group.HARDWARE_CLASS_KIND]
    services = [raw["spec"] for raw in _EXAMPLES if raw["kind"] == group.INFERENCE_SERVICE_KIND]
    named = {name for spec in services for name in spec["hardware"]["classes"]}
    named |= {raw["spec"]["hardwareClass"] for raw in _EXAMPLES if raw["kind"] == group.MODEL_PROFILE_KIND}
    assert named == set(made)
    assert len(made) == len(set(made))
