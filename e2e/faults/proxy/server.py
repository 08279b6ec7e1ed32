"""The proxy's process: one port for each server behind it, and one to be told the rules."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from e2e.faults.proxy.rules import Active, Fault, Rule
from e2e.faults.proxy.transforms import changed

# Of the connection, not of the message (RFC 9110, 7.6.1); and what the proxy says itself.
HOP: Final = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"})
LARGEST_BODY: Final = 64 * 2**20
CHUNK: Final = 2**20
# The moment of a question, which every repetition has another of.
MOMENT: Final = re.compile(r"(?:^|&|\?)(?:time|timeout)=[^&]*")


@dataclass(slots=True)
class Upstream:
    """A server, what is done to its answers, and what it answered last to each question."""

    name: str
    url: str
    session: aiohttp.ClientSession
    active: list[Active] = field(default_factory=list)
    requests: int = 0
    answers: dict[tuple[str, str, str], tuple[int, dict[str, str], bytes]] = field(default_factory=dict)

    def rule(self, method: str, path: str, body: str) -> Rule | None:
        """The first rule that hits."""
        return next((one.rule for one in self.active if one.hits(method, path, body)), None)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request of the operator; with nobody behind the proxy there is nobody at the proxy either."""
        self.requests += 1
        try:
            return await self._answer(request)
        except (aiohttp.ClientError, OSError):
            return _cut(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        text = body.decode(errors="replace")
        rule = self.rule(request.method, request.path_qs, text)
        if rule is not None and (answer := await _instead(request, rule)) is not None:
            return answer
        if "watch=true" in request.query_string or "watch=1" in request.query_string:
            return await self._stream(request, body, rule)
        question = (request.method, MOMENT.sub("", request.path_qs), MOMENT.sub("", text))
        if rule is not None and rule.fault is Fault.REPLAY and question in self.answers:
            status, headers, data = self.answers[question]
            return web.Response(status=status, headers=headers, body=data)
        async with self._forwarded(request, body) as found:
            status, headers, data = found.status, _end_to_end(found.headers), await found.read()
        if not any(one.rule.fault is Fault.REPLAY for one in self.active):
            self.answers[question] = status, headers, data
        return await _hurt(request, rule, status, headers, data)

    async def _stream(self, request: web.Request, body: bytes, first: Rule | None) -> web.StreamResponse:
        """A watch, line by line; what is asked of it is asked of each new rule at each line."""
        async with self._forwarded(request, body) as answer:
            response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers))
            await response.prepare(request)
            number = 0
            async for line in answer.content:
                number += 1
                found = self.rule(request.method, request.path_qs, "") or first
                fault = None if found is None else found.fault
                if fault is Fault.FREEZE:
                    # Until the other side gives up: the rule may be gone by then, the stream stays dead.
                    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
                        await asyncio.sleep(0.2)
                    return response
                if fault is Fault.GARBLE:
                    await response.write(b"{this is no event}\n" + line[: len(line) // 2])
                    await asyncio.sleep(0.05)  # or it is thrown away with the connection
                    return _cut(request)
                if found is not None and fault is Fault.TRUNCATE:
                    await response.write(line[: found.bytes])
                    break
                if fault is Fault.SWALLOW and number % 2:
                    continue
                if found is not None and fault is Fault.REWRITE:
                    line = changed(found.transform, found.number, line)
                await response.write(line)
            await response.write_eof()
            return response

    def _forwarded(self, request: web.Request, body: bytes) -> Any:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in (*HOP, "host")}
        headers["Accept-Encoding"] = "identity"
        return self.session.request(
            request.method, f"{self.url}{request.path_qs}", headers=headers, data=body or None, allow_redirects=False
        )


async def _instead(request: web.Request, rule: Rule) -> web.StreamResponse | None:
    """The answer to a request that is not forwarded; None for those that are, now or a little later."""
    if rule.fault is Fault.DELAY:
        await asyncio.sleep(rule.seconds)
    elif rule.fault is Fault.ANSWER:
        return web.Response(status=rule.status, headers=dict(rule.headers), text=rule.text)
    elif rule.fault is Fault.DROP:
        return _cut(request)
    elif rule.fault in (Fault.HUGE, Fault.BOMB, Fault.TRICKLE):
        return await _endless(request, rule)
    return None


async def _hurt(
    request: web.Request, rule: Rule | None, status: int, headers: dict[str, str], data: bytes
) -> web.StreamResponse:
    """What becomes of a true answer."""
    if rule is not None and rule.fault is Fault.LATE:
        await asyncio.sleep(rule.seconds)
    if rule is not None and rule.fault is Fault.LOSE:
        return _cut(request)
    if rule is not None and rule.fault is Fault.TRUNCATE:
        return await _truncated(request, status, headers, data, rule.bytes)
    if rule is not None and rule.fault is Fault.REWRITE and status < 300:
        data = changed(rule.transform, rule.number, data)
    return web.Response(status=status, headers=headers, body=data)


def _end_to_end(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP}


def _cut(request: web.Request) -> web.Response:
    """The connection ends without a word more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _truncated(
    request: web.Request, status: int, headers: dict[str, str], data: bytes, size: int
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(data))})
    await response.prepare(request)
    await response.write(data[:size])
    await asyncio.sleep(0.05)  # or the part that is sent is thrown away with the connection
    return _cut(request)


async def _endless(request: web.Request, rule: Rule) -> web.StreamResponse:
    """An answer that is more than anybody wants."""
    headers = {"Content-Type": "application/json"}
    if rule.fault is Fault.BOMB:
        headers["Content-Encoding"] = "gzip"
    response = web.StreamResponse(status=200, headers=headers)
    await response.prepare(request)
    async for part in _parts(rule):
        await response.write(part)
    await response.write_eof()
    return response


async def _parts(rule: Rule) -> AsyncIterator[bytes]:
    if rule.fault is Fault.TRICKLE:
        for letter in b'{"status":"success","data":{"resultType":"vector","result":[]}}':
            yield bytes([letter])
            await asyncio.sleep(1.0)
        return
    whole = b'{"status":"success","data":"' + b" " * rule.bytes
    if rule.fault is Fault.BOMB:
        yield gzip.compress(whole, compresslevel=9)
        return
    for start in range(0, len(whole), CHUNK):
        yield whole[start : start + CHUNK]


def _control(upstreams: dict[str, Upstream]) -> web.Application:
    async def add(request: web.Request) -> web.Response:
        upstreams[request.match_info["name"]].active.append(Active(Rule.of_json(await request.json())))
        return web.json_response({})

    async def clear(request: web.Request) -> web.Response:
        del request
        for one in upstreams.values():
            one.active.clear()
        return web.json_response({})

    async def counts(request: web.Request) -> web.Response:
        one = upstreams[request.match_info["name"]]
        hurt = [{"fault": rule.rule.fault, "matched": rule.matched, "hurt": rule.hurt} for rule in one.active]
        return web.json_response({"requests": one.requests, "rules": hurt})

    app = web.Application()
    routes = [web.post("/{name}", add), web.delete("/", clear), web.get("/{name}", counts)]
    app.add_routes(routes)
    return app


async def serve(arguments: argparse.Namespace) -> None:
    """Runs until it is killed."""
    to_api = ssl.create_default_context(cafile=str(arguments.keys / "ca.crt"))
    as_api = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    as_api.load_cert_chain(arguments.keys / "apiserver.crt", arguments.keys / "apiserver.key")
    forever = aiohttp.ClientTimeout(total=None)
    connectors = {"kubernetes": aiohttp.TCPConnector(ssl=to_api, limit=0), "prometheus": aiohttp.TCPConnector(limit=0)}
    urls = {"kubernetes": arguments.kubernetes, "prometheus": arguments.prometheus}
    upstreams = {
        name: Upstream(
            name, urls[name], aiohttp.ClientSession(connector=connector, timeout=forever, auto_decompress=False)
        )
        for name, connector in connectors.items()
    }
    ports = (arguments.kubernetes_port, arguments.prometheus_port)
    for (name, upstream), port in zip(upstreams.items(), ports, strict=True):
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", upstream.handle)
        await _listen(app, port, as_api if name == "kubernetes" else None)
    await _listen(_control(upstreams), arguments.control_port, None)
    await asyncio.Event().wait()


async def _listen(app: web.Application, port: int, context: ssl.SSLContext | None) -> None:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()


def main() -> None:
    parser = argparse.ArgumentParser("python -m e2e.faults.proxy.server")
    for name in ("kubernetes-port", "prometheus-port", "control-port"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--kubernetes", required=True, help="URL of the API server")
    parser.add_argument("--prometheus", required=True, help="URL of Prometheus")
    parser.add_argument("--keys", type=Path, required=True, help="folder of the control plane's certificates")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
