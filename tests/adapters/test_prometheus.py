"""The client of Prometheus, against a real HTTP server that answers as badly as one can."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from foretide.adapters import prometheus as module
from foretide.adapters.errors import Rejected, Unavailable
from foretide.adapters.prometheus import Pod, PrometheusApi
from foretide.api.reasons import Reason

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """One answer for every request."""

    daemon_threads = True
    answer: Answer
    queries: list[str]
    leave: threading.Event

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some of the tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.server.queries += (parse_qs(urlsplit(self.path).query) | parse_qs(body)).get("query", [])
        self.server.answer(self)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.queries, server.leave = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.leave.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrometheusApi]:
    monkeypatch.setattr(module, "QUERY_TIMEOUT_SECONDS", 0.2)
    client = PrometheusApi(server.url + "/")
    yield client
    client.close()


def answering(body: bytes | str | dict[str, Any], status: int = 200) -> Answer:
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def vector(*series: tuple[dict[str, Any], Any]) -> dict[str, Any]:
    result = [{"metric": metric, "value": [1_763_800_000.123, value]} for metric, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


POD = {"namespace": "shop", "pod": "ranker-0"}


async def test_samples_come_by_pod(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector((POD, "3.5"), ({"namespace": "bank", "pod": "ranker-0"}, "0")))
    assert await client.by_pod('sum by (namespace, pod) (rate(x{a="é"}[30s]))') == {
        Pod("shop", "ranker-0"): 3.5,
        Pod("bank", "ranker-0"): 0.0,
    }
    assert server.queries == ['sum by (namespace, pod) (rate(x{a="é"}[30s]))']


async def test_no_series_is_no_sample(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector())
    assert await client.by_pod("up") == {}


async def test_what_is_not_finite_is_handed_on_as_it_is(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector((POD, "NaN"), ({**POD, "pod": "b"}, "+Inf"), ({**POD, "pod": "c"}, "-Inf")))
    samples = await client.by_pod("up")
    assert math.isnan(samples[Pod("shop", "ranker-0")])
    assert (samples[Pod("shop", "b")], samples[Pod("shop", "c")]) == (math.inf, -math.inf)


async def test_series_of_others_are_passed_over(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector((POD, "1"), ({}, "9"), ({"namespace": "shop"}, "9"), ({"pod": "ranker-0"}, "9")))
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}


async def test_warnings_beside_an_answer_do_no_harm(server: Server, client: PrometheusApi) -> None:
    server.answer = answering({**vector((POD, "1")), "warnings": ["PromQL warning"], "infos": ["x"]})
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "null",
        "[]",
        '"x"',
        '{"status":"success"',
        {"status": "error", "errorType": "execution", "error": "query timed out"},
        {"status": "success", "data": None},
        {"status": "success", "data": {"resultType": "vector"}},
        {"status": "success", "data": {"resultType": "vector", "result": None}},
        {"status": "success", "data": {"resultType": "scalar", "result": [1_763_800_000, "1"]}},
        {"status": "success", "data": {"resultType": "string", "result": "x"}},
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": POD, "values": [[1, "2"]]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": None, "value": [1, "2"]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": "namespace pod", "value": 1}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": POD, "value": [1]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": POD, "value": {}}]}},
        vector((POD, "many")),
        vector((POD, None)),
        vector((POD, [])),
        vector((POD, 10**400)),
        vector(({"namespace": ["shop"], "pod": "x"}, "1")),
        "[" * 100_000,
        b"\xff\xfe\x00",
    ],
    ids=lambda body: str(body)[:60],
)
async def test_a_body_that_is_no_answer_is_malformed(
    server: Server, client: PrometheusApi, body: str | bytes | dict[str, Any]
) -> None:
    server.answer = answering(body)
    with pytest.raises(Rejected) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_MALFORMED


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refusal_is_rejected(server: Server, client: PrometheusApi, status: int) -> None:
    server.answer = answering({"status": "error", "errorType": "bad_data", "error": "secret " + "x" * 9000}, status)
    with pytest.raises(Rejected) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_REJECTED
    assert str(status) in str(raised.value)
    assert "secret" not in str(raised.value)  # an answer of another server never reaches a status


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_server_that_cannot_answer_now_is_asked_once_a_tick(
    server: Server, client: PrometheusApi, status: int
) -> None:
    server.answer = answering("<html>Bad Gateway</html>", status)
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_REJECTED
    assert str(raised.value) == f"HTTP Status Code {status}"
    assert server.queries == ["up"]


async def test_nobody_listens(server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = PrometheusApi(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(Unavailable) as raised:
            await client.by_pod("up")
        client.close()
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE
    assert "Connection refused" in str(raised.value)


async def test_a_name_that_does_not_exist_is_unreachable(server: Server) -> None:
    client = PrometheusApi("http://prometheus.invalid:9090")
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    client.close()
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE


async def test_a_connection_that_breaks_is_unreachable(server: Server, client: PrometheusApi) -> None:
    server.answer = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE


async def test_a_body_that_is_cut_off_is_unreachable(server: Server, client: PrometheusApi) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"status"')
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    server.answer = answer
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE


async def test_a_server_that_hangs_is_given_up(server: Server, client: PrometheusApi) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        server.leave.wait(5)

    server.answer = answer
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_TIMEOUT


async def test_a_server_that_sends_a_byte_now_and_then_is_given_up(server: Server, client: PrometheusApi) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not server.leave.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    server.answer = answer
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_TIMEOUT


async def test_a_proxy_of_the_environment_is_not_used(
    server: Server, client: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answer = answering(vector((POD, "1")))
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}
