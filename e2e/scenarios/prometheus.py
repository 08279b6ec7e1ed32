"""The Prometheus that the operator asks, and how to take it away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from e2e.scenarios.api import Api
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, POD

NAMESPACE: Final = "monitoring"
NAME: Final = "prometheus"
PORT: Final = 9090
# The flag by which OTLP tells that a series has ended: Prometheus writes a stale marker.
NO_VALUE: Final = 1
PROXY: Final = f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}:{PORT}/proxy"


@contextmanager
def away(api: Api) -> Iterator[None]:
    """No Prometheus inside `with`: its pod is killed. Afterwards it is ready again, with an empty history."""
    _scale(api, 0)
    for pod in _pods(api):
        api.delete(POD, pod, namespace=NAMESPACE, grace_seconds=0)
    until("Prometheus is gone", lambda: not _pods(api), within_seconds=30)
    try:
        yield
    finally:
        _scale(api, 1)
        until("Prometheus is ready again", lambda: _ready(api), within_seconds=60, shows=lambda: _pods(api))


def receive(api: Api, metric: str, points: Iterable[Mapping[str, Any]]) -> None:
    """Gives Prometheus samples with times of their own, as data points of an OTLP gauge."""
    gauge = {"name": metric, "gauge": {"dataPoints": list(points)}}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge]}]}]}
    headers = {"Content-Type": "application/json"}
    api.raw("POST", f"{PROXY}/api/v1/otlp/v1/metrics", {}, json.dumps(body).encode(), headers)


def query(api: Api, promql: str, at_seconds: float, *, by: str = "number") -> dict[str, float]:
    """The answer to an instant query, by the value of one label."""
    answer = json.loads(api.text(f"{PROXY}/api/v1/query", {"query": promql, "time": str(at_seconds)}))
    return {found["metric"].get(by, ""): float(found["value"][1]) for found in answer["data"]["result"]}


def queries_served(api: Api) -> float:
    """Instant queries that Prometheus has answered since its start, by its own count."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(api.text(f"{PROXY}/metrics"))
        for sample in family.samples
        if sample.name == "prometheus_http_requests_total" and sample.labels.get("handler") == "/api/v1/query"
    )


def _scale(api: Api, replicas: int) -> None:
    api.patch(DEPLOYMENT, NAME, {"spec": {"replicas": replicas}}, namespace=NAMESPACE, subresource="scale")


def _pods(api: Api) -> list[str]:
    return [
        pod["metadata"]["name"] for pod in api.select(POD, namespace=NAMESPACE, labels=f"app.kubernetes.io/name={NAME}")
    ]


def _ready(api: Api) -> bool:
    deployment = api.get(DEPLOYMENT, NAME, namespace=NAMESPACE) or {}
    return bool(deployment.get("status", {}).get("readyReplicas"))
