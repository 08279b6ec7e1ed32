"""/livez, /readyz and /metrics over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from foretide.app.endpoint import Check, Endpoint
from foretide.app.metrics import SelfMetrics


class Health:
    """What the two checks say."""

    def __init__(self) -> None:
        self.alive: str | None = None
        self.ready: str | None = None


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def http(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    alive: Check = lambda: health.alive  # noqa: E731
    ready: Check = lambda: health.ready  # noqa: E731
    runner = await Endpoint(port=0, alive=alive, ready=ready, metrics=SelfMetrics().exposition).start()
    (port,) = (port for host, port, *_ in runner.addresses if host == "0.0.0.0")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
    await runner.cleanup()


async def test_a_healthy_operator_says_ok(http: httpx.AsyncClient) -> None:
    for path in ("/livez", "/readyz"):
        answer = await http.get(path)
        assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_a_sick_operator_says_why(http: httpx.AsyncClient, health: Health) -> None:
    health.alive = "no tick for 200 s (limit 90 s)"
    answer = await http.get("/livez")
    assert (answer.status_code, answer.text) == (503, "no tick for 200 s (limit 90 s)\n")
    assert (await http.get("/readyz")).status_code == 200
    health.alive, health.ready = None, "starting"
    assert (await http.get("/livez")).status_code == 200
    assert (await http.get("/readyz")).text == "starting\n"


async def test_metrics_are_in_prometheus_own_format(http: httpx.AsyncClient) -> None:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    for line in ("foretide_leader 0.0", "foretide_services 0.0", "foretide_scale_write_errors_total 0.0"):
        assert line in answer.text
    assert "process_resident_memory_bytes" in answer.text


async def test_nothing_else_is_served(http: httpx.AsyncClient) -> None:
    assert (await http.get("/")).status_code == 404
    assert (await http.post("/metrics")).status_code == 405
