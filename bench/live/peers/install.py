"""Installs the peers into the cluster from the manifests of their own modules, and takes them out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from bench.live.peers.programs import ADAPTER, KEDA, Built, image
from bench.live.peers.queries import adapter_rules
from e2e.cluster import Cluster
from e2e.scenarios.api import NAMESPACE, Api
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CONFIG_MAP, Resource
from foretide.api import group

MONITORING: Final = "monitoring"
# What the peers' pods say of who made them.
OWN_MANAGER: Final = "bench-live"
PROMETHEUS_URL: Final = "http://prometheus.monitoring.svc:9090"
# A new pod is known to the adapter after so long; its chart has a minute.
RELIST: Final = "--metrics-relist-interval=15s"
API_SERVICE: Final = Resource("apiregistration.k8s.io/v1", "APIService", "apiservices", namespaced=False)
METRIC_APIS: Final = ("v1beta1.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io")
READY_SECONDS: Final = 180.0
# Of the adapter's manifests.
LEFT_OUT: Final = ("network-policy.yaml", "pod-disruption-budget.yaml")


@contextmanager
def installed(cluster: Cluster, api: Api, built: Built) -> Iterator[None]:
    """KEDA and prometheus-adapter serve their metrics inside `with`."""
    objects = [*_keda(cluster, built.sources[KEDA]), *_adapter(built.sources[ADAPTER])]
    try:
        cluster.apply(*objects)
        until("KEDA and prometheus-adapter serve metrics", lambda: _available(api), within_seconds=READY_SECONDS)
        yield
    finally:
        for name in METRIC_APIS:  # else namespaces cannot be deleted: the API server asks these what is in them
            api.delete(API_SERVICE, name)
        for entry in objects:
            if entry["kind"] not in ("Namespace", "CustomResourceDefinition", "APIService"):
                _delete(cluster, entry)
        for entry in objects:
            if entry["kind"] == "CustomResourceDefinition":
                _delete(cluster, entry)
        api.delete(NAMESPACE, "keda")


def _available(api: Api) -> bool:
    found = [api.get(API_SERVICE, name) or {} for name in METRIC_APIS]
    return all(
        any(entry["type"] == "Available" and entry["status"] == "True" for entry in one["status"]["conditions"])
        for one in found
        if one
    ) and all(found)


def _delete(cluster: Cluster, entry: Mapping[str, Any]) -> None:
    where = entry["metadata"].get("namespace")
    namespace = [f"--namespace={where}"] if where else []
    cluster.kubectl(
        "delete", entry["kind"], entry["metadata"]["name"], *namespace, "--ignore-not-found", "--wait=false"
    )


def _keda(cluster: Cluster, source: Path) -> list[dict[str, Any]]:
    """`config/minimal` of the module, with our images: operator, metrics server, kinds and rights."""
    objects = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(source / "config" / "minimal"))))
    for entry in objects:
        if entry["kind"] == "Deployment":
            (container,) = entry["spec"]["template"]["spec"]["containers"]
            _image(container, container["command"][0].removeprefix("/"))
    return sorted(objects, key=lambda entry: entry["kind"] not in ("Namespace", "CustomResourceDefinition"))


def _adapter(source: Path) -> list[dict[str, Any]]:
    """`deploy/manifests` of the module, with our image, Prometheus and rules; one replica."""
    files = sorted(path for path in (source / "deploy" / "manifests").glob("*.yaml") if path.name not in LEFT_OUT)
    objects = [entry for file in files for entry in yaml.safe_load_all(file.read_text()) if entry]
    for entry in objects:
        if entry["kind"] == "Deployment":
            entry["spec"]["replicas"] = 1
            (container,) = entry["spec"]["template"]["spec"]["containers"]
            given = [
                word for word in container["args"] if not word.startswith(("--prometheus-url", "--metrics-relist"))
            ]
            container["args"] = [*given, f"--prometheus-url={PROMETHEUS_URL}", RELIST]
            container["command"] = ["/prometheus-adapter"]
            container["securityContext"] |= {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
            _image(container, "prometheus-adapter")
        if entry["kind"] == "ConfigMap":
            entry["data"] = {"config.yaml": yaml.safe_dump({"rules": adapter_rules()})}
        if entry["kind"] == "APIService":
            entry["metadata"]["name"] = METRIC_APIS[0]
            entry["spec"]["group"] = METRIC_APIS[0].removeprefix("v1beta1.")
    return objects


def _image(container: dict[str, Any], program: str) -> None:
    container["image"] = image(program)
    container["imagePullPolicy"] = "IfNotPresent"


@contextmanager
def scraped(cluster: Cluster, api: Api) -> Iterator[None]:
    """Prometheus scrapes the peers' pods as it does Foretide's, inside `with`."""
    found = api.get(CONFIG_MAP, "prometheus", namespace=MONITORING)
    assert found is not None, "the cluster has no Prometheus"
    before: str = found["data"]["prometheus.yml"]
    config = yaml.safe_load(before)
    (triton,) = (job for job in config["scrape_configs"] if job["job_name"] == "triton")
    (discovery,) = triton["kubernetes_sd_configs"]
    labels = f"{group.MANAGED_BY_LABEL}={OWN_MANAGER},{group.COMPONENT_LABEL}={group.INFERENCE_SERVER}"
    mine = {**discovery, "selectors": [{"role": "pod", "label": labels}]}
    config["scrape_configs"].append({**triton, "job_name": "peers", "kubernetes_sd_configs": [mine]})
    _write(cluster, yaml.safe_dump(config))
    try:
        yield
    finally:
        _write(cluster, before)


def _write(cluster: Cluster, text: str) -> None:
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "prometheus", "namespace": MONITORING},
            "data": {"prometheus.yml": text},
        }
    )
