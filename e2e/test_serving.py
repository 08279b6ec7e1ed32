"""A service is applied, becomes Ready, and answers; what it says about itself is what standard tools read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import pytest

from e2e.cluster import Cluster
from e2e.cluster import api as embedded
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition, holds, kstatus
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.waiting import until
from foretide.adapters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    POD_DISRUPTION_BUDGET,
    SERVICE,
    SERVICE_ACCOUNT,
    Object,
)

READY_BAR_SECONDS = 8.0
OPERATOR_BAR_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Applied:
    """One service, what it was when it became Ready, and how long that took."""

    tenant: Tenant
    service: Service
    live: Object
    operator_seconds: float
    ready_seconds: float


def until_deployed(tenant: Tenant, name: str) -> tuple[Service, float]:
    """Applies a service; how long the operator takes to give it its last child, the Deployment."""
    began = time.monotonic()
    service = tenant.serve(name, sleeper.spec(offset=3))
    until("the Deployment exists", service.deployment, within_seconds=10, every_seconds=0.01, shows=service.story)
    return service, time.monotonic() - began


@pytest.fixture(scope="module")
def applied(cluster: Cluster, api: Api, operator: Operator) -> Iterator[Applied]:
    """Applied once for all tests of this module."""
    tenant = Tenant.move_in(cluster, api, "serving")
    began = time.monotonic()
    service, first = until_deployed(tenant, "ranker")
    live = service.until_ready()
    ready_seconds = time.monotonic() - began
    shares = [first, until_deployed(tenant, "second")[1], until_deployed(tenant, "third")[1]]
    yield Applied(tenant, service, live, median(shares), ready_seconds)
    tenant.move_out()


def test_applied_service_is_ready_and_answers_in_time(applied: Applied, measured: Measured) -> None:
    measured.add("apply -> Ready of one service", f"{applied.ready_seconds:.1f} s", bar=f"<= {READY_BAR_SECONDS:g} s")
    measured.add(
        "operator's own share (median of 3)", f"{applied.operator_seconds:.2f} s", bar=f"<= {OPERATOR_BAR_SECONDS:g} s"
    )
    assert applied.operator_seconds <= OPERATOR_BAR_SECONDS
    assert applied.ready_seconds <= READY_BAR_SECONDS
    assert applied.service.ask_own_service(index=5) == 3, "through the Service that the operator made"
    applied.service.until_answers(3)
    assert applied.service.ask(index=9) == 3, "through a NodePort"


def test_status_says_that_all_is_well(applied: Applied) -> None:
    live, status = applied.live, applied.live["status"]
    assert status["observedGeneration"] == live["metadata"]["generation"]
    assert kstatus(live) == "Current"
    assert holds(live, "Ready", "True", "Available")
    assert holds(live, "Reconciling", "False")
    assert holds(live, "Stalled", "False")
    assert holds(live, "ModelLoaded", "True", "ModelLoaded")
    assert (status["replicas"], status["readyReplicas"]) == (1, 1)
    assert status["url"] == f"http://ranker.{applied.tenant.namespace}.svc:8000"
    assert "finalizers" not in live["metadata"]


def test_standard_tools_read_the_service(applied: Applied) -> None:
    kubectl = applied.tenant.kubectl
    kubectl("wait", "--for=condition=Ready", "--timeout=20s", "infer/ranker")
    kubectl("wait", "--for=jsonpath={.status.desiredReplicas}=1", "--timeout=20s", "infer/ranker")
    header, row = (line.split() for line in kubectl("get", "infer", "ranker").splitlines())
    assert header == ["NAME", "READY", "REPLICAS", "DESIRED", "CLASS", "REASON", "AGE"]
    assert row[:6] == ["ranker", "True", "1", "1", sleeper.HARDWARE_CLASS, "Available"]
    assert applied.live["status"]["url"] in kubectl("get", "infer", "--output=wide")
    assert "ranker" in kubectl("get", "foretide"), "the category"


def test_children_belong_to_the_service(applied: Applied) -> None:
    names = {
        DEPLOYMENT: applied.service.deployment_name,
        SERVICE: "ranker",
        SERVICE_ACCOUNT: "ranker-triton",
        POD_DISRUPTION_BUDGET: applied.service.deployment_name,
        CONFIG_MAP: None,  # named after its text
    }
    for resource, name in names.items():
        (child,) = applied.service.children(resource)
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (applied.live["metadata"]["uid"], True), resource.kind
        assert child["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "foretide", resource.kind
        assert name in (None, child["metadata"]["name"])
    (pod,) = applied.service.pods()
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["serviceAccountName"] == "ranker-triton"


def test_each_loop_writes_its_own_fields_and_none_the_spec(applied: Applied) -> None:
    live = applied.service.until("both loops have written", lambda live: condition(live, "ScalingActive"))
    owned = {entry["manager"]: entry["fieldsV1"] for entry in live["metadata"]["managedFields"]}
    for manager in ("foretide", "foretide-autoscaler"):
        assert set(owned[manager]) == {"f:status"}, f"{manager} owns {sorted(owned[manager])}"
    deployment = applied.service.deployment()
    assert deployment is not None
    (reconciler,) = (e for e in deployment["metadata"]["managedFields"] if e["manager"] == "foretide")
    assert "f:replicas" not in json.dumps(reconciler["fieldsV1"]), "an apply of the reconciler could undo a scale"


def test_load_is_known_within_two_scrapes(applied: Applied) -> None:
    applied.service.until("MetricsAvailable", lambda live: holds(live, "MetricsAvailable", "True", "MetricsComplete"))


def test_name_of_the_service_resolves(applied: Applied) -> None:
    name = f"ranker.{applied.tenant.namespace}.svc.cluster.local"
    until(f"{name} resolves", lambda: embedded.dns_ready(name), within_seconds=20)
