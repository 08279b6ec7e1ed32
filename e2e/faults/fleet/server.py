"""The process of the fleet: for each pod a port for metrics and one for statistics, and one to be told what to do."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from e2e.faults.fleet.behaviour import Behaviour
from e2e.faults.fleet.kubelet import Key, Kubelet, Pod
from foretide.serving.naming import HTTP_PORT, METRICS_PORT


class Server:
    """All pods, and how those of each service behave."""

    def __init__(self, session: aiohttp.ClientSession, network: str) -> None:
        self._behaviours: dict[Key, Behaviour] = {}
        self.kubelet: Final = Kubelet(session, network, self.behaviour, self._open, self._close)
        self._runners: dict[Pod, web.AppRunner] = {}
        self._frozen: dict[Pod, str] = {}

    def behaviour(self, key: Key) -> Behaviour:
        return self._behaviours.get(key, Behaviour())

    def control(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.put("/services/{namespace}/{name}", self._behave),
                web.post("/services/{namespace}/{name}/restart", self._restart),
                web.get("/targets", self._targets),
                web.get("/pods", self._list),
            ]
        )
        return app

    def _of(self, key: Key) -> list[Pod]:
        return [pod for pod in self.kubelet.pods.values() if pod.key == key]

    def _advance(self, key: Key) -> None:
        """All pods of a service at once: what one does not get the others do."""
        behaviour, now = self.behaviour(key), time.time()
        pods = self._of(key)
        serving = [pod for pod in pods if pod.ready]
        for pod in pods:
            rate = behaviour.rate_rps / len(serving) if pod.ready else 0.0
            pod.counters.advance(now, rate, behaviour)

    async def _behave(self, request: web.Request) -> web.Response:
        key = request.match_info["namespace"], request.match_info["name"]
        self._advance(key)
        behaviour = Behaviour.of_json(await request.json())
        self._behaviours[key] = behaviour
        for pod in self._of(key):
            if not behaviour.frozen:
                self._frozen.pop(pod, None)
            if behaviour.deaf:
                await self._closed(pod)
            elif pod.ready:
                await self._open(pod)
        return web.json_response({})

    async def _restart(self, request: web.Request) -> web.Response:
        key = request.match_info["namespace"], request.match_info["name"]
        self._advance(key)
        for pod in self._of(key):
            if pod.ready:
                self.kubelet.restart(pod)
        return web.json_response({})

    async def _targets(self, request: web.Request) -> web.Response:
        """For Prometheus, which keeps the labels."""
        del request
        found = []
        for pod in self.kubelet.pods.values():
            for way in ("podmonitor", "annotations")[: 2 if self.behaviour(pod.key).twice else 1]:
                labels = {"namespace": pod.namespace, "pod": pod.name, "way": way}
                found.append({"targets": [f"{pod.address}:{METRICS_PORT}"], "labels": labels})
        return web.json_response(found)

    async def _list(self, request: web.Request) -> web.Response:
        del request
        return web.json_response([[pod.namespace, pod.name, pod.ready] for pod in self.kubelet.pods.values()])

    async def _open(self, pod: Pod) -> None:
        if pod in self._runners or self.behaviour(pod.key).deaf:
            return

        async def metrics(_: web.Request) -> web.Response:
            behaviour = self.behaviour(pod.key)
            if behaviour.leads_to:
                return _elsewhere(behaviour)
            place = sorted(one.name for one in self._of(pod.key) if one.ready or one is pod).index(pod.name)
            if place < behaviour.unscraped:
                return web.Response(status=500)
            if place < behaviour.unloaded:
                behaviour = replace(behaviour, absent=("all",))
            if behaviour.frozen and pod in self._frozen:
                return web.Response(text=self._frozen[pod])
            self._advance(pod.key)
            self._frozen[pod] = pod.counters.text(behaviour)
            return web.Response(text=self._frozen[pod])

        async def statistics(_: web.Request) -> web.Response:
            self._advance(pod.key)
            behaviour = self.behaviour(pod.key)
            if behaviour.leads_to:
                return _elsewhere(behaviour)
            return web.json_response(pod.counters.statistics(behaviour))

        app = web.Application()
        app.add_routes([web.get("/metrics", metrics), web.get("/v2/models/{model}/stats", statistics)])
        self._runners[pod] = runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        for port in (METRICS_PORT, HTTP_PORT):
            await web.TCPSite(runner, pod.address, port).start()

    def _close(self, pod: Pod) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._closed(pod))

    async def _closed(self, pod: Pod) -> None:
        self._frozen.pop(pod, None)
        if (runner := self._runners.pop(pod, None)) is not None:
            with suppress(OSError):
                await runner.cleanup()


def _elsewhere(behaviour: Behaviour) -> web.Response:
    return web.Response(status=307, headers={"Location": behaviour.leads_to})


async def serve(arguments: argparse.Namespace) -> None:
    """Runs until it is killed."""
    context = ssl.create_default_context(cafile=str(arguments.keys / "ca.crt"))
    context.load_cert_chain(arguments.keys / "admin.crt", arguments.keys / "admin.key")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
    connector: Any = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(arguments.kubernetes, connector=connector, timeout=timeout) as session:
        server = Server(session, arguments.network)
        runner = web.AppRunner(server.control(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", arguments.port).start()
        await server.kubelet.run()


def main() -> None:
    parser = argparse.ArgumentParser("python -m e2e.faults.fleet.server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--network", required=True, help="the first three numbers of the pods' addresses")
    parser.add_argument("--kubernetes", required=True, help="URL of the API server")
    parser.add_argument("--keys", type=Path, required=True, help="folder of the control plane's certificates")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
