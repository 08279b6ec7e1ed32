"""Watching: kopf hands events over and leaves no trace in any object."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

import kopf
import pytest

from foretide.adapters.kubernetes import trimmed
from foretide.adapters.resources import CHILDREN, POD, Object, Resource
from foretide.app import watching

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
    assert first["status"]["phase"] is second["status"]["phase"]


def test_who_set_the_replicas_is_kept() -> None:
    scaled: Any = {"f:spec": {"f:replicas": {}}}
    entries = [
        {"manager": "kubelet", "fieldsV1": {"f:status": {}}},
        {"manager": "kubectl", "subresource": "scale", "time": "2025-11-22T08:00:00Z", "fieldsV1": scaled},
    ]
    once = trimmed({**MANAGED, "metadata": {**MANAGED["metadata"], "managedFields": entries}})
    assert once["metadata"]["managedFields"] == [{"manager": "kubectl", "fieldsV1": scaled}]
    assert trimmed(once) == once


@pytest.mark.parametrize("resource", watching.WATCHED, ids=lambda resource: resource.kind)
async def test_every_event_of_every_kind_is_handed_over(resource: Resource) -> None:
    seen: list[tuple[Resource, Object, bool]] = []
    registry = kopf.OperatorRegistry()
    watching._register(registry, resource, lambda *event: seen.append(event))
    (handler,) = registry._watching.get_all_handlers()
    assert handler.selector is not None
    assert handler.selector.plural == resource.plural
    assert "/".join(filter(None, (handler.selector.group, handler.selector.version))) == resource.api_version
    on_event: Any = handler.fn
    for kind, deleted in ((None, False), ("ADDED", False), ("MODIFIED", False), ("DELETED", True)):
        await on_event(event={"type": kind, "object": MANAGED}, logger=None, memo=None)
        assert seen.pop() == (resource, trimmed(MANAGED), deleted)


def test_only_our_own_children_and_pods_are_watched() -> None:
    selectors = watching._settings().watching.label_selectors
    for resource in watching.WATCHED:
        api_group, _, version = resource.api_version.rpartition("/")
        ours = "app.kubernetes.io/managed-by=foretide" if resource in (*CHILDREN, POD) else None
        assert selectors.get((api_group, version, resource.plural)) == ours, resource.kind


def test_kopf_writes_nothing() -> None:
    settings = watching._settings()
    assert settings.posting.enabled is False
    assert settings.scanning.disabled is True
    storage = settings.persistence.diffbase_storage
    body, patch = kopf.Body(MANAGED), kopf.Patch()
    storage.store(body=body, patch=patch, essence=storage.build(body=body))
    assert not patch
    # equal before and after: no change is ever found, so that no handler state is ever stored
    assert storage.fetch(body=body) == storage.build(body=body)


def test_a_silent_stream_is_opened_anew_after_a_bookmark_is_missed() -> None:
    assert 60 < (watching._settings().watching.inactivity_timeout or 0) <= 75


def test_a_watch_is_asked_for_without_end_and_not_in_a_hurry() -> None:
    """A right may be missing, or the API server ill, for an hour: kopf would go on without the watch for ever."""
    backoffs = watching._settings().networking.error_backoffs
    assert isinstance(backoffs, Iterable)
    for _ in range(2):  # each request begins anew
        pauses = list(islice(backoffs, 1_000))
        assert len(pauses) == 1_000
        assert pauses == sorted(pauses)
        assert (pauses[0], pauses[-1]) == (1.0, 13.0)
