"""Every alert of the chart fires for real: its cause is made, Prometheus sees it, Alertmanager has it, and it ends.

The chart's overrides let each fire after a second, so that what is waited for is the cause alone. `promtool` tests when
they fire and when they do not (e2e/test_rules.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from e2e.cluster import Cluster
from e2e.cluster.target import image
from e2e.scenarios import alerting, prometheus, sleeper
from e2e.scenarios.alerting import Alerting
from e2e.scenarios.api import Api, ApiRefused
from e2e.scenarios.operator import NAME, SYSTEM, Operator, Values
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, LEASE, SERVICE, Resource

RATIONED: Final = "e2e-cpu-rationed"
POLICY: Final = Resource(
    "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False
)
BINDING: Final = Resource(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    namespaced=False,
)


@pytest.fixture(scope="module")
def alerts(cluster: Cluster, api: Api, operator: Operator) -> Iterator[Alerting]:
    """Rules and Alertmanager for the tests of this file."""
    with alerting.installed(cluster, api) as installed:
        yield installed


@pytest.mark.timeout(420)  # a load of four minutes at the most, and the start before it
def test_a_service_that_is_too_slow_and_too_small(tenant: Tenant, alerts: Alerting) -> None:
    """300 ms of work, an SLO of 100 ms, one replica, and more than that can do."""
    service = tenant.serve("slow", sleeper.spec(milliseconds=300, latency="100ms", minReplicas=1, maxReplicas=1))
    service.until_ready(replicas=1)
    service.until_answers()
    with Traffic(service.load(5.0, seconds=280)):
        alerts.until_fires(
            "ForetideErrorBudgetBurnFast",
            "ForetideErrorBudgetBurn",
            "ForetideErrorBudgetBurnSlow",
            "ForetideErrorBudgetExhausted",
            "ForetideAtMaxReplicas",
            "ForetideSLOInfeasible",
            "ForetideColdStartSlow",
            # Of a service younger than two and a half minutes the last five are known with gaps.
            "ForetideForecastOff",
            namespace=tenant.namespace,
            service="slow",
            within_seconds=240,
        )


def test_services_that_cannot_become_what_they_should(tenant: Tenant, api: Api, alerts: Alerting) -> None:
    rationed = sleeper.hardware_class(image("triton"), name=RATIONED)
    rationed["spec"]["quota"] = {"maxReplicas": 1}
    api.apply(HARDWARE_CLASS, rationed)
    foreign = {"ports": [{"port": 80}], "selector": {"app": "other"}}
    api.create(SERVICE, {"metadata": {"name": "foreign", "namespace": tenant.namespace}, "spec": foreign})
    tenant.serve("broken", sleeper.spec(failure="no licence"))
    tenant.serve("lawless", sleeper.spec(policyRef={"name": "missing"}))
    tenant.serve("rationed", sleeper.spec(hardware_class=RATIONED, minReplicas=3))
    tenant.serve("foreign", sleeper.spec())
    alerts.until_fires("ForetideNotReady", "ForetideStalled", namespace=tenant.namespace, service="broken")
    alerts.until_fires("ForetideScalingInactive", namespace=tenant.namespace, service="lawless")
    alerts.until_fires("ForetideScalingLimited", namespace=tenant.namespace, service="rationed")
    alerts.until_fires("ForetideReconcileFailing")
    api.delete(SERVICE, "foreign", namespace=tenant.namespace)
    alerts.until_ends("ForetideReconcileFailing")


def test_replicas_that_the_api_server_refuses(tenant: Tenant, api: Api, alerts: Alerting) -> None:
    service = tenant.serve("ranker", sleeper.spec(minReplicas=1))
    service.until_ready(replicas=1)
    with _no_scaling(api, tenant.namespace):
        until("nobody scales", lambda: _is_refused(api, service), within_seconds=30)  # the policy is in force
        service.change(scaling={"minReplicas": 2})
        alerts.until_fires("ForetideScaleWritesFailing")
    service.until_ready(replicas=2)


def test_a_service_that_nobody_scrapes(cluster: Cluster, api: Api, operator: Operator, alerts: Alerting) -> None:
    tenant = Tenant.move_in(cluster, api, "unscraped")
    try:
        tenant.serve("ranker", sleeper.spec(minReplicas=1)).until_ready(replicas=1)
        alerts.until_fires("ForetideMetricsMissing", namespace=tenant.namespace, service="ranker")
    finally:
        tenant.move_out()


def test_an_operator_that_does_not_reach_prometheus(tenant: Tenant, operator: Operator, alerts: Alerting) -> None:
    tenant.serve("ranker", sleeper.spec(minReplicas=1)).until_ready(replicas=1)
    with operator.deaf_to(prometheus.PORT):
        alerts.until_fires("ForetidePrometheusUnavailable")
    alerts.until_ends("ForetidePrometheusUnavailable")


def test_an_operator_whose_ticks_take_longer_than_their_interval(
    operator: Operator, values: Values, alerts: Alerting
) -> None:
    """Its questions to Prometheus are lost, and it waits longer for each than the second until the next tick."""
    try:
        operator.install({"autoscaler": {"tickSeconds": 1, "scaleDownHoldSeconds": 8}})
        with operator.deaf_to(prometheus.PORT):
            alerts.until_fires("ForetideTickSlow")
    finally:
        operator.install(values)


def test_no_operator_and_none_that_leads(api: Api, operator: Operator, alerts: Alerting) -> None:
    operator.scale(0)
    try:
        alerts.until_fires("ForetideDown")
        with _shown(api, ticked_seconds_ago=600.0):
            alerts.until_fires("ForetideTickStuck")
        _hold_lease(api, "somebody-else", seconds=3_600)
        operator.scale(1)
        alerts.until_fires("ForetideNoLeader")
    finally:
        _hold_lease(api, "", seconds=1)
        operator.scale(1)
        operator.until_leading()
    alerts.until_ends("ForetideNoLeader")


@contextmanager
def _shown(api: Api, *, ticked_seconds_ago: float) -> Iterator[None]:
    """Series of a leader whose ticks have ended, inside `with`: nothing makes a tick of a sound operator hang."""
    now = time.time()
    values = {
        "foretide_leader": 1.0,
        "foretide_tick_interval_seconds": 15.0,
        "foretide_last_tick_timestamp_seconds": now - ticked_seconds_ago,
    }
    for name, value in values.items():
        prometheus.receive(api, name, [{"timeUnixNano": str(int(now * 1e9)), "asDouble": value}])
    try:
        yield
    finally:
        for name in values:
            prometheus.receive(api, name, [{"timeUnixNano": str(int(time.time() * 1e9)), "flags": prometheus.NO_VALUE}])


def _hold_lease(api: Api, holder: str, *, seconds: int) -> None:
    """As if another process led."""
    renewed = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    spec: dict[str, Any] = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": renewed}
    api.patch(LEASE, NAME, {"spec": spec}, namespace=SYSTEM)


def _is_refused(api: Api, service: Service) -> bool:
    path = DEPLOYMENT.path(namespace=service.namespace, name=service.deployment_name, subresource="scale")
    try:
        api.raw("PATCH", path, {"dryRun": "All"}, b"{}", {"Content-Type": "application/merge-patch+json"})
    except ApiRefused as refusal:
        return refusal.status == 422
    return False


@contextmanager
def _no_scaling(api: Api, namespace: str) -> Iterator[None]:
    """An admission policy refuses every write of /scale in the namespace inside `with`."""
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments/scale"]}]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules, "namespaceSelector": selector},
        "validations": [{"expression": "false", "message": "nobody scales here"}],
    }
    api.apply(POLICY, {"metadata": {"name": namespace}, "spec": policy})
    bound = {"policyName": namespace, "validationActions": ["Deny"]}
    api.apply(BINDING, {"metadata": {"name": namespace}, "spec": bound})
    try:
        yield
    finally:
        api.delete(BINDING, namespace)
        api.delete(POLICY, namespace)
