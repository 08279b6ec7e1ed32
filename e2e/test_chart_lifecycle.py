"""The life of an installation, under load: upgraded to other values and to another version, rolled back, uninstalled.

No pod of a service is touched by any of it, and no request fails.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster import Cluster
from e2e.cluster.commands import run
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import CHART, SYSTEM, Operator, Values
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, judged, none_failed
from e2e.scenarios.waiting import until
from foretide.adapters.resources import POD

RATE_RPS = 20.0
REQUESTS = 400


@pytest.mark.timeout(500)
def test_upgrade_rollback_and_uninstall_leave_services_alone(
    tenant: Tenant, operator: Operator, values: Values, measured: Measured, api: Api, tmp_path: Path
) -> None:
    cluster = tenant.cluster
    service = tenant.serve("ranker", sleeper.spec(milliseconds=2, minReplicas=2, maxReplicas=2))
    service.until_ready(replicas=2)
    service.until_answers()
    before, first = _as_it_runs(service), _revision(cluster)

    with _reinstalled(operator, values), Traffic(service.load(RATE_RPS, seconds=400)) as load:
        changed = {**values, "logLevel": "DEBUG", "replicas": 2, "metricsService": {"enabled": True}}
        operator.install(changed)
        assert _as_it_runs(service) == before, "an upgrade to other values"

        newer = _next_version(tmp_path)
        operator.keep_logs()
        _helm(cluster, "upgrade", "foretide", str(newer), "--reuse-values", "--wait", "--timeout=120s")
        operator.until_leading()
        assert _as_it_runs(service) == before, "an upgrade to another version"
        assert _chart_version(cluster) == "foretide-99.0.0"

        operator.keep_logs()
        _helm(cluster, "rollback", "foretide", str(first), "--wait", "--timeout=120s")
        operator.until_leading()
        operator.until_ticks(2)
        assert _as_it_runs(service) == before, "a roll-back"
        assert len(operator.pods()) == 1, "the values of then"

        operator.keep_logs()
        _helm(cluster, "uninstall", "foretide", "--wait", "--timeout=60s")
        until(
            "no operator is left",
            lambda: not api.select(POD, namespace=SYSTEM, labels="app.kubernetes.io/name=foretide"),
            within_seconds=60,
            shows=operator.pods,
        )
        load.until_sent(load.sent + 100)
        assert _as_it_runs(service) == before, "an uninstallation"
        load.until_sent(REQUESTS)
        totals = judged(result := load.end())
        measured.add(
            "pods of a service restarted, requests failed by upgrade, roll-back and uninstallation",
            f"0; {totals.failed} of {totals.requests}",
            bar="0; 0",
        )
        none_failed(result, "while the operator was upgraded, rolled back and uninstalled", at_least=REQUESTS)

    assert _as_it_runs(service) == before, "the operator that came back takes it over as it is"
    service.change(scaling={"minReplicas": 3, "maxReplicas": 3})
    service.until_ready(replicas=3)


@contextmanager
def _reinstalled(operator: Operator, values: Values) -> Iterator[None]:
    """Other tests find the operator that they know."""
    try:
        yield
    finally:
        operator.install(values)


def _as_it_runs(service: Service) -> dict[str, Any]:
    """Every pod by its uid with the restarts of its containers, and the Deployment's generation: any change of it."""
    pods = {
        pod["metadata"]["uid"]: [entry["restartCount"] for entry in pod["status"]["containerStatuses"]]
        for pod in service.pods()
    }
    deployment = service.deployment() or {}
    return {"pods": pods, "generation": deployment.get("metadata", {}).get("generation")}


def _next_version(folder: Path) -> Path:
    """The chart as a release after this one would be: other labels, and a field more in a CustomResourceDefinition."""
    chart = folder / "foretide"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    about |= {"version": "99.0.0", "appVersion": "99.0.0"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    definition = chart / "files" / "crds" / "foretide.dev_inferenceservices.yaml"
    raw = yaml.safe_load(definition.read_text(encoding="utf-8"))
    (version,) = raw["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["note"] = {"type": "string"}
    definition.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return chart


def _helm(cluster: Cluster, *words: str) -> str:
    context = [f"--kube-context={cluster.context}"] if cluster.context else []
    command = [str(cluster.bin / "helm"), *words, f"--namespace={SYSTEM}", *context]
    return run(command, env=cluster.environment())


def _revision(cluster: Cluster) -> int:
    return int(json.loads(_helm(cluster, "history", "foretide", "--output=json"))[-1]["revision"])


def _chart_version(cluster: Cluster) -> str:
    return str(json.loads(_helm(cluster, "list", "--output=json"))[0]["chart"])
