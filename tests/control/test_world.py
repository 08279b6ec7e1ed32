"""The caches: whatever events came, were lost or came late, after a sweep they show the cluster as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.resources import (
    CHILDREN,
    CONFIG_MAP,
    DEPLOYMENT,
    HARDWARE_CLASS,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    POD,
    Resource,
)
from foretide.api import group
from foretide.control.world import Key, World
from tests.control import objects
from tests.control.cluster import Cluster, key

KINDS = (HARDWARE_CLASS, INFERENCE_SERVICE, DEPLOYMENT, CONFIG_MAP, POD, HORIZONTAL_POD_AUTOSCALER)
SERVICES = ("a", "b")
# One step: kind, name of the object, which service or class or target it names (or that it is deleted), and whether
# the watch tells of it.
Step = tuple[Resource, str, str | None, bool]
steps = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(SERVICES), st.sampled_from([*SERVICES, "", None]), st.booleans()),
    max_size=20,
)


def _object(resource: Resource, name: str, about: str) -> dict[str, Any]:
    if resource == HARDWARE_CLASS:
        return objects.hardware_class(name, family=f"family {about}")
    if resource == INFERENCE_SERVICE:
        return objects.service(name, hardware={"classes": [about]})
    if resource == HORIZONTAL_POD_AUTOSCALER:
        return objects.scaler(name, about, kind="Deployment" if about else "StatefulSet")
    labels = {group.MANAGED_BY_LABEL: group.MANAGED_BY, **({group.SERVICE_LABEL: about} if about else {})}
    metadata: dict[str, Any] = {"name": name, "namespace": objects.NAMESPACE, "labels": labels}
    if resource in CHILDREN:  # our own children keep their owner, whatever somebody does to their labels
        metadata["ownerReferences"] = [{"kind": group.INFERENCE_SERVICE_KIND, "name": name, "controller": True}]
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": {"about": about}}


@dataclass
class _Truth:
    """What really is in the cluster, and a world that hears of some of it."""

    world: World = field(default_factory=World)
    objects: dict[tuple[Resource, str], dict[str, Any]] = field(default_factory=dict)

    def do(self, step: Step) -> set[Key]:
        resource, name, about, told = step
        gone = about is None
        obj = self.objects.pop((resource, name), None) if about is None else _object(resource, name, about)
        if obj is None:
            return set()
        if not gone:
            self.objects[resource, name] = obj
        return self.world.seen(resource, obj, deleted=gone) if told else set()

    def sweep(self, world: World) -> set[Key]:
        affected = set()
        for resource in KINDS:
            affected |= world.replace(resource, [obj for (kind, _), obj in self.objects.items() if kind == resource])
        return affected


def shown(world: World, name: str) -> dict[str, Any]:
    """All that a reconciliation of the service may depend on."""
    service = world.services.get(key(name))
    return {
        "service": service,
        "class": service and world.hardware_classes.get(service["spec"]["hardware"]["classes"][0]),
        "children": {
            (resource.kind, child): world.child(key(name), resource.kind, child)
            for resource in CHILDREN
            for child in SERVICES
        },
        "pods": sorted((pod["metadata"]["name"], pod["spec"]["about"]) for pod in world.pods(key(name))),
    }


def scalers(world: World) -> list[bool]:
    return [world.foreign_scaler(key(), target) is not None for target in SERVICES]


@given(steps)
def test_events_and_a_sweep_show_the_same_world(steps: list[Step]) -> None:
    truth, swept = _Truth(), World()
    for resource, name, about, _ in steps:
        truth.do((resource, name, about, True))
    truth.sweep(swept)
    for name in SERVICES:
        assert shown(truth.world, name) == shown(swept, name)
    assert scalers(truth.world) == scalers(swept)


@given(steps)
def test_a_sweep_makes_up_for_any_lost_event(steps: list[Step]) -> None:
    truth, fresh = _Truth(), World()
    for step in steps:
        truth.do(step)
    before = {name: shown(truth.world, name) for name in SERVICES}
    affected = truth.sweep(truth.world)
    truth.sweep(fresh)
    for name in SERVICES:
        after = shown(truth.world, name)
        assert after == shown(fresh, name)
        assert key(name) in affected or after == before[name] or after["service"] is None
    assert scalers(truth.world) == scalers(fresh)


@given(steps)
def test_an_event_names_every_service_whose_reconciliation_may_come_out_differently(steps: list[Step]) -> None:
    truth = _Truth()
    for name in SERVICES:
        truth.do((INFERENCE_SERVICE, name, "a", True))
    for resource, name, about, _ in steps:
        before = {name: shown(truth.world, name) for name in SERVICES}
        affected = truth.do((resource, name, about, True))
        for name, was in before.items():
            after = shown(truth.world, name)
            assert key(name) in affected or after == was or after["service"] is None


async def test_services_of_one_name_in_two_namespaces_share_nothing() -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), objects.service(namespace="bank", uid="another"))
    cluster.add(objects.scaler("rival", objects.DEPLOYMENT))
    world = cluster.world
    assert len(world.pods(key())) == len(world.pods(key(namespace="bank"))) == 1
    assert world.foreign_scaler(key(), objects.DEPLOYMENT) == "rival"
    assert world.foreign_scaler(key(namespace="bank"), objects.DEPLOYMENT) is None
    cluster.remove("InferenceService", "ranker")
    assert list(world.served) == [key(namespace="bank")]


@pytest.mark.parametrize("labels", [{}, {group.SERVICE_LABEL: "other"}])
async def test_a_child_stays_with_its_owner_whatever_its_labels_say(labels: dict[str, str]) -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service())
    deployment = cluster.deployment()
    edited = {**deployment, "metadata": {**deployment["metadata"], "labels": labels}}
    assert cluster.world.seen(DEPLOYMENT, edited) == {key()}  # whose reconciliation repairs it
    assert cluster.world.deployments(key()) == [edited]


def test_a_pod_with_another_label_leaves_one_service_for_the_other() -> None:
    world = World()
    for name in SERVICES:
        world.seen(INFERENCE_SERVICE, objects.service(name))
    world.seen(POD, objects.pod("p", service="a"))
    assert world.seen(POD, objects.pod("p", service="b")) == {key("a"), key("b")}
    assert world.pods(key("a")) == []


def test_a_scale_that_was_just_written_is_decided_on_before_its_event_arrives() -> None:
    world = World()
    metadata = {
        "name": objects.DEPLOYMENT,
        "namespace": objects.NAMESPACE,
        "labels": {group.SERVICE_LABEL: "ranker"},
        "uid": "u1",
        "generation": 3,
    }
    deployment = {"metadata": metadata, "spec": {"replicas": 2, "paused": False}}
    world.seen(DEPLOYMENT, deployment)
    world.scaled(key(), deployment, 5, version="8")
    scaled = {
        **deployment,
        "metadata": {**metadata, "generation": 4, "resourceVersion": "8"},
        "spec": {"replicas": 5, "paused": False},
    }
    assert world.child(key(), "Deployment", objects.DEPLOYMENT) == scaled
    world.scaled(key(), scaled, 5, version="8")  # the same number is no new generation
    assert world.child(key(), "Deployment", objects.DEPLOYMENT) == scaled
    theirs = {**scaled, "metadata": {**metadata, "generation": 5, "resourceVersion": "9"}, "spec": {"replicas": 7}}
    world.seen(DEPLOYMENT, theirs)  # another's number, of after ours, whose answer comes last
    world.scaled(key(), deployment, 5, version="8")
    assert world.child(key(), "Deployment", objects.DEPLOYMENT) == theirs
    world.scaled(key("other"), deployment, 5, version="8")  # gone in the meantime
    assert world.child(key("other"), "Deployment", objects.DEPLOYMENT) is None
    anew = {**deployment, "metadata": {**metadata, "uid": "u2"}}
    world.seen(DEPLOYMENT, anew)
    world.scaled(key(), deployment, 5, version="8")  # another took its name in the meantime
    assert world.child(key(), "Deployment", objects.DEPLOYMENT) == anew


def _state(version: str, uid: str = "u", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "ranker", "namespace": "shop", "uid": uid, "resourceVersion": version, **labels}}


def test_what_was_before_what_is_known_is_passed_over() -> None:
    """The answer to a write comes before the events that tell of the time before it, and lists may be old."""
    world, key = World(), Key("shop", "ranker")
    world.seen(INFERENCE_SERVICE, _state("10"))
    assert world.seen(INFERENCE_SERVICE, _state("9")) == set()
    assert world.replace(INFERENCE_SERVICE, [_state("9")]) == set()
    assert world.seen(INFERENCE_SERVICE, _state("8", uid="before"), deleted=True) == set()
    assert world.services[key] == _state("10")
    assert world.seen(INFERENCE_SERVICE, _state("11")) == {key}
    assert world.seen(INFERENCE_SERVICE, _state("7"), deleted=True) == {key}  # it is gone, whatever was shown of it
    assert world.services == {}


def test_versions_that_are_no_numbers_are_not_compared() -> None:
    world = World()
    world.seen(INFERENCE_SERVICE, _state("b"))
    assert world.seen(INFERENCE_SERVICE, _state("a")) == {Key("shop", "ranker")}


def test_a_list_that_shows_what_is_known_leaves_it_in_its_place() -> None:
    """What was made of it is still true then, and the same twice takes twice the memory."""
    world, known = World(), _state("10")
    world.seen(INFERENCE_SERVICE, known)
    world.replace(INFERENCE_SERVICE, [_state("10")])
    assert world.services[Key("shop", "ranker")] is known
    world.replace(INFERENCE_SERVICE, [_state("11")])
    assert world.services[Key("shop", "ranker")] == _state("11")


@pytest.mark.parametrize("resource", [kind for kind in KINDS if kind.namespaced], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("namespace", ["shop", "search", "empty"])
def test_the_list_of_a_namespace_says_nothing_of_another(resource: Resource, namespace: str) -> None:
    """The kept one of `shop` is listed; without a namespace the list is of all."""

    def made(name: str, place: str) -> dict[str, Any]:
        found = _object(resource, name, "a")
        return {**found, "metadata": {**found["metadata"], "namespace": place}}

    everything = {("kept", "shop"), ("gone", "shop"), ("kept", "search"), ("gone", "search")}
    world = World()
    for name, place in everything:
        world.seen(resource, made(name, place))
    world.replace(resource, [made("kept", namespace)] if namespace != "empty" else [], namespace=namespace)
    found = (
        {(name, place) for place, scalers in world._scalers.items() for name in scalers}
        if resource == HORIZONTAL_POD_AUTOSCALER
        else {(obj["metadata"]["name"], obj["metadata"]["namespace"]) for obj in world._all(resource)}
    )
    assert found == everything - {("gone", namespace)}
