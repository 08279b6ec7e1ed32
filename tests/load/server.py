"""A small HTTP server on loopback whose paths misbehave on purpose."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Server:
    """Counts the connections it got; `url` plus /ok, /slow, /silent, /refuse, /cut, /headless or /echo."""

    port: int = 0
    connections: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.answer(reader, writer)
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1]
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0].split(b":")[1]))
        if path == b"/slow":
            await asyncio.sleep(0.4)
        if path == b"/silent":
            await asyncio.sleep(30.0)
        status = b"503 Unavailable" if path == b"/refuse" else b"200 OK"
        content = body if path == b"/echo" else b"too busy" if path == b"/refuse" else b"fine"
        length = b"Content-Length: %d\r\n" % len(content) if path != b"/headless" else b""
        answer = b"HTTP/1.1 " + status + b"\r\n" + length + b"\r\n" + content
        writer.write(answer[:-2] if path == b"/cut" else answer)


@contextmanager
def serving() -> Iterator[Server]:
    """The server in a thread of its own, until the end of the block."""
    server, loop, up = Server(), asyncio.new_event_loop(), threading.Event()
    tasks: list[asyncio.Task[None]] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(loop.create_task(server.serve(reader, writer)))

    async def main() -> None:
        listening = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
        server.port = listening.sockets[0].getsockname()[1]
        stop = asyncio.Event()
        server_stop.append(stop)
        up.set()
        await stop.wait()
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # the closed transports let go of their sockets

    server_stop: list[asyncio.Event] = []
    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    up.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(server_stop[0].set)
        thread.join()
        loop.close()
