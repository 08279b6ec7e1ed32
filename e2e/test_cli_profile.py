"""`kubectl foretide profile` in a real cluster: a known law is found, clients and the operator see nothing of it, and a
plugin that is interrupted or killed leaves nothing that runs on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from e2e.cluster import Cluster
from e2e.scenarios import sleeper
from e2e.scenarios.measured import Measured
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CONFIG_MAP, JOB, MODEL_PROFILE, POD
from foretide.cli.exits import Exit
from foretide.cli.profile.report import EVIDENCE_ANNOTATION

FIXED_MILLISECONDS: Final = 40.0
ITEM_MILLISECONDS: Final = 10.0
MAX_BATCH: Final = 8
# Of the time of a batch: what the Python backend and a busy machine add to the sleep.
TOLERANCE: Final = 0.15


def words(cluster: Cluster, tenant: Tenant, *options: str) -> list[str]:
    """The command line of a short profile."""
    command = [sys.executable, "-m", "foretide.cli", "profile", "ranker", "--class", sleeper.HARDWARE_CLASS]
    command += ["-n", tenant.namespace, "--kubeconfig", str(cluster.kubeconfig), *options]
    return command + (["--context", cluster.context] if cluster.context else [])


def serve(tenant: Tenant, **changes: Any) -> Service:
    """One replica of a model whose law is known."""
    spec = sleeper.spec(
        milliseconds=FIXED_MILLISECONDS,
        item_milliseconds=ITEM_MILLISECONDS,
        max_batch=MAX_BATCH,
        latency="300ms",
        replicas=1,
        **changes,
    )
    service = tenant.serve("ranker", spec)
    service.until_ready(replicas=1)
    return service


def jobs(tenant: Tenant) -> list[Any]:
    return tenant.api.select(JOB, namespace=tenant.namespace)


@contextmanager
def profiling(cluster: Cluster, tenant: Tenant) -> Iterator[subprocess.Popen[str]]:
    """The command while it measures."""
    # A shell starts what it puts into the background deaf to Ctrl-C, these tests and their children included.
    command = ["env", "--default-signal=INT", *words(cluster, tenant)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            until("the generator runs", lambda: _runs(tenant), within_seconds=90, shows=lambda: jobs(tenant))
            yield process
        finally:
            process.kill()


def _runs(tenant: Tenant) -> bool:
    pods = tenant.api.select(POD, namespace=tenant.namespace, labels="app.kubernetes.io/name=foretide-profile")
    states = [one["state"] for pod in pods for one in pod.get("status", {}).get("containerStatuses", ())]
    return any("running" in state for state in states)


@pytest.mark.timeout(400)
def test_a_known_law_is_found_beside_the_service(cluster: Cluster, tenant: Tenant, measured: Measured) -> None:
    service = serve(tenant)
    before = service.deployment()
    maps = len(tenant.api.select(CONFIG_MAP, namespace=tenant.namespace))
    options = ("--apply", "--open-seconds", "5", "-o", "json")
    done = subprocess.run(words(cluster, tenant, *options), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (Exit.OK, Exit.FOUND), done.stderr
    profile = json.loads(done.stdout)
    evidence = json.loads(profile["metadata"]["annotations"][EVIDENCE_ANNOTATION])
    for items, executions, milliseconds in evidence["batches"]:
        if executions >= 10:
            wanted = FIXED_MILLISECONDS + ITEM_MILLISECONDS * items
            measured.add(f"profile: a batch of {items}", f"{milliseconds:.1f} ms", bar=f"{wanted:g} ms +- 15 %")
            assert wanted <= milliseconds <= (1.0 + TOLERANCE) * wanted
    assert profile["spec"]["maxBatchSize"] == MAX_BATCH

    live = tenant.api.get(MODEL_PROFILE, profile["metadata"]["name"], namespace=tenant.namespace)
    assert live is not None
    assert live["spec"] == profile["spec"]
    # the service had a replica the more, and nobody noticed
    after = service.deployment()
    assert before is not None
    assert after is not None
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert len(tenant.api.select(CONFIG_MAP, namespace=tenant.namespace)) == maps
    until("the Job is gone", lambda: not jobs(tenant), within_seconds=60, shows=lambda: jobs(tenant))


@pytest.mark.timeout(300)
def test_ctrl_c_takes_the_pod_away(cluster: Cluster, tenant: Tenant) -> None:
    serve(tenant)
    with profiling(cluster, tenant) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == Exit.INTERRUPTED, said
    until("the Job is gone", lambda: not jobs(tenant), within_seconds=60, shows=lambda: jobs(tenant))


@pytest.mark.timeout(300)
def test_a_killed_plugin_leaves_a_job_that_is_bounded_and_goes_with_the_service(
    cluster: Cluster, tenant: Tenant
) -> None:
    serve(tenant)
    with profiling(cluster, tenant) as process:
        process.kill()
    (job,) = jobs(tenant)
    assert 0 < job["spec"]["activeDeadlineSeconds"] <= 1_800
    assert job["spec"]["ttlSecondsAfterFinished"] <= 600
    tenant.kubectl("delete", "inferenceservice", "ranker")
    until("the Job went with its service", lambda: not jobs(tenant), within_seconds=90, shows=lambda: jobs(tenant))


def test_a_pod_of_the_service_is_not_loaded_without_being_told_to(cluster: Cluster, tenant: Tenant) -> None:
    service = serve(tenant)
    (pod,) = service.pods()
    against = words(cluster, tenant, "--against", pod["metadata"]["name"])
    done = subprocess.run(against, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.MISTAKE
    assert "clients of ranker are sent to" in done.stderr
    assert jobs(tenant) == []
