"""What is kept of an object that the API server shows."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.trimmed import trimmed

MANAGED: Any = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "shop", "labels": {"a": "b"}, "managedFields": [{"manager": "kubelet"}]},
    "status": {"phase": "Running"},
}


def test_managed_fields_are_dropped_and_nothing_else() -> None:
    before = copy.deepcopy(MANAGED)
    once = trimmed(MANAGED)
    assert once == {**MANAGED, "metadata": {"name": "p", "namespace": "shop", "labels": {"a": "b"}}}
    assert before == MANAGED
    assert trimmed(once) == once


def test_a_pod_is_kept_without_its_spec_and_a_deployment_with_it() -> None:
    template = {"metadata": {}, "spec": {"containers": [{"name": "triton"}]}}
    assert trimmed({**MANAGED, "spec": template["spec"]}) == trimmed(MANAGED)
    deployment: Any = {"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}
    assert trimmed(deployment) == deployment


def test_what_objects_have_in_common_is_kept_once() -> None:
    first, second = (trimmed(json.loads(json.dumps(MANAGED))) for _ in range(2))
    assert [id(key) for key in first["metadata"]] == [id(key) for key in second["metadata"]]
    assert [id(name) for name in first] == [id(name) for name in second]
    assert first["status"]["phase"] is second["status"]["phase"]


def test_equal_parts_of_different_objects_are_kept_once() -> None:
    def pod(name: str) -> Any:
        return json.loads(json.dumps({**MANAGED, "metadata": {**MANAGED["metadata"], "name": name, "uid": "u" * 36}}))

    first, second = trimmed(pod("p")), trimmed(pod("q"))
    assert first["metadata"]["labels"] is second["metadata"]["labels"]
    assert first["metadata"]["uid"] is second["metadata"]["uid"]
    assert first["status"] is second["status"]
    assert first["metadata"] is not second["metadata"]


def test_who_set_the_replicas_is_kept() -> None:
    scaled: Any = {"f:spec": {"f:replicas": {}}}
    entries = [
        {"manager": "kubelet", "fieldsV1": {"f:status": {}}},
        {"manager": "kubectl", "subresource": "scale", "time": "2025-11-22T08:00:00Z", "fieldsV1": scaled},
    ]
    once = trimmed({**MANAGED, "metadata": {**MANAGED["metadata"], "managedFields": entries}})
    assert once["metadata"]["managedFields"] == [{"manager": "kubectl", "fieldsV1": scaled}]
    assert trimmed(once) == once


def test_a_state_that_is_known_is_kept_as_it_is() -> None:
    known = trimmed(MANAGED)
    assert trimmed(copy.deepcopy(MANAGED), known) is known


def test_of_a_new_state_what_says_the_same_is_kept() -> None:
    known = trimmed({**MANAGED, "spec": {"replicas": 2}})
    after = trimmed({**copy.deepcopy(MANAGED), "spec": {"replicas": 2}, "status": {"phase": "Failed"}}, known)
    assert after["status"] == {"phase": "Failed"}
    assert after["spec"] is known["spec"]


fields = st.dictionaries(
    st.sampled_from(["kind", "spec", "status", "data"]),
    st.none() | st.text(max_size=3) | st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
)
objects = st.builds(lambda some, labels: {**some, "metadata": {"name": "p", "labels": labels}}, fields, fields)


@given(objects, objects)
def test_what_was_known_changes_nothing_of_what_an_object_says(obj: Any, known: Any) -> None:
    assert trimmed(obj, trimmed(known)) == trimmed(obj)


scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 2.5]) | st.text(max_size=2)
parts = st.recursive(
    scalars, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from("abc"), part, max_size=3)
)


@given(st.lists(parts, max_size=8), st.integers(1, 30))
def test_no_part_is_taken_for_one_that_says_another(values: list[Any], most: int) -> None:
    """To the type: 1, 1.0 and True are equal, and so are what hold them. Also while the known ones are forgotten."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("foretide.adapters.trimmed.MOST_PARTS", most)
        kept = [trimmed({"metadata": {}, "status": value}) for value in values]
    assert [json.dumps(obj["status"]) for obj in kept] == [json.dumps(value) for value in values]
