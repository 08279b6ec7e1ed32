"""Stands for the nodes of the run: `python -m bench.ticks.nodes`, with KUBECONFIG set.

As the kubelets do, it tells the API server that each pod is ready; as the Tritons in them do, it shows the metrics and
the statistics of the load of the moment. Every address of the pods is this process's own (`ip route add local`).
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import uvloop
from aiohttp import web
from kubernetes.aio import client, config

from bench.ticks.loads import FIXED_SECONDS, MAX_BATCH, PER_ITEM_SECONDS, Loads, name, namespace
from foretide.adapters.errors import AdapterError
from foretide.adapters.kubernetes import KubernetesApi, connect
from foretide.adapters.resources import POD, Object
from foretide.api import group
from foretide.serving.naming import HTTP_PORT, METRICS_PORT

POD_NETWORK: Final = ipaddress.IPv4Network("10.64.0.0/12")
EXPORTER_PORT: Final = 9100
# Of the exporter: each is scraped at a moment of its own.
SHARDS: Final = 20
WRITES_AT_ONCE: Final = 16
FAILURES: Final = ("REJECTED", "CANCELED", "BACKEND", "OTHER")
# Of the latencies of a Triton that is well, in microseconds.
SUMMARY: Final = {0.5: 60e3, 0.9: 110e3, 0.95: 130e3, 0.99: 170e3, 0.995: 190e3, 0.999: 230e3, 0.9999: 240e3}


@dataclass(slots=True)
class Server:
    """One pod."""

    pod: str
    uid: str
    service: int
    address: str
    requests: float = 0.0
    lines: tuple[str, ...] = field(default=())  # of its series, up to their values


@dataclass(slots=True)
class Fleet:
    """All pods that are ready, by service."""

    loads: Loads
    by_service: dict[int, dict[str, Server]] = field(default_factory=lambda: defaultdict(dict))
    by_address: dict[str, Server] = field(default_factory=dict)
    counted_at: dict[int, float] = field(default_factory=dict)
    addresses: Iterator[ipaddress.IPv4Address] = field(default_factory=POD_NETWORK.hosts)

    def add(self, pod: Object) -> Server:
        metadata = pod["metadata"]
        service = int(metadata["labels"][group.SERVICE_LABEL].removeprefix("s"))
        known = self.by_service[service].get(metadata["uid"])
        if known is not None:
            return known
        self.count(service)
        address = pod.get("status", {}).get("podIP") or str(next(self.addresses))
        server = Server(metadata["name"], metadata["uid"], service, address)
        server.lines = tuple(_series(server))
        self.by_service[service][server.uid] = server
        self.by_address[address] = server
        return server

    def remove(self, pod: Object) -> None:
        metadata = pod["metadata"]
        service = int(metadata["labels"][group.SERVICE_LABEL].removeprefix("s"))
        self.count(service)
        server = self.by_service[service].pop(metadata["uid"], None)
        if server is not None:
            self.by_address.pop(server.address, None)

    def count(self, service: int) -> None:
        """The requests since the last look, in equal parts."""
        now = time.time()
        seconds = now - self.counted_at.get(service, now)
        self.counted_at[service] = now
        servers = self.by_service[service].values()
        if servers:
            each = float(self.loads.rate_rps([now])[service, 0]) * seconds / len(servers)
            for server in servers:
                server.requests += each

    def exposition(self, services: range) -> str:
        """The metrics of all pods of these services."""
        lines: list[str] = []
        for service in services:
            self.count(service)
            for server in self.by_service[service].values():
                lines += _lines(server)
        return "\n".join((*lines, ""))


def _series(server: Server) -> Iterator[str]:
    """Of what Triton tells of a model, that which the operator reads."""
    place = f'namespace="{namespace(server.service)}",pod="{server.pod}"'
    own = f'model="{name(server.service)}",version="1",{place}'
    for counter in ("request_success", "count", "exec_count", "request_duration_us", "pending_request_count"):
        yield f"nv_inference_{counter}{{{own}}}"
    for reason in FAILURES:
        yield f'nv_inference_request_failure{{{own},reason="{reason}"}}'
    for quantile in SUMMARY:
        yield f'nv_inference_request_summary_us{{{own},quantile="{quantile}"}}'


def _lines(server: Server) -> Iterator[str]:
    served = int(server.requests)
    values = (served, served, served // 3, served * 80_000, 1, *[0] * len(FAILURES), *SUMMARY.values())
    return (f"{line} {value}" for line, value in zip(server.lines, values, strict=True))


def _statistics(server: Server) -> str:
    """What `v2/models/.../stats` says: as many batches of each size."""
    batches = []
    for size in range(1, MAX_BATCH + 1):
        count = int(server.requests / sum(range(1, MAX_BATCH + 1)))
        seconds = count * (FIXED_SECONDS + PER_ITEM_SECONDS * size)
        phases = {"compute_input": 0.01, "compute_infer": 0.98, "compute_output": 0.01}
        told = {phase: {"count": count, "ns": int(share * seconds * 1e9)} for phase, share in phases.items()}
        batches.append({"batch_size": size, **told})
    return json.dumps({"model_stats": [{"name": name(server.service), "version": "1", "batch_stats": batches}]})


def _ready(server: Server, pod: Object) -> dict[str, Any]:
    """The status as a kubelet would write it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    (container,) = pod["spec"]["containers"]
    return {
        "apiVersion": POD.api_version,
        "kind": POD.kind,
        "metadata": {"namespace": namespace(server.service), "name": server.pod, "uid": server.uid},
        "status": {
            "phase": "Running",
            "podIP": server.address,
            "podIPs": [{"ip": server.address}],
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": f"{container['image']}@sha256:{'0' * 64}",
                    "containerID": f"containerd://{'0' * 64}",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": now}},
                }
            ],
        },
    }


async def _watch(api_client: client.ApiClient, fleet: Fleet, queue: asyncio.Queue[Object]) -> None:
    """All pods of the run, until cancelled; what a break of the watch hid is in the next list."""
    while True:
        try:
            async for kind, pod in _events(api_client):
                if kind == "DELETED" or "deletionTimestamp" in pod["metadata"]:
                    fleet.remove(pod)
                elif kind == "ADDED":
                    queue.put_nowait(pod)
        except (AdapterError, OSError, TimeoutError, ValueError):
            await asyncio.sleep(1.0)


async def _events(api_client: client.ApiClient) -> AsyncIterator[tuple[str, Object]]:
    core = client.CoreV1Api(api_client)
    # Without a resourceVersion a watch begins with all that there is.
    answer = await core.list_pod_for_all_namespaces_without_preload_content(watch=True, _request_timeout=3_600)
    while line := await answer.content.readline():
        event = json.loads(line)
        yield event["type"], event["object"]


async def _tell(api: KubernetesApi, fleet: Fleet, queue: asyncio.Queue[Object]) -> None:
    while True:
        pod = await queue.get()
        server = fleet.add(pod)
        if "podIP" in pod.get("status", {}):
            continue
        try:
            await api.apply(_ready(server, pod), manager="kubelet", subresource="status")
        except AdapterError:
            fleet.remove(pod)  # it is gone, or the next watch shows it again


async def _serve(fleet: Fleet) -> None:
    services = len(fleet.loads)

    async def shard(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.Response(text=fleet.exposition(range(number, services, SHARDS)))

    async def statistics(request: web.Request) -> web.Response:
        server = fleet.by_address.get(request.host.rpartition(":")[0])
        if server is None:
            raise web.HTTPNotFound
        fleet.count(server.service)
        return web.Response(text=_statistics(server), content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        server = fleet.by_address.get(request.host.rpartition(":")[0])
        if server is None:
            raise web.HTTPNotFound
        fleet.count(server.service)
        return web.Response(text="\n".join((*_lines(server), "")))

    for port, path, handler in (
        (EXPORTER_PORT, "/shard/{number}", shard),
        (HTTP_PORT, "/v2/models/{model}/stats", statistics),
        (METRICS_PORT, "/metrics", metrics),
    ):
        app = web.Application()
        app.router.add_get(path, handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port).start()


async def _run(services: int) -> None:
    fleet: Fleet = Fleet(Loads.of(services))
    queue: asyncio.Queue[Object] = asyncio.Queue()
    configuration = client.Configuration()
    await config.load_kube_config(client_configuration=configuration)
    async with connect() as api, client.ApiClient(configuration) as watching, asyncio.TaskGroup() as group_of_tasks:
        await _serve(fleet)
        group_of_tasks.create_task(_watch(watching, fleet, queue))
        for _ in range(WRITES_AT_ONCE):
            group_of_tasks.create_task(_tell(api, fleet, queue))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ticks.nodes")
    parser.add_argument("services", type=int)
    uvloop.run(_run(parser.parse_args().services))


if __name__ == "__main__":
    main()
