"""One run of KServe's controller: the burst of services, on an API server of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.reconcile.burst import BURST, SETTLED_SECONDS, Say, children_made, plane_for, until, verbs
from bench.reconcile.fleet import Client, client, many
from bench.reconcile.kserve.manager import Manager, managing
from bench.reconcile.kserve.programs import ACCOUNT, NAMESPACE, RUNTIME, Built, install
from e2e.installed import account_token
from e2e.local_control_plane import ControlPlane
from e2e.scenarios import api
from foretide.adapters.resources import HORIZONTAL_POD_AUTOSCALER, Resource

INFERENCE_SERVICE: Final = Resource("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices")
USER: Final = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
# Its two clients send 20 requests a second each: a thousand services are many minutes.
LIMIT_SECONDS: Final = 7_200.0


@dataclass(frozen=True, slots=True)
class KServeRun:
    """What one run measured."""

    version: str
    services: int
    workers: int
    seconds_until_children: float
    seconds_until_ready: float
    cpu_ms_per_service: float  # until all are Ready and nothing moves
    memory_mib: float  # the most it ever had
    requests_per_service: float
    reconcile_p50_seconds: float
    reconcile_p99_seconds: float
    errors: int
    children: dict[str, float]  # of a service, by resource


def service(number: int, namespace: str) -> dict[str, Any]:
    """A service like Foretide's: a model from a bucket on Triton, up to forty replicas, by default with an HPA.

    What its webhook would fill in stands here.
    """
    model = {
        "modelFormat": {"name": "triton"},
        "protocolVersion": "v2",
        "runtime": RUNTIME,
        "storageUri": f"s3://models/ranker-{number}",
    }
    return {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "metadata": {"name": f"ranker-{number}", "namespace": namespace},
        "spec": {"predictor": {"minReplicas": 1, "maxReplicas": 40, "model": model}},
    }


async def measure(count: int, built: Built, *, say: Say) -> KServeRun:
    """A run with so many services, each with one pod."""
    with plane_for(count, audited_user=USER) as plane:
        install(plane.cluster, built.source)
        admin = api.Api(plane.cluster)
        admin.apply(api.NAMESPACE, {"metadata": {"name": BURST}})
        token = account_token(admin, NAMESPACE, ACCOUNT)
        admin.close()
        async with client(plane.cluster) as http:
            with managing(plane, built.manager, token) as manager:
                return await _burst(plane, http, manager, count, built.version, say=say)


async def _burst(
    plane: ControlPlane, http: Client, manager: Manager, count: int, version: str, *, say: Say
) -> KServeRun:
    await asyncio.sleep(SETTLED_SECONDS)
    idle_cpu, asked, began = manager.cpu_seconds(), len(plane.audited()), time.monotonic()

    async def create(number: int) -> None:
        await http.create(INFERENCE_SERVICE, service(number, BURST))

    async def has_children() -> bool:  # the last one that it writes
        return await http.count(HORIZONTAL_POD_AUTOSCALER, BURST) == count

    async def all_ready() -> bool:
        found = await http.select(INFERENCE_SERVICE, BURST)
        return len(found) == count and all(map(is_ready, found))

    creating = asyncio.create_task(many(count, create))
    applied = await until(began, 0.2, has_children, limit_seconds=LIMIT_SECONDS)
    await creating
    say(f"{count} services on KServe {version}: children after {applied:.1f} s")
    ready = await until(began, 3.0, all_ready, limit_seconds=LIMIT_SECONDS)
    await _settled(manager)
    cpu, requests, told = manager.cpu_seconds() - idle_cpu, plane.audited(asked), manager.told()
    say(f"{count} services on KServe {version}: Ready after {ready:.1f} s, {1e3 * cpu / count:.1f} ms of CPU a service")
    say(
        f"{count} services on KServe {version}: "
        + ", ".join(f"{what} {n / count:.1f}" for what, n in verbs(requests).most_common(14))
    )
    return KServeRun(
        version=version,
        services=count,
        workers=told.workers,
        seconds_until_children=applied,
        seconds_until_ready=ready,
        cpu_ms_per_service=1e3 * cpu / count,
        memory_mib=manager.peak_memory_mib(),
        requests_per_service=len(requests) / count,
        reconcile_p50_seconds=told.quantile(0.5),
        reconcile_p99_seconds=told.quantile(0.99),
        errors=told.errors,
        children=children_made(requests, count),
    )


def is_ready(raw: Mapping[str, Any]) -> bool:
    """Whether KServe says so."""
    conditions = raw.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def _settled(manager: Manager) -> None:
    """Waits until it reconciles nothing any more."""
    before = -1.0
    while (told := manager.told()).reconciles != before or told.busy:
        before = told.reconciles
        await asyncio.sleep(SETTLED_SECONDS)
