"""Metrics straight from a Triton pod: where the load is read while Prometheus gives no answer.

The other side runs a user's model: whatever it sends costs no more than two megabytes and a tenth of a second.
"""

from __future__ import annotations

import asyncio
import math
import re
import ssl
from collections import defaultdict
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, Protocol

import httpx
from prometheus_client.parser import text_string_to_metric_families

from foretide.adapters.errors import Unavailable
from foretide.adapters.triton_metrics import METRICS, SERIES_LABELS
from foretide.scaling.policy import Quantity

REQUEST_TIMEOUT_SECONDS: Final = 2.0
# Twenty models make 19 kB of text.
BODY_LIMIT_BYTES: Final = 2 * 2**20
# Of our lines, in characters: two versions of a model on eight GPUs make 20,000. The parser needs 40 ms for as many
# plain ones, 90 ms for the worst of all; its time grows with the square of a line.
TEXT_LIMIT: Final = 64_000
LINE_LIMIT: Final = 1_000

# Only our lines reach the parser: for all of a model it takes 2.4 ms, for these 0.5.
_OURS: Final = re.compile(rf"^(?:{'|'.join(metric.name for metric in METRICS.values())})[{{ \t].*$", re.MULTILINE)


class Scraper(Protocol):
    """What the operator asks of a pod's metrics port."""

    async def scrape(self, *, address: str, model: str) -> Mapping[Quantity, float]:
        """What the pod tells of that model now; a quantity that it does not tell is absent.

        Raises Unavailable, with one of five reasons: Timeout, Unreachable, Refused, TooLarge or Malformed.
        """
        ...


class ScrapeHttp:
    """`Scraper` over HTTP, one connection a call."""

    def __init__(self) -> None:
        self._client: Final = httpx.AsyncClient(
            # Triton counts an idle keep-alive connection as busy, and would wait for it when it is told to stop.
            # A compressed answer could be a thousand times what was received.
            headers={"Connection": "close", "Accept": "text/plain", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=REQUEST_TIMEOUT_SECONDS,
            trust_env=False,  # a proxy variable in the environment must not redirect cluster traffic
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none: a pod could fill the jar
            follow_redirects=False,  # the address is that of a pod of ours, and no pod may name another
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # never used; else httpx loads all authorities there are
        )

    async def scrape(self, *, address: str, model: str) -> Mapping[Quantity, float]:
        try:
            # The outer limit holds against a pod that sends a byte now and then: httpx' own limit is per read.
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                body = await self._body(f"http://{address}/metrics")
        except (TimeoutError, httpx.TimeoutException) as error:
            message = f"metrics of {address}: no answer in {REQUEST_TIMEOUT_SECONDS:g} s"
            raise Unavailable(message, reason="Timeout") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"metrics of {address}: {error!r}", reason="Unreachable") from error
        try:
            return quantities(body.decode(), model=model)
        # IndexError is the parser's own word for a label of nothing; OverflowError is a number of 400 digits.
        except (ValueError, LookupError, OverflowError) as error:
            raise Unavailable(f"metrics of {address} not understood: {error!r}", reason="Malformed") from error

    async def close(self) -> None:
        """Ends what is still open."""
        await self._client.aclose()

    async def _body(self, url: str) -> bytes:
        async with self._client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise Unavailable(f"{url}: HTTP status {answer.status_code}", reason="Refused")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Unavailable(f"{url}: compressed, unasked", reason="Malformed")
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > BODY_LIMIT_BYTES:
                    raise Unavailable(f"{url}: more than {BODY_LIMIT_BYTES} bytes", reason="TooLarge")
            return bytes(body)


def quantities(text: str, *, model: str) -> dict[Quantity, float]:
    """What the text says of a model, over its versions, failure reasons and GPUs.

    A quantity of which one series is NaN or infinite is absent, like one without series: the rest of them would read
    as less load. Raises ValueError, LookupError or OverflowError for text that is none, Unavailable for too much.
    """
    lines = _OURS.findall(text)
    if sum(map(len, lines)) > TEXT_LIMIT or any(len(line) > LINE_LIMIT for line in lines):
        message = f"series of more than {TEXT_LIMIT} characters, or one of more than {LINE_LIMIT}"
        raise Unavailable(message, reason="TooLarge")
    series: dict[str, dict[tuple[str, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for family in text_string_to_metric_families("\n".join(lines)):
        for sample in family.samples:
            if sample.labels.get("model") == model:
                which = tuple(sample.labels.get(label, "") for label in SERIES_LABELS)
                series[sample.name][which].append(float(sample.value))
    found = {}
    for quantity, metric in METRICS.items():
        values = series.get(metric.name, {}).values()
        # One that is not finite makes the sum so, and so do those that are too large together.
        total = sum(max(told) if all(map(math.isfinite, told)) else math.nan for told in values) / metric.per_unit
        if values and math.isfinite(total):
            found[quantity] = total
    return found
