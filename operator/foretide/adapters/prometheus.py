"""Instant queries to any server with Prometheus' query API."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Protocol

import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3.util.retry import Retry

from foretide.adapters.errors import MESSAGE_LIMIT, Rejected, Unavailable

log: Final = logging.getLogger(__name__)

QUERY_TIMEOUT_SECONDS: Final = 4.0


class Pod(NamedTuple):
    """The identity of a pod in Prometheus, by the labels that every Kubernetes scrape configuration sets."""

    namespace: str
    name: str


class Prometheus(Protocol):
    """What the operator asks of Prometheus."""

    async def by_pod(self, promql: str) -> Mapping[Pod, float]:
        """One sample per pod; may hold NaN or infinities. Raises Unavailable or Rejected, never answers half."""
        ...


class PrometheusApi:
    """`Prometheus` through prometheus-api-client, which is synchronous: its calls run in a few threads."""

    def __init__(self, url: str, *, threads: int = 4) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy variable in the environment must not redirect cluster traffic
        # The next tick is the retry: retrying inside one would outlast the tick.
        self._connection = PrometheusConnect(url=url.rstrip("/"), session=session, retry=Retry(total=0), method="POST")
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="prometheus")

    async def by_pod(self, promql: str) -> Mapping[Pod, float]:
        loop = asyncio.get_running_loop()
        try:
            # The outer limit holds against a server that sends a byte now and then: requests' own limit is per read.
            async with asyncio.timeout(2 * QUERY_TIMEOUT_SECONDS):
                answer = await loop.run_in_executor(self._threads, self._ask, promql)
        except (TimeoutError, requests.Timeout) as error:
            raise Unavailable(f"no answer in {QUERY_TIMEOUT_SECONDS:g} s", reason="PrometheusTimeout") from error
        except requests.exceptions.JSONDecodeError as error:
            raise Rejected("the answer is not JSON", reason="PrometheusMalformed") from error
        except (requests.RequestException, OSError) as error:
            raise Unavailable(_connection_problem(error), reason="PrometheusUnreachable") from error
        except PrometheusApiClientException as error:
            raise _refusal(error) from error
        except (json.JSONDecodeError, KeyError, TypeError, RecursionError) as error:
            raise Rejected(f"not an answer of the query API: {error!r}", reason="PrometheusMalformed") from error
        return _samples(answer)

    def _ask(self, promql: str) -> Any:
        return self._connection.custom_query(promql, timeout=QUERY_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Ends the threads without waiting for a hanging query."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._connection.close()


def _samples(answer: Any) -> dict[Pod, float]:
    """`data.result` of an instant vector as numbers by pod; series without our two labels are somebody else's."""
    try:
        return {
            Pod(series["metric"]["namespace"], series["metric"]["pod"]): float(series["value"][1])
            for series in answer
            if "namespace" in series["metric"] and "pod" in series["metric"]
        }
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise Rejected(f"not an instant vector: {error!r}", reason="PrometheusMalformed") from error


def _refusal(error: PrometheusApiClientException) -> Unavailable | Rejected:
    """The status of the answer; its body is for the log, and no text of another server reaches a status."""
    log.warning("Prometheus: %s", str(error)[:MESSAGE_LIMIT])
    status = str(error).partition(" (")[0]  # HTTP Status Code 503 (b'...')
    later = status.endswith("429") or status[-3:-2] == "5"
    return (Unavailable if later else Rejected)(status, reason="PrometheusRejected")


def _connection_problem(error: Exception) -> str:
    """The innermost cause in words ("Connection refused"), without the URL that requests repeats three times."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(cause).__name__}: {cause}"
