"""The services of a run, and the same writes as the operator's from a loop that does nothing else."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import yaml

from e2e.cluster import Cluster
from foretide.adapters.resources import (
    CONFIG_MAP,
    HARDWARE_CLASS,
    INFERENCE_SERVICE,
    Object,
    Resource,
    resource_of,
)
from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.control.children import Manifests
from foretide.serving.manifests import ServingSettings, build

# As many as the operator's workers: what a burst of the same size from one client is.
AT_ONCE: Final = 16
CLASS: Final = "bench-cpu"
MANAGED: Final = f'"{group.MANAGED_BY_LABEL}": "{{}}"'
UID: Final = "00000000-0000-0000-0000-000000000000"
APPLY: Final = {"fieldManager": group.RECONCILE_MANAGER, "force": "true", "fieldValidation": "Strict"}


def hardware_class() -> dict[str, Any]:
    """The class that all services use."""
    return {
        "apiVersion": HARDWARE_CLASS.api_version,
        "kind": HARDWARE_CLASS.kind,
        "metadata": {"name": CLASS},
        "spec": {
            "family": "CPU",
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
            "triton": {"image": "nvcr.io/nvidia/tritonserver:26.07-py3"},
        },
    }


def service(number: int, namespace: str, *, latency: str = "100ms") -> dict[str, Any]:
    """A service like those of the quick start: a model from a bucket, an SLO, up to forty replicas."""
    return {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "metadata": {"name": f"ranker-{number}", "namespace": namespace},
        "spec": {
            "model": {
                "backend": "onnxruntime",
                "source": {"uri": f"s3://models/ranker-{number}"},
                "inputs": [{"name": "X", "dataType": "FP32", "shape": [128]}],
                "outputs": [{"name": "Y", "dataType": "FP32", "shape": [1]}],
                "maxBatchSize": 32,
            },
            "hardware": {"classes": [CLASS]},
            "slo": {"objective": "99", "latency": latency},
            "scaling": {"minReplicas": 1, "maxReplicas": 40},
        },
    }


def children(raw: Object) -> list[tuple[str, bytes]]:
    """Path and body of what the operator applies for a service, of an owner whose uid is `UID`."""
    whole = {**raw, "metadata": {**raw["metadata"], "uid": UID, "generation": 1}}
    read, on = parse.inference_service(whole), parse.hardware_class(hardware_class())
    if not isinstance(read, InferenceService) or not isinstance(on, HardwareClass):
        raise TypeError(f"the benchmark's own objects are refused: {read}, {on}")
    manifests = Manifests.of(build(read, on, settings=ServingSettings())).load()
    return [(_path(manifest), _disowned(manifest)) for manifest in manifests]


def _disowned(manifest: Object) -> bytes:
    """The same text, of a ConfigMap and, with its pods, of nobody's management."""
    (owner,) = manifest["metadata"]["ownerReferences"]
    owners = [{**owner, "apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind}]
    text = json.dumps({**manifest, "metadata": {**manifest["metadata"], "ownerReferences": owners}})
    return text.replace(MANAGED.format(group.MANAGED_BY), MANAGED.format("nobody")).encode()


def _path(manifest: Object) -> str:
    metadata = manifest["metadata"]
    return resource_of(manifest).path(namespace=metadata["namespace"], name=metadata["name"])


@dataclass(frozen=True, slots=True)
class Client:
    """HTTP to the API server as its administrator, with nothing in between."""

    session: aiohttp.ClientSession
    server: str

    async def send(self, method: str, path: str, body: bytes, *, kind: str, **query: str) -> dict[str, Any]:
        """Sends a body; raises for every refusal, for what is missing afterwards was not measured."""
        request = self.session.request(
            method, self.server + path, data=body, params=query, headers={"Content-Type": kind}
        )
        async with request as answer:
            told: dict[str, Any] = await answer.json()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status}: {told.get('message')}")
            return told

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """An object or a list."""
        async with self.session.get(self.server + path, params=query) as answer:
            answer.raise_for_status()
            told: dict[str, Any] = await answer.json()
            return told

    async def create(self, resource: Resource, raw: Object) -> None:
        """Creates a service."""
        path = resource.path(namespace=raw["metadata"]["namespace"])
        await self.send("POST", path, json.dumps(raw).encode(), kind="application/json")

    async def count(self, resource: Resource, namespace: str) -> int:
        """How many there are, for little."""
        page = await self.get(resource.path(namespace=namespace), limit="1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    async def select(self, resource: Resource, namespace: str) -> list[dict[str, Any]]:
        """All of the namespace."""
        found = await self.get(resource.path(namespace=namespace))
        return list(found["items"])


@asynccontextmanager
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    """The administrator's."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    folder = cluster.kubeconfig.parent
    tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    tls.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    connector = aiohttp.TCPConnector(ssl=tls, limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as session:
        yield Client(session, config["clusters"][0]["cluster"]["server"])


async def many(count: int, work: Callable[[int], Awaitable[None]]) -> float:
    """Does the work for each number, some at once; the seconds until all is done."""
    began = time.monotonic()
    left = iter(range(count))

    async def worker() -> None:
        for number in left:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return time.monotonic() - began


async def bare_loop(api: Client, count: int, namespace: str) -> float:
    """Creates an owner for each service and applies its children, rendered beforehand; the seconds it takes.

    The owner is a ConfigMap, so that no operator takes these children for its own.
    """
    raws = [service(number, namespace) for number in range(count)]
    rendered: Sequence[list[tuple[str, bytes]]] = [children(raw) for raw in raws]

    async def write(number: int) -> None:
        body = json.dumps({"metadata": raws[number]["metadata"]}).encode()
        made = await api.send("POST", CONFIG_MAP.path(namespace=namespace), body, kind="application/json")
        uid = made["metadata"]["uid"]
        for path, body in rendered[number]:
            apply = body.replace(UID.encode(), uid.encode())
            await api.send("PATCH", path, apply, kind="application/apply-patch+yaml", **APPLY)

    return await many(count, write)
