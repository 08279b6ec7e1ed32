"""A real HTTP server in place of Prometheus, which answers as badly as one can."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

ANSWERED_AT: Final = 1_763_800_000.123  # by the clock of this Prometheus
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """One answer for every request."""

    daemon_threads = True
    request_queue_size = 128  # of the default, 5, the sixth query of a tick is dropped and comes again a second later
    answer: Answer
    queries: list[str]
    forms: list[dict[str, list[str]]]  # all parameters of each request
    seen: list[Mapping[str, str]]  # headers of each request
    leave: threading.Event
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """With TLS here and not in get_request: a handshake that hangs or fails must not stop the server."""
        if self.tls is None:
            super().finish_request(request, client_address)
        else:
            with self.tls.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some of the tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        form = parse_qs(urlsplit(self.path).query) | parse_qs(body)
        self.server.queries += form.get("query", [])
        self.server.forms.append(form)
        self.server.seen.append(dict(self.headers))
        self.server.answer(self)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Quiet."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on a free port."""
    server = Server(("127.0.0.1", 0), Handler)
    server.queries, server.forms, server.seen, server.leave, server.tls = [], [], [], threading.Event(), tls
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.leave.set()
        server.shutdown()
        server.server_close()
        thread.join()


def answering(body: bytes | str | dict[str, Any], status: int = 200, **headers: str) -> Answer:
    """Header names are written with underscores."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def vector(*series: tuple[dict[str, Any], Any]) -> dict[str, Any]:
    """The answer of an instant query."""
    result = [{"metric": metric, "value": [ANSWERED_AT, value]} for metric, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def matrix(*series: tuple[dict[str, Any], list[Any]]) -> dict[str, Any]:
    """The answer of a range query."""
    result = [{"metric": metric, "values": values} for metric, values in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}
