"""/livez, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

# Whether the operator is well, and why not.
Check = Callable[[], str | None]
SHUTDOWN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The HTTP server for kubelet and Prometheus; `alive` and `ready` answer None or the reason why not, and `metrics`
    the text of /metrics."""

    port: int
    alive: Check
    ready: Check
    metrics: Callable[[], str]

    async def start(self) -> web.AppRunner:
        """Listens on all addresses; the caller cleans the returned runner up."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        await web.TCPSite(runner, port=self.port).start()
        return runner

    async def _livez(self, _: web.Request) -> web.Response:
        return _answer(self.alive())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self.ready())

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.metrics().encode(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answer(problem: str | None) -> web.Response:
    return web.Response(text="ok\n") if problem is None else web.Response(status=503, text=f"{problem}\n")
