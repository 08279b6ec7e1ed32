"""What people delete or edit by hand comes back as the spec has it; what they add stays."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from e2e.cluster import Cluster
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import kstatus
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.waiting import until
from foretide.adapters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    POD_DISRUPTION_BUDGET,
    SERVICE,
    SERVICE_ACCOUNT,
    Object,
    Resource,
)
from foretide.api.group import PAUSED_ANNOTATION
from foretide.control.drift import drift

REPAIRED_SECONDS = 5.0
MANAGED_BY = "app.kubernetes.io/managed-by"
CONTAINER = "/spec/template/spec/containers/0"


@pytest.fixture(scope="module")
def service(cluster: Cluster, api: Api, operator: Operator) -> Iterator[Service]:
    """One service whose children are mistreated; each test leaves it whole."""
    tenant = Tenant.move_in(cluster, api, "repair")
    service = tenant.serve("ranker", sleeper.spec(minReplicas=1, maxReplicas=4))
    service.until_ready()
    yield service
    tenant.move_out()


def of_ours(child: Object) -> Object:
    """What the operator decides about a child: not its status, its replicas or what the API server adds."""
    metadata = {key: child["metadata"].get(key) for key in ("labels", "ownerReferences")}
    spec = {
        key: value for key, value in child.get("spec", {}).items() if key not in ("replicas", "clusterIP", "clusterIPs")
    }
    rest = {key: value for key, value in child.items() if key not in ("metadata", "spec", "status", "secrets")}
    return {**rest, "metadata": metadata, "spec": spec}


def only(service: Service, resource: Resource) -> Object:
    """The child of a kind, of which there is one."""
    (child,) = service.children(resource)
    return child


def until_restored(service: Service, resource: Resource, before: Object, *, replaced: bool = False) -> Object:
    """Waits until a child says again all that it said before; `replaced` where it has to be another object."""

    name = before["metadata"]["name"]

    def child() -> Object | None:  # by its name: the label by which it is found may be what was taken away
        return service.api.get(resource, name, namespace=service.namespace)

    def probe() -> Object | None:
        found = child()
        if found is None or (replaced and found["metadata"]["uid"] == before["metadata"]["uid"]):
            return None
        return found if drift(of_ours(before), of_ours(found)) is None else None

    return until(f"{resource.kind} is as it was", probe, within_seconds=REPAIRED_SECONDS, shows=child)


@pytest.mark.parametrize(
    "resource", [SERVICE, CONFIG_MAP, SERVICE_ACCOUNT, POD_DISRUPTION_BUDGET], ids=lambda resource: str(resource.kind)
)
def test_deleted_child_comes_back(service: Service, resource: Resource) -> None:
    before = only(service, resource)
    service.api.delete(resource, before["metadata"]["name"], namespace=service.namespace)
    until_restored(service, resource, before, replaced=True)


@pytest.mark.parametrize(
    ("resource", "change"),
    [
        (DEPLOYMENT, [{"op": "replace", "path": f"{CONTAINER}/image", "value": "example.com/other:1"}]),
        (DEPLOYMENT, [{"op": "add", "path": f"{CONTAINER}/args/0", "value": "--log-verbose=1"}]),
        (DEPLOYMENT, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}}),
        (DEPLOYMENT, {"metadata": {"labels": {"foretide.dev/service": None, MANAGED_BY: "somebody"}}}),
        (SERVICE, {"spec": {"selector": {"foretide.dev/service": "another"}}}),
        (SERVICE, {"metadata": {"labels": {MANAGED_BY: None}}}),
        (CONFIG_MAP, {"metadata": {"labels": {"foretide.dev/service": "another"}}}),
        (SERVICE_ACCOUNT, {"automountServiceAccountToken": True}),
        (POD_DISRUPTION_BUDGET, {"spec": {"maxUnavailable": 100}}),
    ],
    ids=["image", "args", "strategy", "labels", "selector", "service-labels", "config-labels", "token", "budget"],
)
def test_edited_child_is_put_right(service: Service, resource: Resource, change: Object) -> None:
    before = only(service, resource)
    edited = service.api.patch(resource, before["metadata"]["name"], change, namespace=service.namespace)
    assert drift(of_ours(before), of_ours(edited)) is not None, "the test must change something"
    after = until_restored(service, resource, before)
    assert after["metadata"]["uid"] == before["metadata"]["uid"], "repaired in place"


def test_deleted_deployment_comes_back_with_the_replicas_it_had(service: Service, measured: Measured) -> None:
    """Not with one: a fleet of three that restarts as one drops two thirds of its load."""
    service.change(scaling={"replicas": 3})
    service.until_ready(replicas=3)
    service.change(scaling={"replicas": None})  # from now on it is the autoscaler's three, for as long as it holds them
    service.until("un-pinned", lambda live: live["status"].get("desiredReplicas") == 3)
    before = only(service, DEPLOYMENT)
    deleted = time.monotonic()
    service.api.delete(DEPLOYMENT, service.deployment_name, namespace=service.namespace)
    until_restored(service, DEPLOYMENT, before, replaced=True)
    service.until_replicas(3, within_seconds=2.0)
    measured.add("deleted Deployment -> back with its replicas", f"{time.monotonic() - deleted:.1f} s", bar="<= 7 s")
    service.until_ready(replicas=3)


def test_with_the_annotation_nothing_is_repaired_until_it_is_gone(service: Service, operator: Operator) -> None:
    """A spec that changes meanwhile is not in force, and whoever waits for it waits."""
    namespace, before, replicas = service.namespace, only(service, SERVICE), service.replicas()
    annotate(service, "true")
    try:
        service.until("paused", lambda live: reason(live) == "ReconcilePaused")
        service.api.delete(SERVICE, service.name, namespace=namespace)
        service.change(scaling={"replicas": replicas + 1})
        operator.until_ticks(2)
        live = service.live()
        assert service.api.get(SERVICE, service.name, namespace=namespace) is None
        assert service.replicas() == replicas
        assert (reason(live), kstatus(live)) == ("ReconcilePaused", "InProgress")
    finally:
        annotate(service, None)
    until_restored(service, SERVICE, before, replaced=True)
    service.until_ready(replicas=replicas + 1)
    service.change(scaling={"replicas": None})


def annotate(service: Service, paused: str | None) -> None:
    change = {"metadata": {"annotations": {PAUSED_ANNOTATION: paused}}}
    service.api.patch(INFERENCE_SERVICE, service.name, change, namespace=service.namespace)


def reason(live: Object) -> str:
    """That of Ready."""
    return next(str(one["reason"]) for one in live["status"]["conditions"] if one["type"] == "Ready")


def test_what_others_add_stays(service: Service) -> None:
    """Annotations of another tool on a child are not ours to remove, and `kubectl rollout restart` works."""
    namespace = service.namespace
    note = {"metadata": {"annotations": {"example.com/note": "seen"}}}
    service.api.patch(DEPLOYMENT, service.deployment_name, {**note, "spec": {"template": note}}, namespace=namespace)
    # Something to repair, so that the operator has passed over the service once more.
    before = only(service, SERVICE)
    service.api.delete(SERVICE, service.name, namespace=namespace)
    until_restored(service, SERVICE, before, replaced=True)
    deployment = only(service, DEPLOYMENT)
    assert deployment["metadata"]["annotations"]["example.com/note"] == "seen"
    assert deployment["spec"]["template"]["metadata"]["annotations"]["example.com/note"] == "seen"
    service.until_ready()
