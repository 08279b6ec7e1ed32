"""The chart's alerts in the cluster's Prometheus, and an Alertmanager that gets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import yaml

from e2e.cluster import Cluster
from e2e.cluster.paths import HERE
from e2e.scenarios import prometheus
from e2e.scenarios.api import Api
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CONFIG_MAP, DEPLOYMENT
from manifests import render
from tests.chart import charts

MANIFEST: Final = HERE / "manifests" / "alertmanager.yaml"
NAME: Final = "alertmanager"
RULES: Final = "prometheus-rules"
ALERTS: Final = f"/api/v1/namespaces/{prometheus.NAMESPACE}/services/{NAME}:9093/proxy/api/v2/alerts"
# The kubelet brings a changed ConfigMap into a pod within a minute and a half; Prometheus looks every 5 s.
LOADED_SECONDS: Final = 150.0


@dataclass(frozen=True, slots=True)
class Alerting:
    """Alerts that fire at once, and what Alertmanager was told."""

    api: Api

    def firing(self) -> list[dict[str, Any]]:
        """The alerts that Alertmanager takes for active."""
        found: list[dict[str, Any]] = json.loads(self.api.text(ALERTS, {"active": "true"}))
        return found

    def until_fires(self, *names: str, namespace: str = "", service: str = "", within_seconds: float = 180.0) -> None:
        """Waits until Alertmanager has all of these alerts, of a service if one is named, with their runbooks."""
        labels = {"namespace": namespace, "service": service} if service else {}
        fired: set[str] = set()  # one may end before another begins

        def seen() -> set[str]:
            for alert in self.firing():
                name = alert["labels"]["alertname"]
                if labels.items() <= alert["labels"].items():
                    assert alert["annotations"]["runbook"].endswith(f"/{name}.md"), alert
                    fired.add(name)
            return fired

        until(
            f"{', '.join(names)} of {service or 'the operator'}",
            lambda: set(names) <= seen(),
            within_seconds=within_seconds,
            shows=lambda: sorted(seen()),
        )

    def until_ends(self, name: str, *, within_seconds: float = 120.0) -> None:
        """Waits until Alertmanager has no such alert any more."""
        until(
            f"{name} ends",
            lambda: not any(alert["labels"]["alertname"] == name for alert in self.firing()),
            within_seconds=within_seconds,
            shows=self.firing,
        )


@contextmanager
def installed(cluster: Cluster, api: Api) -> Iterator[Alerting]:
    """Rules whose `for` is a second, and Alertmanager, inside `with`; neither afterwards."""
    names = charts.schema()["properties"]["alerts"]["properties"]["overrides"]["propertyNames"]["enum"]
    changed = ["alerts.enabled=true", "alerts.coldStartSeconds=1"]
    changed += [f"alerts.overrides.{name}.for=1s" for name in names]
    text = render.rendered(*(f"--set={each}" for each in changed), binary=str(cluster.bin / "helm"))
    spec = charts.only(charts.objects(text), "PrometheusRule", "foretide-alerts")["spec"]
    cluster.apply(MANIFEST)
    metadata = {"name": RULES, "namespace": prometheus.NAMESPACE}
    api.apply(CONFIG_MAP, {"metadata": metadata, "data": {"alerts.yaml": yaml.safe_dump(spec)}})
    try:
        until("Alertmanager is ready", lambda: _ready(api), within_seconds=60)
        until("Prometheus has the rules", lambda: _loaded(api) == set(names), within_seconds=LOADED_SECONDS)
        yield Alerting(api)
    finally:
        api.delete(CONFIG_MAP, RULES, namespace=prometheus.NAMESPACE)
        api.delete(DEPLOYMENT, NAME, namespace=prometheus.NAMESPACE)


def _ready(api: Api) -> bool:
    deployment = api.get(DEPLOYMENT, NAME, namespace=prometheus.NAMESPACE) or {}
    return bool(deployment.get("status", {}).get("readyReplicas"))


def _loaded(api: Api) -> set[str]:
    """The alerts that Prometheus evaluates."""
    answer = json.loads(api.text(f"{prometheus.PROXY}/api/v1/rules", {"type": "alert"}))
    return {rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]}
