"""A gate before Prometheus: it wants a credential, has TLS with a certificate of now, and repeats what it is sent."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any, Final

import httpx

TIMEOUT_SECONDS: Final = 10.0


class Gate(ThreadingHTTPServer):
    """A connection a request, so that each of them meets the certificate of its moment."""

    daemon_threads = True
    request_queue_size = 128  # of the default, 5, the sixth query of a tick is dropped and comes again a second later

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.behind: Final = behind
        self.wants = ""  # the Authorization header; without one everybody is let in
        self.tls: ssl.SSLContext | None = None
        self.connections = 0
        self.requests = 0  # that were said; of a client that ends TLS there is none

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket, Any]:
        connection, address = super().get_request()
        self.connections += 1
        connection.settimeout(TIMEOUT_SECONDS)
        if self.tls is not None:  # greeted by the thread of the request, or one client could keep out all others
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that do not trust it end the connection; that is what they are for."""


class _Request(BaseHTTPRequestHandler):
    server: Gate

    def do_POST(self) -> None:
        self.server.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        credentials = self.headers.get("Authorization", "")
        if self.server.wants not in ("", credentials):
            self._answer(401, "text/plain", f"not let in: {credentials}".encode())
            return
        kind = self.headers.get("Content-Type", "")
        url = f"{self.server.behind}{self.path}"
        try:
            with httpx.Client(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
                found = client.post(url, content=body, headers={"Content-Type": kind})
        except httpx.TransportError:
            return
        self._answer(found.status_code, found.headers["Content-Type"], found.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name is the library's
        """Nothing."""

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def gate(behind: str) -> Iterator[Gate]:
    """It stands inside `with`."""
    with Gate(behind) as server:
        thread = threading.Thread(target=server.serve_forever, name="gate", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
