"""`doctor`: a good cluster is found good, and each fault is found, with the way out and in the exit code."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

import pytest
import yaml

from foretide import __version__
from foretide.adapters.lease import LEASE_NAME
from foretide.adapters.prometheus_proxy import ServiceUrl
from foretide.adapters.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    LEASE,
    POD,
)
from foretide.api import group
from foretide.api.conditions import rfc3339
from foretide.api.crdenvelope import definitions
from foretide.cli.doctor.permissions import needs
from foretide.cli.exits import Exit
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer
from tests.control import objects

ROOT = Path(__file__).parents[2]
PROXY = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"
LEASE_PATH = LEASE.path(namespace="foretide-system", name=LEASE_NAME)
TRITON = {group.MANAGED_BY_LABEL: group.MANAGED_BY, group.COMPONENT_LABEL: group.INFERENCE_SERVER}


def vector(query: dict[str, str], *pods: str, at: float | None = None, scrape_seconds: float = 5.0) -> dict[str, Any]:
    value = f"{300.0 / scrape_seconds:.0f}" if "count_over_time" in query["query"] else "5"
    result = [
        {"metric": {"namespace": "shop", "pod": pod}, "value": [time() if at is None else at, value]} for pod in pods
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture
def good(cluster: ApiServer) -> ApiServer:
    """The cluster of the chart's own manifests, with a service that does well."""
    for raw in definitions().values():
        established = {"conditions": [{"type": "Established", "status": "True"}]}
        cluster.put(CUSTOM_RESOURCE_DEFINITION, {**raw, "status": established})
    installed = yaml.safe_load_all((ROOT / "manifests/install.yaml").read_text())
    (deployment,) = [each for each in installed if each["kind"] == "Deployment"]
    cluster.put(DEPLOYMENT, {**deployment, "status": {"readyReplicas": 1}})
    spec = {"holderIdentity": "operator-1", "renewTime": rfc3339(datetime.now(UTC))}
    cluster.put(LEASE, {"metadata": {"namespace": "foretide-system", "name": LEASE_NAME}, "spec": spec})
    (ours,) = [each for each in objects.manifests() if each["kind"] == "Deployment"]
    cluster.put(DEPLOYMENT, ours)
    pod = objects.pod("ranker-1")
    pod["metadata"]["labels"] |= TRITON
    cluster.put(POD, pod)
    cluster.proxies[PROXY] = lambda query: vector(query, "ranker-1")
    cluster.services(examples.service())
    return cluster


def test_a_good_cluster_is_found_good_and_nothing_is_written(good: ApiServer, run: CommandLine) -> None:
    ended = run("doctor", "-o", "json")
    findings = json.loads(ended.out)["findings"]
    assert [one for one in findings if one["level"] != "ok"] == []
    assert ended.code == Exit.OK
    assert good.writes == []


def test_for_a_person_each_finding_is_a_line_with_its_fix_below(good: ApiServer, run: CommandLine) -> None:
    scaler(good)
    lines = run("doctor").out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("failure")]
    assert lines[at].split("   ", 2)[1].strip() == "other scalers"
    assert lines[at + 1].strip() == "fix: kubectl -n shop delete hpa mine, or set spec.scaling.paused of the service"
    assert lines[-1].endswith("1 failure")


def without(resource: Any, **where: Any) -> Callable[[ApiServer], object]:
    return lambda cluster: cluster.objects.pop(resource.path(**where))


def scaler(cluster: ApiServer) -> None:
    cluster.put(HORIZONTAL_POD_AUTOSCALER, objects.scaler("mine", objects.DEPLOYMENT))


def keda(cluster: ApiServer) -> None:
    made = objects.scaler("keda-hpa-x", objects.DEPLOYMENT)
    made["metadata"]["ownerReferences"] = [{"kind": "ScaledObject", "name": "x"}]
    cluster.put(HORIZONTAL_POD_AUTOSCALER, made)


def old_crd(cluster: ApiServer) -> None:
    path = CUSTOM_RESOURCE_DEFINITION.path(name="scalingpolicies.foretide.dev")
    schema = cluster.objects[path]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["challenger"]


def second_operator(cluster: ApiServer) -> None:
    path = DEPLOYMENT.path(namespace="foretide-system", name="foretide-operator")
    raw = copy.deepcopy(cluster.objects[path])
    cluster.put(DEPLOYMENT, {**raw, "metadata": {**raw["metadata"], "namespace": "other"}})


def stale_lease(cluster: ApiServer) -> None:
    cluster.objects[LEASE_PATH]["spec"]["renewTime"] = "2025-01-01T00:00:00.000000Z"


def scraped_every(seconds: float) -> Callable[[dict[str, str]], dict[str, Any]]:
    return lambda query: vector(query, "ranker-1", scrape_seconds=seconds)


def believing(cluster: ApiServer, interval: str) -> None:
    path = DEPLOYMENT.path(namespace="foretide-system", name="foretide-operator")
    [container] = cluster.objects[path]["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        if variable["name"] == "FORETIDE_SCRAPE_INTERVAL_SECONDS":
            variable["value"] = interval


@pytest.mark.parametrize(("believed", "found"), [("15", "ok"), ("many", "failure")])
def test_how_often_is_scraped_is_compared_with_what_the_operator_is_told(
    good: ApiServer, run: CommandLine, believed: str, found: str
) -> None:
    """An operator that was told nonsense does not start: what is usual is compared."""
    believing(good, believed)
    good.proxies[PROXY] = scraped_every(15.0)
    findings = json.loads(run("doctor", "-o", "json").out)["findings"]
    assert [one["level"] for one in findings if one["check"] == "scrape interval"] == [found]


@pytest.mark.parametrize(
    ("break_it", "check", "level", "says", "fix"),
    [
        (
            without(CUSTOM_RESOURCE_DEFINITION, name="modelprofiles.foretide.dev"),
            "CRD modelprofiles.foretide.dev", "failure", "not installed", "kubectl foretide crds",
        ),
        (old_crd, "CRD scalingpolicies.foretide.dev", "failure", "properties.challenger", "kubectl foretide crds"),
        (
            without(DEPLOYMENT, namespace="foretide-system", name="foretide-operator"),
            "operator", "failure", "no Deployment", "helm",
        ),
        (second_operator, "operator", "failure", "there are 2", "uninstall"),
        (lambda cluster: cluster.objects.pop(LEASE_PATH), "leader", "failure", "nobody holds", "logs"),
        (stale_lease, "leader", "failure", "renewed the Lease last", "logs"),
        (
            lambda cluster: setattr(cluster, "clock_ahead_seconds", -60.0),
            "clock of the operator", "warning", "ahead of the API server's", "NTP",
        ),
        (
            lambda cluster: setattr(cluster, "allowed", lambda spec: spec["resourceAttributes"]["verb"] != "patch"),
            "permissions", "failure", "may not patch inferenceservices/status.foretide.dev", "ClusterRole",
        ),
        (
            lambda cluster: cluster.proxies.update({PROXY: lambda query: vector(query, "other-1")}),
            "scrapes of Triton", "failure", "shop/ranker-1", "podMonitor",
        ),
        (
            lambda cluster: cluster.proxies.update({PROXY: lambda query: vector(query, "ranker-1", at=time() - 600.0)}),
            "Prometheus", "failure", "behind", "NTP",
        ),
        (
            lambda cluster: cluster.proxies.update({PROXY: scraped_every(15.0)}),
            "scrape interval", "failure", "every 15 s", "prometheus.scrapeIntervalSeconds=15",
        ),
        (
            lambda cluster: cluster.proxies.update({PROXY: scraped_every(1.0)}),
            "scrape interval", "failure", "every 1 s", "prometheus.scrapeIntervalSeconds=1",
        ),
        (lambda cluster: cluster.proxies.clear(), "Prometheus", "unknown", "monitoring/prometheus", "prometheus.url"),
        (scaler, "other scalers", "failure", "HorizontalPodAutoscaler shop/mine", "delete hpa mine"),
        (keda, "other scalers", "failure", "KEDA ScaledObject shop/x", "delete scaledobject x"),
        (lambda cluster: cluster.services(objects.service("new")), "services", "warning", "shop/new", "status"),
        (
            lambda cluster: setattr(cluster, "clock_ahead_seconds", -60.0),
            "clock of this machine", "warning", "s ahead of the API server's", "NTP",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_found_with_the_way_out(
    good: ApiServer,
    run: CommandLine,
    break_it: Callable[[ApiServer], object],
    check: str,
    level: str,
    says: str,
    fix: str,
) -> None:
    break_it(good)
    ended = run("doctor", "-o", "json")
    found = [one for one in json.loads(ended.out)["findings"] if one["check"] == check and one["level"] == level]
    assert found
    assert says in found[0]["message"]
    assert fix in found[0]["fix"]
    assert ended.code == (Exit.FOUND if level == "failure" else Exit.WARNED)


def test_what_may_not_be_looked_at_is_unknown_and_not_good(good: ApiServer, run: CommandLine) -> None:
    good.refuse = lambda method, path: 403 if "customresourcedefinitions" in path or method == "POST" else None
    ended = run("doctor", "-o", "json")
    found = {one["check"]: one["level"] for one in json.loads(ended.out)["findings"]}
    assert found["permissions"] == "unknown"
    assert {level for check, level in found.items() if check.startswith("CRD ")} == {"unknown"}
    assert ended.code == Exit.WARNED


def test_a_cluster_out_of_reach_is_one_sentence(run: CommandLine) -> None:
    ended = run("doctor", "--context", "gone")
    assert (ended.code, ended.out) == (Exit.NO_ANSWER, "")
    assert len(ended.err.splitlines()) == 1


def test_permissions_are_those_of_the_chart() -> None:
    """For all namespaces, which is the chart's default; that a Role has the same rules is a test of the chart."""
    granted = set()
    for raw in yaml.safe_load_all((ROOT / "manifests/install.yaml").read_text()):
        if raw["kind"] not in ("Role", "ClusterRole") or not raw["metadata"]["name"].endswith("-operator"):
            continue
        for rule in raw["rules"]:
            granted |= {
                (verb, api_group, resource, raw["metadata"].get("namespace"))
                for verb in rule["verbs"]
                for api_group in rule["apiGroups"]
                for resource in rule["resources"]
            }
    assert {tuple(need) for need in needs("foretide-system", ())} == granted


def watching(*namespaces: str, cluster: ApiServer) -> None:
    """The operator works in these alone."""
    raw = cluster.objects[DEPLOYMENT.path(namespace="foretide-system", name="foretide-operator")]
    (container,) = raw["spec"]["template"]["spec"]["containers"]
    (variable,) = [each for each in container["env"] if each["name"] == "FORETIDE_WATCH_NAMESPACES"]
    variable["value"] = " ".join(namespaces)


def reviewed(cluster: ApiServer) -> set[tuple[str, str | None]]:
    """Resources and the namespaces in which access to them was asked about."""
    asked = [body["spec"]["resourceAttributes"] for body in cluster.bodies if "resourceAttributes" in str(body)]
    return {(each["resource"], each.get("namespace")) for each in asked}


def test_in_some_namespaces_its_rights_are_looked_at_there(good: ApiServer, run: CommandLine) -> None:
    watching("shop", "search", cluster=good)
    assert run("doctor").code == Exit.OK
    assert {("hardwareclasses", None), ("leases", "foretide-system")} <= reviewed(good)
    assert {namespace for resource, namespace in reviewed(good) if resource == "deployments"} == {"shop", "search"}
    assert {resource for resource, namespace in reviewed(good) if namespace is None} == {"hardwareclasses"}
    good.allowed = lambda spec: spec["resourceAttributes"].get("namespace") != "search"
    told = run("doctor", "-o", "json").out
    assert "may not list inferenceservices.foretide.dev in search" in told


def test_a_service_where_no_operator_works_is_told_of(good: ApiServer, run: CommandLine) -> None:
    watching("search", cluster=good)
    ended = run("doctor", "-o", "json")
    found = [one for one in json.loads(ended.out)["findings"] if one["level"] != "ok"]
    assert [(one["check"], one["level"]) for one in found] == [("services", "warning")]
    assert found[0]["message"] == "1 are in namespaces that no operator works in: shop/ranker"
    assert "watchNamespaces" in found[0]["fix"]


def test_two_operators_may_part_the_namespaces(good: ApiServer, run: CommandLine) -> None:
    watching("search", cluster=good)
    second_operator(good)
    watching("shop", cluster=good)
    lease = good.objects[LEASE_PATH]
    good.put(LEASE, {**lease, "metadata": {"namespace": "other", "name": LEASE_NAME}})
    ended = run("doctor", "-o", "json")
    assert [one for one in json.loads(ended.out)["findings"] if one["level"] != "ok"] == []
    watching("shop", "search", cluster=good)
    assert "there are 2 for the same namespaces" in run("doctor", "-o", "json").out


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://prometheus.monitoring.svc:9090", "monitoring/services/prometheus:9090/proxy/api/v1/query"),
        ("http://p.m.svc.cluster.local:80/tenant/", "m/services/p:80/proxy/tenant/api/v1/query"),
        ("https://p.m", "m/services/https:p:443/proxy/api/v1/query"),
        ("http://10.0.0.1:9090", None),
        ("https://prometheus.example.com/", None),
        ("http://localhost:9090", None),
    ],
)
def test_which_url_leads_to_a_service_of_the_cluster(url: str, path: str | None) -> None:
    found = ServiceUrl.of(url)
    assert (found and found.path("api/v1/query")) == (path and f"/api/v1/namespaces/{path}")


def test_crds_and_version(cluster: ApiServer, run: CommandLine, good: ApiServer) -> None:
    printed = list(yaml.safe_load_all(run("crds", cluster=False).out))
    assert {raw["metadata"]["name"]: raw for raw in printed} == definitions()
    told = json.loads(run("version", "-o", "json").out)
    assert told["version"] == __version__
    assert told["operators"][0]["namespace"] == "foretide-system"
    assert json.loads(run("version", "--client", "-o", "json", cluster=False).out)["operators"] is None
    offline = run("version", "--context", "gone")
    assert offline.code == Exit.OK
    assert "not known" in offline.out


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((ROOT / "charts/foretide/Chart.yaml").read_text())
    assert {project["version"], chart["version"], chart["appVersion"]} == {__version__}


def test_services_are_asked_for_in_all_namespaces(good: ApiServer, run: CommandLine) -> None:
    run("doctor")
    assert any(path == INFERENCE_SERVICE.path() for _, path, _ in good.requests)
