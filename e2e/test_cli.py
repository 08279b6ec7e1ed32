"""`kubectl foretide` against a real API server, operator and Prometheus: what unit tests have stand-ins for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster import Cluster
from e2e.scenarios import sleeper
from e2e.scenarios.tenant import Tenant
from foretide.api import group
from foretide.cli.exits import Exit


def ask(cluster: Cluster, *arguments: str, codes: tuple[Exit, ...] = (Exit.OK,)) -> Any:
    """What the command prints as JSON."""
    command = [sys.executable, "-m", "foretide.cli", *arguments, "-o", "json", "--kubeconfig", str(cluster.kubeconfig)]
    command += ["--context", cluster.context] if cluster.context else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in codes, f"{done.returncode}: {done.stderr}{done.stdout}"
    return json.loads(done.stdout)


def test_a_service_from_plan_to_explain(cluster: Cluster, tenant: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "ranker.yaml"
    raw = {
        "apiVersion": group.API_VERSION,
        "kind": group.INFERENCE_SERVICE_KIND,
        "metadata": {"name": "ranker", "namespace": tenant.namespace},
        "spec": sleeper.spec(),
    }
    file.write_text(yaml.safe_dump(raw))
    before = ask(cluster, "plan", "-f", str(file))
    (planned,) = before["services"]
    assert {child["action"] for child in planned["children"]} == {"create"}

    service = tenant.serve("ranker", sleeper.spec())
    service.until_ready(replicas=1)
    after = ask(cluster, "plan", "-f", str(file))
    (planned,) = after["services"]
    assert {child["kind"]: child["action"] for child in planned["children"]}["Deployment"] == "unchanged", planned
    shown = ask(cluster, "status", "ranker", "-n", tenant.namespace)
    assert shown["replicas"]["ready"] == 1
    assert ask(cluster, "explain", "ranker", "-n", tenant.namespace)["name"] == "ranker"

    # services of other tests may have something to look at
    told = ask(cluster, "doctor", codes=(Exit.OK, Exit.FOUND, Exit.WARNED))["findings"]
    findings = {one["check"]: one for one in told}
    for check in ("CRD inferenceservices.foretide.dev", "operator", "leader", "permissions", "Prometheus"):
        assert findings[check]["level"] == "ok", findings[check]
