"""One HTTP/1.1 request on one new connection, with as little work as Python allows.

The load shares two cores with the cluster it is sent to: 300 requests a second take 15 % of a core this way.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit


class BrokenAnswerError(Exception):
    """The connection ended, or sent something else, before a whole answer had come."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL on a loopback address of this machine."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """The target of an http URL; refuses every host that is not this machine's loopback."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url}: expected http://127.0.0.1:PORT/PATH")
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(
                f"{parts.hostname} is not a loopback address: load is sent only to this machine "
                "(use 127.0.0.1 and a NodePort, or kubectl port-forward for a remote cluster)"
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(host=host, port=parts.port or 80, path=path)


def request(target: Target, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The whole request as it goes over the wire: POST with a body, GET without."""
    lines = [f"{'POST' if body else 'GET'} {target.path} HTTP/1.1", f"Host: {target.host}:{target.port}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header of the request holds a line break")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Exchange(asyncio.Protocol):
    """Sends the request when connected and resolves `answer` when the whole answer is here."""

    def __init__(self, payload: bytes, answer: asyncio.Future[Answer]) -> None:
        self.payload = payload
        self.answer = answer
        self.received = bytearray()
        self.expected_bytes = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio types this parameter by its base class, and uvloop's transport is a subclass of nothing.
        cast(asyncio.Transport, transport).write(self.payload)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.expected_bytes < 0:
            head_end = self.received.find(b"\r\n\r\n")
            if head_end < 0:
                return
            self.status, self.headers = parse_head(bytes(self.received[:head_end]))
            if not self.headers.get("content-length", "").isdecimal():
                self.fail("an answer without Content-Length")
                return
            self.body_starts = head_end + 4
            self.expected_bytes = self.body_starts + int(self.headers["content-length"])
        if len(self.received) >= self.expected_bytes and not self.answer.done():
            body = bytes(self.received[self.body_starts : self.expected_bytes])
            self.answer.set_result(Answer(status=self.status, headers=self.headers, body=body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"connection lost after {len(self.received)} bytes ({exc or 'closed'})")

    def fail(self, message: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(BrokenAnswerError(message))


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer; status 0 for what is not HTTP."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    status = int(words[1]) if len(words) > 1 and words[0].startswith("HTTP/1.") and words[1].isdecimal() else 0
    pairs = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def exchange(target: Target, payload: bytes) -> Answer:
    """The answer to one request; OSError when there is no connection, BrokenAnswerError when it is cut."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()
    transport, _ = await loop.create_connection(lambda: Exchange(payload, answer), target.host, target.port)
    try:
        return await answer
    finally:
        transport.close()
