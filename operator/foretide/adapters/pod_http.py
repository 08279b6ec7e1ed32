"""GET requests to Triton pods. What runs there is a user's: an answer costs so many bytes and so much time at most.

By aiohttp, which takes 1.4 ms of processor time a request where httpx took 4.8.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from foretide.adapters.errors import Unavailable

REQUEST_TIMEOUT_SECONDS: Final = 2.0


class PodHttp:
    """One connection a call."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None  # made by the first request: it belongs to a running loop

    async def get(self, url: str, *, accept: str, limit_bytes: int) -> bytes:
        """The body of the answer.

        Raises Unavailable, with one of five reasons: Timeout, Unreachable, Refused, TooLarge or Malformed.
        """
        try:
            # Over all: it holds against a pod that sends a byte now and then, too.
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                return await self._body(url, accept, limit_bytes)
        except TimeoutError as error:
            raise Unavailable(f"{url}: no answer in {REQUEST_TIMEOUT_SECONDS:g} s", reason="Timeout") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"{url}: {error!r}", reason="Unreachable") from error

    async def close(self) -> None:
        """Ends what is still open."""
        if self._session is not None:
            await self._session.close()

    async def _body(self, url: str, accept: str, limit_bytes: int) -> bytes:
        if self._session is None:
            self._session = _session()
        async with self._session.get(
            url,
            headers={"Accept": accept},
            allow_redirects=False,  # the address is that of a pod of ours, and no pod may name another
        ) as answer:
            if answer.status != 200:
                raise Unavailable(f"{url}: HTTP status {answer.status}", reason="Refused")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Unavailable(f"{url}: compressed, unasked", reason="Malformed")
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > limit_bytes:
                    raise Unavailable(f"{url}: more than {limit_bytes} bytes", reason="TooLarge")
            return bytes(body)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # Triton counts an idle keep-alive connection as busy, and would wait for it through its whole exit timeout when
        # it is told to stop (measured: 8 s of 8 s).
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        headers={"Connection": "close", "Accept-Encoding": "identity"},
        auto_decompress=False,  # a compressed answer could be a thousand times what was received
        cookie_jar=aiohttp.DummyCookieJar(),  # a pod could fill a real one
        timeout=aiohttp.ClientTimeout(total=None),  # `get` has its own
        trust_env=False,  # a proxy variable in the environment must not redirect cluster traffic
    )
