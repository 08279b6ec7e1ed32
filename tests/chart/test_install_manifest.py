"""manifests/install.yaml, and so the chart with its defaults: least privilege, restricted pods, nothing out of date."""

import importlib.util
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_snake

from foretide.api.crdenvelope import definitions
from foretide.app import settings
from tests.chart import charts

_INSTALLED = charts.installed()


def test_the_manifest_is_rendered_from_the_chart_as_it_is() -> None:
    spec = importlib.util.spec_from_file_location("render", charts.ROOT / "manifests" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert render.digest() in charts.INSTALL.read_text(encoding="utf-8"), "out of date; run make manifests"


def test_the_definitions_of_tree_chart_and_manifest_are_the_same() -> None:
    for path in (charts.ROOT / "crds").glob("*.yaml"):
        copy = charts.CHART / "files" / "crds" / path.name
        assert copy.read_bytes() == path.read_bytes()
        crd = yaml.safe_load(path.read_text(encoding="utf-8"))
        rendered = charts.only(_INSTALLED, "CustomResourceDefinition", crd["metadata"]["name"])
        assert rendered["spec"] == crd["spec"]
        assert rendered["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    found = {each["metadata"]["name"] for each in _INSTALLED if each["kind"] == "CustomResourceDefinition"}
    assert found == set(definitions())


def _granted(role: dict[str, Any]) -> dict[str, set[str]]:
    """The verbs by resource of a role of the operator."""
    granted: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for api_group in rule["apiGroups"]:
            for resource in rule["resources"]:
                granted.setdefault(f"{api_group}/{resource}".removeprefix("/"), set()).update(rule["verbs"])
    return granted


def test_the_operator_may_do_this_and_nothing_else() -> None:
    watch = {"list", "watch"}
    write = {*watch, "get", "create", "patch"}
    assert _granted(charts.only(_INSTALLED, "ClusterRole")) == {
        "foretide.dev/inferenceservices": {*watch, "get"},
        "foretide.dev/hardwareclasses": watch,
        "foretide.dev/scalingpolicies": watch,
        "foretide.dev/modelprofiles": watch,
        "foretide.dev/inferenceservices/status": {"patch"},
        "apps/deployments": {*write, "delete"},
        "apps/deployments/scale": {"patch"},
        "services": write,
        "configmaps": {*write, "delete"},
        "serviceaccounts": write,
        "policy/poddisruptionbudgets": {*write, "delete"},
        "pods": watch,
        "pods/log": {"get"},
        "autoscaling/horizontalpodautoscalers": {"list", "watch"},
        "events.k8s.io/events": {"create"},
    }
    lease = charts.only(_INSTALLED, "Role")
    assert _granted(lease) == {"coordination.k8s.io/leases": {"get", "create", "update"}}
    assert all(rule["verbs"] == ["create"] or rule["resourceNames"] == ["foretide-operator"] for rule in lease["rules"])


def test_no_role_has_a_wildcard_or_secrets_or_more_power_than_its_holder() -> None:
    roles = [each for each in _INSTALLED if each["kind"] in ("Role", "ClusterRole")]
    assert len(roles) == 4
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert not {"secrets", "serviceaccounts/token", "nodes/proxy", "pods/exec"} & set(rule["resources"])
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_users_get_no_more_than_the_kinds_of_the_api() -> None:
    for name in ("foretide-view", "foretide-edit"):
        role = charts.only(_INSTALLED, "ClusterRole", name)
        assert {api_group for rule in role["rules"] for api_group in rule["apiGroups"]} == {"foretide.dev"}
    namespaced = {"foretide.dev/inferenceservices", "foretide.dev/scalingpolicies", "foretide.dev/modelprofiles"}
    seen = _granted(charts.only(_INSTALLED, "ClusterRole", "foretide-view"))
    assert set(seen) == {*namespaced, "foretide.dev/hardwareclasses"}
    assert set(_granted(charts.only(_INSTALLED, "ClusterRole", "foretide-edit"))) == namespaced


def test_bindings_name_the_operator_only() -> None:
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        binding = charts.only(_INSTALLED, kind)
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "foretide-operator", "namespace": "foretide-system"}
        ]
        assert binding["roleRef"]["name"] == "foretide-operator"


@pytest.fixture
def pod() -> dict[str, Any]:
    """The pod template's spec of the operator."""
    spec: dict[str, Any] = charts.only(_INSTALLED, "Deployment")["spec"]["template"]["spec"]
    return spec


def test_the_pod_keeps_the_restricted_standard(pod: dict[str, Any]) -> None:
    namespace = charts.only(_INSTALLED, "Namespace", "foretide-system")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(pod)
    assert [set(volume) for volume in pod["volumes"]] == [{"name", "emptyDir"}]
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"] == {"memory": "256Mi"}
    assert container["resources"]["requests"] == {"cpu": "50m", "memory": "128Mi"}


def test_only_the_pod_asks_for_a_token(pod: dict[str, Any]) -> None:
    assert charts.only(_INSTALLED, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is True


def test_the_kubelet_asks_whether_it_started_lives_and_is_ready(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    asked = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {
        "startupProbe": {"path": "/livez", "port": "http"},
        "livenessProbe": {"path": "/livez", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }


def test_the_operator_takes_the_settings_of_the_chart(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    given = {each["name"]: each.get("value", "from-the-pod") for each in container["env"]}
    loaded = settings.load(given)
    assert loaded.prometheus_url == charts.values()["prometheus"]["url"]
    assert loaded.tick_seconds == charts.values()["autoscaler"]["tickSeconds"]
    assert loaded.listen_port == 8080
    assert loaded.model_dump(exclude={"pod_name", "pod_namespace"}) == settings.load({}).model_dump(
        exclude={"pod_name", "pod_namespace"}
    )


def test_services_of_the_namespace_do_not_reach_the_settings(pod: dict[str, Any]) -> None:
    """A Service foretide-x gives every pod FORETIDE_X_PORT, and settings refuse names they do not know."""
    assert pod["enableServiceLinks"] is False
    with pytest.raises(settings.SettingsError):
        settings.load({"FORETIDE_OPERATOR_PORT": "tcp://198.19.0.7:8080"})


def test_the_selector_is_in_the_labels_of_the_pod_and_found_by_prometheus() -> None:
    deployment = charts.only(_INSTALLED, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels["app.kubernetes.io/name"] == "foretide"


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("autoscaler", "tickSeconds"),
        ("prometheus", "scrapeIntervalSeconds"),
        ("autoscaler", "scaleDownHoldSeconds"),
    ],
)
def test_helm_refuses_what_the_operator_would_refuse(section: str, value: str) -> None:
    """A release with a tick of 1 ms was installed, and its operator ended in a loop."""
    of_chart = charts.schema()["properties"][section]["properties"][value]
    of_operator = settings.Settings.model_json_schema()["properties"][to_snake(value)]
    assert {key: of_chart[key] for key in ("minimum", "maximum")} == {
        key: of_operator[key] for key in ("minimum", "maximum")
    }
