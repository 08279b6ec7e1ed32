"""The objects of a run, as an operator that was there before left them: services, children, replicas and memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from bench.ticks.loads import (
    FIXED_SECONDS,
    HARDWARE_CLASS,
    MAX_BATCH,
    PER_ITEM_SECONDS,
    SLO_LATENCY,
    Loads,
    name,
    namespace,
)
from foretide.adapters.errors import Conflict, Unavailable
from foretide.adapters.kubernetes import KubernetesApi
from foretide.adapters.resources import DEPLOYMENT, INFERENCE_SERVICE, Object
from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.control.children import Manifests
from foretide.control.recall import model_of
from foretide.scaling.capacity import BatchCounts, Evidence, learn
from foretide.scaling.journal import encode
from foretide.scaling.memory import Memory
from foretide.serving.manifests import ServingSettings, build

SERVICES_AT_ONCE: Final = 12
ATTEMPTS: Final = 20

Written = TypeVar("Written")


async def seed(api: KubernetesApi, loads: Loads) -> int:
    """Makes them all where the kinds and the namespaces are there; returns how many pods there are going to be."""
    hardware_class = parse.hardware_class(await api.create(_hardware_class()))
    if not isinstance(hardware_class, HardwareClass):
        raise TypeError(hardware_class.message)
    memory, replicas = _learned(len(loads)), loads.replicas(time.time()).tolist()
    gate = asyncio.Semaphore(SERVICES_AT_ONCE)

    async def one(service: int) -> None:
        async with gate:
            made = await _made(api, _service(service))
            await _serve(api, made, hardware_class, memory, service, replicas[service])

    async with asyncio.TaskGroup() as tasks:
        for service in range(len(loads)):
            tasks.create_task(one(service))
    return int(sum(replicas))


async def _serve(
    api: KubernetesApi, made: Object, hardware_class: HardwareClass, memory: Memory, service: int, replicas: int
) -> None:
    parsed = parse.inference_service(made)
    if not isinstance(parsed, InferenceService):
        raise TypeError(parsed.message)
    metadata = {which: made["metadata"][which] for which in ("namespace", "name", "uid")}
    text = encode(memory, service, uid=metadata["uid"], model=model_of(parsed, hardware_class))
    status = {"desiredReplicas": replicas, "memory": text}
    told = {"apiVersion": made["apiVersion"], "kind": made["kind"], "metadata": metadata, "status": status}
    await _again(partial(api.apply, told, manager=group.AUTOSCALE_MANAGER, subresource="status"))
    for manifest in Manifests.of(build(parsed, hardware_class, settings=ServingSettings())).load():
        child = await _again(partial(api.apply, manifest, manager=group.RECONCILE_MANAGER))
        if manifest["kind"] == DEPLOYMENT.kind and replicas != 1:
            with suppress(Conflict):  # it was done, and the answer was lost
                await _again(partial(api.scale, child, replicas=replicas, manager=group.AUTOSCALE_MANAGER))


async def _made(api: KubernetesApi, obj: Object) -> Object:
    with suppress(Conflict):
        return await _again(partial(api.create, obj))
    found = await api.get(INFERENCE_SERVICE, **obj["metadata"])
    if found is None:
        raise LookupError(f"{obj['metadata']['name']} is there, and is not")
    return found


async def _again(write: Callable[[], Awaitable[Written]]) -> Written:
    """An API server gives addresses to new Services one after the other, and others wait longer than an answer may."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await write()
        except Unavailable:
            await asyncio.sleep(1.0)
    return await write()


def _hardware_class() -> dict[str, Any]:
    return {
        "apiVersion": group.API_VERSION,
        "kind": group.HARDWARE_CLASS_KIND,
        "metadata": {"name": HARDWARE_CLASS},
        "spec": {
            "family": "CPU",
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
            "triton": {"image": "nvcr.io/nvidia/tritonserver:24.10-py3"},
            "cost": {"perHour": "0.17", "currency": "USD"},
        },
    }


def _service(service: int) -> dict[str, Any]:
    return {
        "apiVersion": group.API_VERSION,
        "kind": group.INFERENCE_SERVICE_KIND,
        "metadata": {"namespace": namespace(service), "name": name(service)},
        "spec": {
            "model": {"backend": "python", "source": {"configMap": {"name": "code"}}, "maxBatchSize": MAX_BATCH},
            "hardware": {"classes": [HARDWARE_CLASS]},
            "slo": {"objective": "99", "latency": SLO_LATENCY},
            "scaling": {"minReplicas": 1, "maxReplicas": 100},
        },
    }


def _learned(services: int) -> Memory:
    """Batch times, as an hour of readings teaches them."""
    sizes = np.tile(np.arange(1, MAX_BATCH + 1), services)
    executions = np.full(len(sizes), 100.0)
    counts = BatchCounts(
        service=np.repeat(np.arange(services), MAX_BATCH),
        batch_size=sizes,
        executions=executions,
        seconds=executions * (FIXED_SECONDS + PER_ITEM_SECONDS * sizes),
    )
    return replace(Memory.fresh(services), evidence=learn(Evidence.none(services), counts))
