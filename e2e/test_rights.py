"""The rights that the chart gives the operator are those that it uses: none too many, none missing. So it is for all
namespaces, and for some of them, where no right reaches any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2e import local_control_plane
from e2e.exhaustive.run import CLASSES, SPEC, hardware_class
from e2e.exhaustive.stage import NAME
from e2e.installed import OPERATOR, install, objects, operator_token
from e2e.local_control_plane import ControlPlane
from e2e.local_operator import LocalOperator, operating
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CHILDREN, DEPLOYMENT, HARDWARE_CLASS, INFERENCE_SERVICE, LEASE, POD, Resource
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.manifests import ServingSettings, build

pytestmark = [pytest.mark.timeout(600), pytest.mark.exhaustive]

TEAM = "team"
IN_SOME: tuple[str, ...] = (f"--set=watchNamespaces={{{TEAM},search}}",)
WAIT_SECONDS = 120.0

Right = tuple[str, str, str]  # group, resource, verb


@pytest.fixture(params=[(), IN_SOME], ids=["all namespaces", "some namespaces"])
def values(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Of the chart."""
    found: tuple[str, ...] = request.param
    return found


@pytest.fixture
def plane(tmp_path: Path, values: tuple[str, ...]) -> Iterator[ControlPlane]:
    """With pods that are Ready, and two namespaces."""
    with local_control_plane.running(tmp_path, nodes=1) as plane:
        plane.cluster.apply(*map(_namespace, (TEAM, "search")))
        if values:
            install(plane.cluster, *values)
        yield plane


@pytest.fixture
def api(plane: ControlPlane) -> Iterator[Api]:
    """Everybody but the operator."""
    api = Api(plane.cluster)
    yield api
    api.close()


@pytest.fixture
def operator(plane: ControlPlane, api: Api, values: tuple[str, ...]) -> Iterator[LocalOperator]:
    """With the rights and the namespaces of the chart."""
    token = operator_token(api)
    with operating(
        plane,
        token,
        prometheus_url="http://127.0.0.1:1",
        tick_seconds=2,
        scale_down_hold_seconds=8,
        watch_namespaces=f"{TEAM} search" if values else "",
    ) as one:
        one.start()
        one.until_leading()
        yield one


def test_rights_are_those_that_are_used(
    plane: ControlPlane, api: Api, operator: LocalOperator, values: tuple[str, ...]
) -> None:
    granted = _granted(objects(plane.cluster, *values))
    for name in CLASSES:
        api.apply(HARDWARE_CLASS, hardware_class(name))
    _meets_objects_of_others(api)
    _until_ready(api, generation=1)
    _change(api, model={"version": "2", "maxBatchSize": 16})  # another ConfigMap, and the first one goes
    _until_ready(api, generation=2)
    _change(api, scaling={"replicas": 3})
    until("scaled", lambda: _deployment(api)["spec"]["replicas"] == 3, within_seconds=WAIT_SECONDS)
    _until_ready(api, generation=3)
    _change(api, hardware={"classes": [CLASSES[1]]})  # another Deployment, and the first one goes
    until("moved", lambda: _is_of(api, CLASSES[1]), within_seconds=WAIT_SECONDS)
    _a_pod_crashes(api)
    until("its log is read", lambda: ("", "pods/log", "get") in used(plane), within_seconds=WAIT_SECONDS)
    operator.end()  # gives the Lease back
    until(
        "the audit log is written",
        lambda: not granted - used(plane),
        within_seconds=30.0,
        shows=lambda: sorted(granted - used(plane)),
    )
    assert used(plane) - granted == set()
    assert refused(plane) == set()
    if values:
        assert places(plane) == {("hardwareclasses", None), (LEASE.plural, OPERATOR[0]), ("", TEAM), ("", "search")}


def _granted(whole: list[dict[str, Any]]) -> set[Right]:
    """By the roles of the rendered chart that are bound to the operator."""
    bound = {
        each["roleRef"]["name"]
        for each in whole
        if each["kind"].endswith("RoleBinding") and any(to["name"] == OPERATOR[1] for to in each["subjects"])
    }
    roles = [each for each in whole if each["kind"] in ("Role", "ClusterRole") and each["metadata"]["name"] in bound]
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(plane: ControlPlane) -> set[Right]:
    """By the audit log; an apply that makes an object asks for the right to create it, too."""
    asked = [request for request in plane.audited() if "objectRef" in request]
    found = {(*_resource(request), request["verb"]) for request in asked}
    made = {
        (*_resource(request), "create")
        for request in asked
        if request["verb"] == "patch" and request.get("responseStatus", {}).get("code") == 201
    }
    return found | made


def places(plane: ControlPlane) -> set[tuple[str, str | None]]:
    """Where it asked: what of all namespaces, what in its own, and in which others."""
    of = [request["objectRef"] for request in plane.audited() if "objectRef" in request]
    asked = {(each["resource"], each.get("namespace")) for each in of}
    return {(what if where in (None, OPERATOR[0]) else "", where) for what, where in asked}


def refused(plane: ControlPlane) -> set[Right]:
    """What the API server did not let the operator do."""
    codes = (401, 403)
    return {
        (*_resource(request), request["verb"])
        for request in plane.audited()
        if request.get("responseStatus", {}).get("code") in codes and "objectRef" in request
    }


def _resource(request: Mapping[str, Any]) -> tuple[str, str]:
    of = request["objectRef"]
    name = f"{of['resource']}/{of['subresource']}" if of.get("subresource") else of["resource"]
    return of.get("apiGroup", ""), name


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _meets_objects_of_others(api: Api) -> None:
    """One of each kind has the name of a child; each is looked at, and left alone until its owner takes it away."""
    raw = {"metadata": {"name": NAME, "namespace": TEAM, "uid": "u", "generation": 1}, "spec": SPEC}
    service, on = parse.inference_service(raw), parse.hardware_class(hardware_class(CLASSES[0]))
    assert isinstance(service, InferenceService)
    assert isinstance(on, HardwareClass)
    in_the_way: list[tuple[Resource, str]] = []
    for manifest in build(service, on, settings=ServingSettings()):
        (resource,) = (each for each in CHILDREN if each.kind == manifest["kind"])
        name = manifest["metadata"]["name"]
        api.create(resource, {**manifest, "metadata": {"name": name, "namespace": TEAM}})
        in_the_way.append((resource, name))
    api.create(INFERENCE_SERVICE, {"metadata": {"name": NAME, "namespace": TEAM}, "spec": SPEC})
    for resource, name in in_the_way:
        text = f"{resource.kind} {TEAM}/{name}"
        until(f"{text} is told", partial(_is_told, api, text), within_seconds=WAIT_SECONDS)
        api.delete(resource, name, namespace=TEAM)


def _a_pod_crashes(api: Api) -> None:
    """As the kubelet would tell it."""
    pod = api.select(POD, namespace=TEAM, labels=f"foretide.dev/service={NAME}")[0]
    ended = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:01Z",
    }
    container = {
        **pod["status"]["containerStatuses"][0],
        "ready": False,
        "started": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": ended},
    }
    conditions = [
        {**each, "status": "False"} if each["type"] in ("Ready", "ContainersReady") else each
        for each in pod["status"]["conditions"]
    ]
    change = {"status": {"containerStatuses": [container], "conditions": conditions}}
    api.patch(POD, pod["metadata"]["name"], change, namespace=TEAM, subresource="status")


def _change(api: Api, **spec: Any) -> None:
    api.patch(INFERENCE_SERVICE, NAME, {"spec": spec}, namespace=TEAM)


def _live(api: Api) -> dict[str, Any]:
    return dict(api.get(INFERENCE_SERVICE, NAME, namespace=TEAM) or {})


def _is_told(api: Api, text: str) -> bool:
    return text in str(condition(_live(api), "Stalled").get("message", ""))


def _until_ready(api: Api, *, generation: int) -> None:
    def ready() -> bool:
        live = _live(api)
        told = live.get("status", {}).get("observedGeneration") == generation
        return told and holds(live, "Ready") and holds(live, "Reconciling", "False")

    until(f"generation {generation} is up", ready, within_seconds=WAIT_SECONDS, shows=lambda: _live(api))


def _deployments(api: Api) -> list[Any]:
    return list(api.select(DEPLOYMENT, namespace=TEAM))


def _deployment(api: Api) -> Any:
    (found,) = _deployments(api)
    return found


def _is_of(api: Api, hardware_class: str) -> bool:
    """In one look: between two of them there may be another."""
    return [one["metadata"]["name"].endswith(hardware_class) for one in _deployments(api)] == [True]
