"""GET requests to Triton pods. What runs there is a user's: an answer costs so many bytes and so much time at most."""

from __future__ import annotations

import asyncio
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

from foretide.adapters.errors import Unavailable

REQUEST_TIMEOUT_SECONDS: Final = 2.0


class PodHttp:
    """One connection a call."""

    def __init__(self) -> None:
        self._client: Final = httpx.AsyncClient(
            # Triton counts an idle keep-alive connection as busy, and would wait for it through its whole exit timeout
            # when it is told to stop (measured: 8 s of 8 s).
            # A compressed answer could be a thousand times what was received.
            headers={"Connection": "close", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=REQUEST_TIMEOUT_SECONDS,
            trust_env=False,  # a proxy variable in the environment must not redirect cluster traffic
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none: a pod could fill the jar
            follow_redirects=False,  # the address is that of a pod of ours, and no pod may name another
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # never used; else httpx loads all authorities there are
        )

    async def get(self, url: str, *, accept: str, limit_bytes: int) -> bytes:
        """The body of the answer.

        Raises Unavailable, with one of five reasons: Timeout, Unreachable, Refused, TooLarge or Malformed.
        """
        try:
            # The outer limit holds against a pod that sends a byte now and then: httpx' own limit is per read.
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                return await self._body(url, accept, limit_bytes)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unavailable(f"{url}: no answer in {REQUEST_TIMEOUT_SECONDS:g} s", reason="Timeout") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{url}: {error!r}", reason="Unreachable") from error

    async def close(self) -> None:
        """Ends what is still open."""
        await self._client.aclose()

    async def _body(self, url: str, accept: str, limit_bytes: int) -> bytes:
        async with self._client.stream("GET", url, headers={"Accept": accept}) as answer:
            if answer.status_code != httpx.codes.OK:
                raise Unavailable(f"{url}: HTTP status {answer.status_code}", reason="Refused")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Unavailable(f"{url}: compressed, unasked", reason="Malformed")
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > limit_bytes:
                    raise Unavailable(f"{url}: more than {limit_bytes} bytes", reason="TooLarge")
            return bytes(body)
