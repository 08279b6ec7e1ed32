"""The chart through a real helm: it lints, refuses wrong values in words, and its options render what they promise."""

import json
import re
import subprocess
from typing import Any

import pytest

from e2e.cluster import Cluster
from e2e.scenarios.operator import SYSTEM
from foretide.adapters import promql
from foretide.api import group
from foretide.app import settings
from foretide.control.past import RECORDED
from foretide.scaling.settings import ScalingSettings
from foretide.serving import naming
from manifests import render
from manifests.dashboards import __main__ as dashboards
from tests.chart import charts


@pytest.fixture
def helm(cluster: Cluster) -> str:
    return str(cluster.bin / "helm")


def test_the_chart_lints(helm: str) -> None:
    subprocess.run([helm, "lint", "--strict", str(charts.CHART)], check=True, capture_output=True, timeout=60)


def test_the_manifest_in_the_tree_is_up_to_date(helm: str) -> None:
    assert render.install_text(binary=helm) == charts.INSTALL.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--set=replica=2", "replica"),
        ("--set=replicas=many", "replicas"),
        ("--set=image.pullPolicy=Sometimes", "pullPolicy"),
        ("--set=image.digest=sha256:abc", "digest"),
        ("--set=image.repository=operator:dev", "repository"),
        ("--set=prometheus.url=prometheus:9090", "prometheus"),
        ("--set=prometheus.url=https://me:password@thanos", "prometheus"),
        ("--set=prometheus.caKey=a/b", "caKey"),
        ("--set=prometheus.caKey=ca.crt", "set prometheus.secretName"),
        ("--set=autoscaler.tickSeconds=0", "tickSeconds"),
        ("--set=logLevel=verbose", "logLevel"),
        ("--set=crds.install=false", "install"),
        ("--set=watchNamespaces={Shop}", "watchNamespaces"),
        ("--set=watchNamespaces={shop,shop}", "watchNamespaces"),
        ("--set=watchNamespaces={team-*}", "watchNamespaces"),
        ("--set=networkPolicy.apiServerPorts={}", "apiServerPorts"),
        ("--set=networkPolicy.prometheusTo[0].ipblock.cidr=10.0.0.0/8", "ipblock"),
        ("--set=podLabels.app\\.kubernetes\\.io/name=mine", "app.kubernetes.io/name"),
        ("--set=topologySpreadConstraints=zone", "topologySpreadConstraints"),
        ("--set=alerts.overrides.ForetideDwon.for=1m", "ForetideDwon"),
        ("--set=alerts.overrides.ForetideDown.for=soon", "for"),
        ("--set=alerts.overrides.ForetideDown.after=1m", "after"),
        ("--set=alerts.coldStartSeconds=0", "coldStartSeconds"),
        ("--set=alerts.runbookUrl=wiki", "runbookUrl"),
        ("--set=alerts.runbookUrl=https://wiki.example/foretide", "runbookUrl"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(helm: str, argument: str, words: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        _template(helm, argument)
    assert words in refusal.value.stderr


def test_the_definitions_can_be_left_out_and_left_behind(helm: str) -> None:
    kinds = {each["kind"] for each in _template(helm, "--set=crds.enabled=false")}
    assert "CustomResourceDefinition" not in kinds
    for each in _template(helm, "--set=crds.keep=false"):
        assert "annotations" not in each["metadata"]


def test_in_some_namespaces_it_has_the_same_rights_in_each_and_hardly_any_elsewhere(helm: str) -> None:
    whole = charts.only(_template(helm), "ClusterRole")["rules"]
    # The release's own namespace is one of them: its Role for the Lease has another name.
    found = _template(helm, "--set=watchNamespaces={shop,foretide-system}", f"--namespace={SYSTEM}")
    assert charts.only(found, "ClusterRole")["rules"] == whole[:1]
    assert whole[0] == {"apiGroups": ["foretide.dev"], "resources": ["hardwareclasses"], "verbs": ["list", "watch"]}
    for kind in ("Role", "RoleBinding"):
        [lease, *rest] = [each for each in found if each["kind"] == kind]
        assert (lease["metadata"]["name"], lease["metadata"]["namespace"]) == ("foretide-operator", SYSTEM)
        assert [each["metadata"]["namespace"] for each in rest] == ["shop", SYSTEM]
        assert {each["metadata"]["name"] for each in rest} == {"foretide-operator-services"}
        if kind == "Role":
            assert all(each["rules"] == whole[1:] for each in rest)
        for each in rest if kind == "RoleBinding" else ():
            assert each["roleRef"]["name"] == each["metadata"]["name"]
            [subject] = each["subjects"]
            assert subject == {"kind": "ServiceAccount", "name": "foretide-operator", "namespace": SYSTEM}
    [container] = charts.only(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    loaded = settings.load({each["name"]: each.get("value", "from-the-pod") for each in container["env"]})
    assert loaded.namespaces == ("shop", SYSTEM)


def test_for_all_namespaces_there_is_a_role_for_the_lease_alone(helm: str) -> None:
    found = _template(helm)
    assert [each["metadata"]["name"] for each in found if each["kind"] == "Role"] == ["foretide-operator"]


def test_in_some_namespaces_prometheus_scrapes_and_records_those(helm: str) -> None:
    arguments = ["watchNamespaces={shop,search}", "podMonitor.enabled=true", "prometheusRule.enabled=true"]
    found = _template(helm, *(f"--set={each}" for each in arguments))
    triton = charts.only(found, "PodMonitor", "foretide-triton")
    assert triton["spec"]["namespaceSelector"] == {"matchNames": ["shop", "search"]}
    [group] = charts.only(found, "PrometheusRule", "foretide-history")["spec"]["groups"]
    assert [rule["expr"] for rule in group["rules"]] == [
        promql.history(quantity, rate_window_seconds=30.0, namespaces=("shop", "search")) for quantity in RECORDED
    ]


def test_a_digest_wins_over_a_tag(helm: str) -> None:
    digest = f"sha256:{'0' * 64}"
    found = _template(helm, f"--set=image.digest={digest}", "--set=image.tag=dev")
    [container] = charts.only(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"ghcr.io/foretide/operator@{digest}"


def test_pod_monitors_find_triton_and_the_operator(helm: str) -> None:
    found = _template(helm, "--set=podMonitor.enabled=true", "--set=podMonitor.labels.release=monitoring")
    triton = charts.only(found, "PodMonitor", "foretide-triton")
    assert triton["metadata"]["labels"]["release"] == "monitoring"
    assert triton["spec"]["namespaceSelector"] == {"any": True}
    assert triton["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    [operator] = charts.only(found, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert (operator["port"], operator["interval"]) == ("http", "15s"), "its numbers change with a tick"
    assert operator["honorLabels"] is True, "its series name the namespace of the service that they are of"


def test_what_lets_the_operator_in_is_mounted_and_named(helm: str) -> None:
    given = ["secretName=access", "url=https://thanos", "bearerTokenKey=token", "caKey=ca.crt", "tenant=team"]
    given += ["clientCertificateKey=tls.crt", "clientKeyKey=tls.key"]
    pod = charts.only(_template(helm, *(f"--set=prometheus.{each}" for each in given)), "Deployment")
    spec = pod["spec"]["template"]["spec"]
    assert {"name": "prometheus", "secret": {"secretName": "access", "defaultMode": 0o440}} in spec["volumes"]
    [container] = spec["containers"]
    folder = "/etc/foretide/prometheus"
    assert {"name": "prometheus", "mountPath": folder, "readOnly": True} in container["volumeMounts"]
    loaded = settings.load({each["name"]: each.get("value", "from-the-pod") for each in container["env"]})
    assert loaded.prometheus_bearer_token_file == f"{folder}/token"
    assert loaded.prometheus_ca_file == f"{folder}/ca.crt"
    assert loaded.prometheus_client_certificate_file == f"{folder}/tls.crt"
    assert loaded.prometheus_client_key_file == f"{folder}/tls.key"
    assert (loaded.prometheus_tenant_header, loaded.prometheus_tenant) == ("X-Scope-OrgID", "team")


@pytest.mark.parametrize(("interval", "tick"), [(5, 15.0), (15, 15.0), (1, 90.4)])
def test_recording_rules_keep_what_the_operator_asks_about_the_past(helm: str, interval: int, tick: float) -> None:
    arguments = ["--set=prometheusRule.enabled=true", "--set=prometheusRule.labels.release=monitoring"]
    arguments += ["--set=podMonitor.enabled=true"]
    found = _template(
        helm,
        *arguments,
        f"--set=prometheus.scrapeIntervalSeconds={interval}",
        f"--set-json=autoscaler.tickSeconds={tick:g}",
    )
    [scraped] = charts.only(found, "PodMonitor", "foretide-triton")["spec"]["podMetricsEndpoints"]
    assert scraped["interval"] == f"{interval}s"
    rule = charts.only(found, "PrometheusRule", "foretide-history")
    assert rule["metadata"]["labels"]["release"] == "monitoring"
    [group] = rule["spec"]["groups"]
    asked = ScalingSettings(scrape_interval_seconds=interval, tick_seconds=tick).rate_window_seconds
    assert group["rules"] == [
        {"record": promql.record(quantity), "expr": promql.history(quantity, rate_window_seconds=asked)}
        for quantity in RECORDED
    ]


def test_dashboards_come_as_they_are_with_the_label_of_the_sidecar(helm: str) -> None:
    arguments = ["dashboards.enabled=true", "dashboards.namespace=grafana", "dashboards.annotations.grafana_folder=ML"]
    found = [each for each in _template(helm, *(f"--set={each}" for each in arguments)) if each["kind"] == "ConfigMap"]
    files = {name: text for each in found for name, text in each["data"].items()}
    assert {name: json.loads(text) for name, text in files.items()} == {
        name: json.loads(text) for name, text in dashboards.rendered().items()
    }
    assert {each["metadata"]["namespace"] for each in found} == {"grafana"}
    assert all(each["metadata"]["labels"]["grafana_dashboard"] == "1" for each in found)
    assert all(each["metadata"]["annotations"] == {"grafana_folder": "ML"} for each in found)


def test_what_needs_another_project_or_closes_a_door_comes_only_when_asked_for(helm: str) -> None:
    unasked = {"PrometheusRule", "ConfigMap", "PodMonitor", "NetworkPolicy"}
    assert {each["kind"] for each in _template(helm)}.isdisjoint(unasked)


def test_of_several_operators_one_at_a_time_is_drained_and_a_single_one_holds_up_no_drain(helm: str) -> None:
    budget = charts.only(_template(helm, "--set=replicas=2"), "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    for replicas in (0, 1):
        assert "PodDisruptionBudget" not in {each["kind"] for each in _template(helm, f"--set=replicas={replicas}")}


@pytest.mark.parametrize(
    ("url", "argument", "port"),
    [
        ("http://prometheus.monitoring.svc:9090", "", 9090),
        ("http://prometheus.monitoring.svc/tenant", "", 80),
        ("https://mimir.example/prometheus", "", 443),
        ("http://prometheus.monitoring.svc", "--set=networkPolicy.prometheusPort=9090", 9090),
    ],
)
def test_out_it_may_go_to_what_it_asks_alone(helm: str, url: str, argument: str, port: int) -> None:
    policy = _policy(helm, f"--set=prometheus.url={url}", *([argument] if argument else []))
    dns, api_server, prometheus, triton = policy["egress"]
    assert {(each["port"], each["protocol"]) for each in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert [each["port"] for each in api_server["ports"]] == [443, 6443]
    assert [each["port"] for each in prometheus["ports"]] == [port]
    assert [each["port"] for each in triton["ports"]] == [naming.HTTP_PORT, naming.METRICS_PORT]
    assert not any("to" in each for each in (dns, api_server, prometheus)), "where these are no chart can know"
    [pods] = triton["to"]
    assert pods["namespaceSelector"] == {}
    assert set(pods["podSelector"]["matchLabels"].values()) == {group.MANAGED_BY, group.INFERENCE_SERVER}


def test_who_may_talk_to_it_and_where_its_servers_are_can_be_said(helm: str) -> None:
    assert _policy(helm)["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    address = {"ipBlock": {"cidr": "10.0.0.1/32"}}
    policy = _policy(
        helm,
        f"--set-json=networkPolicy.metricsFrom={json.dumps([monitoring])}",
        f"--set-json=networkPolicy.apiServerTo={json.dumps([address])}",
        f"--set-json=networkPolicy.prometheusTo={json.dumps([monitoring])}",
        "--set=networkPolicy.apiServerPorts={6443}",
        "--set=watchNamespaces={shop,search}",
    )
    assert policy["ingress"][0]["from"] == [monitoring]
    _, api_server, prometheus, triton = policy["egress"]
    assert api_server == {"ports": [{"port": 6443, "protocol": "TCP"}], "to": [address]}
    assert prometheus["to"] == [monitoring]
    [where] = triton["to"][0]["namespaceSelector"]["matchExpressions"]
    assert where == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop", "search"]}


def _policy(helm: str, *arguments: str) -> Any:
    """The NetworkPolicy of the operator, which is of its pods alone and in both ways."""
    found = _template(helm, "--set=networkPolicy.enabled=true", *arguments)
    spec = charts.only(found, "NetworkPolicy")["spec"]
    assert spec["podSelector"] == charts.only(found, "Deployment")["spec"]["selector"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    return spec


def test_the_notes_name_the_plugin_and_what_stays(cluster: Cluster) -> None:
    notes = _notes(cluster)
    assert "kubectl foretide explain ranker" in notes
    names = [each["metadata"]["name"] for each in charts.installed() if each["kind"] == "CustomResourceDefinition"]
    (removal,) = re.findall(r"kubectl delete crd (.*)", notes)
    assert sorted(removal.split()) == sorted(names)
    assert "kubectl delete crd" not in _notes(cluster, "--set=crds.keep=false")
    assert "left alone" not in notes
    assert "one of shop, search" in _notes(cluster, "--set=watchNamespaces={shop,search}")


def _notes(cluster: Cluster, *arguments: str) -> str:
    # As whoever installed it here: helm refuses another release the definitions that one has.
    command = [str(cluster.bin / "helm"), "upgrade", "--install", "foretide", str(charts.CHART), "--dry-run=client"]
    command += [f"--namespace={SYSTEM}", *arguments]
    command += [f"--kube-context={cluster.context}"] if cluster.context else []
    said = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60, env=cluster.environment()
    ).stdout
    return said.partition("NOTES:")[2]


def test_every_option_at_once_renders(helm: str) -> None:
    arguments = ["replicas=2", "metricsService.enabled=true", "priorityClassName=high", "nodeSelector.pool=system"]
    arguments += [
        "podLabels.team=ml",
        "podAnnotations.a=b",
        "tolerations[0].operator=Exists",
        "imagePullSecrets[0].name=registry",
    ]
    found = _template(helm, *(f"--set={argument}" for argument in arguments), '--set-json=affinity={"podAffinity":{}}')
    pod = charts.only(found, "Deployment")["spec"]["template"]["spec"]
    assert (pod["priorityClassName"], pod["nodeSelector"]) == ("high", {"pool": "system"})
    assert (pod["tolerations"], pod["affinity"]) == ([{"operator": "Exists"}], {"podAffinity": {}})
    metadata = charts.only(found, "Deployment")["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == "ml"
    assert metadata["annotations"]["a"] == "b"
    assert charts.only(found, "Service")["spec"]["ports"][0]["targetPort"] == "http"
    assert charts.only(found, "ServiceAccount")["imagePullSecrets"] == [{"name": "registry"}]


def test_operators_are_spread_by_their_own_pods_where_nothing_else_is_said(helm: str) -> None:
    constraint = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    other = {**constraint, "labelSelector": {"matchLabels": {"team": "ml"}}}
    found = _template(helm, f"--set-json=topologySpreadConstraints={json.dumps([constraint, other])}")
    deployment = charts.only(found, "Deployment")["spec"]
    first, second = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert first == {**constraint, "labelSelector": deployment["selector"]}
    assert second == other


def _template(helm: str, *arguments: str) -> list[charts.Object]:
    command = [helm, "template", render.RELEASE, str(charts.CHART), f"--kube-version={render.KUBE_VERSION}", *arguments]
    return charts.objects(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
