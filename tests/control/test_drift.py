"""Drift: what we intend must be there; what others add is theirs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from foretide.control.drift import drift
from tests.control import objects

leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
json = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
)


@pytest.mark.parametrize(
    ("intended", "live", "path"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}, None),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ".a.b"),
        ({"a": {"b": 1}}, {}, ".a.b"),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ".a[1].b"),
        ({"a": [1]}, {"a": [1, 2]}, ".a"),
        ({"a": "x"}, {"a": ["x"]}, ".a"),
        ({"a": ["x"]}, {"a": "x"}, ".a"),
        # what the API server leaves out because it is the default
        ({"a": ""}, {}, None),
        ({"resources": {}}, {}, None),
        ({"resources": {"requests": {}, "limits": {}}}, {"resources": {}}, None),
        ({"args": []}, {}, None),
        ({"a": {"b": ""}}, {}, None),
        # but not where it says something else
        ({"a": ""}, {"a": "x"}, ".a"),
        ({"a": False}, {"a": True}, ".a"),
        # a false or 0 that is gone was taken away: `automountServiceAccountToken: false`, `maxUnavailable: 0`
        ({"a": False}, {}, ".a"),
        ({"a": 0}, {}, ".a"),
        # amounts that the API server writes in another way
        ({"limits": {"cpu": "0.5"}}, {"limits": {"cpu": "500m"}}, None),
        (
            {"requests": {"memory": "1024Mi", "nvidia.com/gpu": 1}},
            {"requests": {"memory": "1Gi", "nvidia.com/gpu": "1"}},
            None,
        ),
        ({"limits": {"cpu": "0.5"}}, {"limits": {"cpu": "501m"}}, ".limits.cpu"),
        ({"limits": {"cpu": "0.5"}}, {"limits": {}}, ".limits.cpu"),
        ({"labels": {"version": "1.0"}}, {"labels": {"version": "1"}}, ".labels.version"),
        # maps that count as a whole
        ({"selector": {"a": "1"}}, {"selector": {"a": "1", "b": "2"}}, ".selector"),
        ({"matchLabels": {"a": "1"}}, {"matchLabels": {"a": "1", "b": "2"}}, ".matchLabels"),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"a": "1", "b": "2"}}, ".nodeSelector"),
        ({"labels": {"a": "1"}}, {"labels": {"a": "1", "b": "2"}}, None),
    ],
)
def test_drift_is_the_path_of_the_first_intended_value_that_is_not_there(
    intended: Any, live: Any, path: str | None
) -> None:
    assert drift(intended, live) == path


@st.composite
def contained(draw: st.DrawFn) -> tuple[Any, Any]:
    """A manifest, and an object that has all of it and more."""
    manifest = draw(json)

    def grown(value: Any) -> Any:
        if isinstance(value, dict):
            others = draw(st.dictionaries(st.sampled_from("efgh"), leaves, max_size=2))
            return {**others, **{name: grown(member) for name, member in value.items()}}
        if isinstance(value, list):
            return [grown(item) for item in value]
        return value

    return manifest, grown(manifest)


@given(contained())
def test_an_object_that_contains_the_manifest_does_not_drift(case: tuple[Any, Any]) -> None:
    assert drift(*case) is None


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for name, member in members:
        found = True
        yield from _leaves(member, (*path, name))
    if not found and path:
        yield path


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at `path`."""
    result = copy.deepcopy(value)
    parent = result
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = new
    return result


@given(contained(), leaves, st.data())
def test_any_changed_leaf_is_found(case: tuple[Any, Any], new: Any, data: st.DataObject) -> None:
    manifest, live = case
    paths = list(_leaves(manifest))
    assume(paths)
    path = data.draw(st.sampled_from(paths))
    intended = manifest
    for name in path:
        intended = intended[name]
    assume(new != intended and not (new is None and intended in ("", [], {})))
    assert drift(manifest, _changed(live, path, new)) is not None


@pytest.mark.parametrize("manifest", objects.manifests(), ids=lambda manifest: manifest["kind"])
def test_every_single_value_of_every_child_is_watched(manifest: dict[str, Any]) -> None:
    assert drift(manifest, manifest) is None
    for path in _leaves(manifest):
        assert drift(manifest, _changed(manifest, path, "somebody's")) is not None, path
