"""Queries to any server with Prometheus' query API: what is now, by pod, and what was, by Deployment."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from prometheus_api_client import PrometheusConnect

from foretide.adapters.clock import Clock, SystemClock
from foretide.adapters.errors import Unavailable
from foretide.adapters.prometheus_access import Access, Connections
from foretide.adapters.prometheus_answer import FAILURES, failure, malformed
from foretide.adapters.prometheus_grid import Grid

QUERY_TIMEOUT_SECONDS: Final = 4.0
RANGE_TIMEOUT_SECONDS: Final = 30.0
# Between the clocks of Prometheus and the operator. Rates and ages are Prometheus' own, so that some seconds change
# nothing; a clock that NTP sets is off by less than one.
CLOCK_TOLERANCE_SECONDS: Final = 60.0

Found = TypeVar("Found")


class Pod(NamedTuple):
    """The identity of a pod in Prometheus, by the labels that every Kubernetes scrape configuration sets."""

    namespace: str
    name: str


# Values by the number in a label: the bounds of a histogram, or quantiles.
Points = Mapping[float, float]


class Prometheus(Protocol):
    """What the operator asks of Prometheus."""

    async def by_pod(self, promql: str) -> Mapping[Pod, float]:
        """One sample per pod; may hold NaN or infinities. Raises Unavailable or Rejected, never answers half."""
        ...

    async def by_pod_and_number(self, promql: str, label: str) -> Mapping[Pod, Points]:
        """One sample per pod and number in that label; otherwise as `by_pod`."""
        ...

    async def history(self, promql: str, *, start_seconds: float, end_seconds: float, step_seconds: float) -> Grid:
        """The values at start, start + step, ... and end (whole seconds of Unix time), by workload.

        Raises ValueError for times that make no grid, else as `by_pod`.
        """
        ...


class PrometheusApi:
    """`Prometheus` through prometheus-api-client, which is synchronous: its calls run in a few threads.

    The load, distributions and the past have threads of their own, so that no query of the load waits until one of
    another kind is answered. Answers are read one after the other: at once they are no faster, and those of 20,000 pods
    14 MiB of objects each.
    """

    def __init__(self, access: Access, clock: Clock | None = None, *, threads: int = 4) -> None:
        self._connections: Final = Connections(access)
        self._clock: Final = clock or SystemClock()
        self._loads: Final = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="prometheus")
        self._points: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="prometheus-points")
        self._ranges: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prometheus-range")
        self._reading: Final = Lock()
        # By the event loop's clock. Apart, or a limit on the past or on large answers would keep ticks from asking for
        # the load.
        self._silent_until: Final = dict.fromkeys((self._loads, self._points, self._ranges), 0.0)

    async def by_pod(self, promql: str) -> Mapping[Pod, float]:
        return await self._instant(promql, samples, self._loads)

    async def by_pod_and_number(self, promql: str, label: str) -> Mapping[Pod, Points]:
        return await self._instant(promql, lambda answer: points(answer, label), self._points)

    async def history(self, promql: str, *, start_seconds: float, end_seconds: float, step_seconds: float) -> Grid:
        grid = Grid.empty(start_seconds=start_seconds, end_seconds=end_seconds, step_seconds=step_seconds)

        def ask(connection: PrometheusConnect) -> Callable[[], Grid]:
            unread = connection.custom_query_range(
                promql,
                start_time=datetime.fromtimestamp(start_seconds, UTC),
                end_time=datetime.fromtimestamp(end_seconds, UTC),
                step=f"{step_seconds:.0f}",
                timeout=RANGE_TIMEOUT_SECONDS,
            )
            return lambda: grid.filled(unread.parsed())

        return await self._answer(ask, self._ranges, limit_seconds=RANGE_TIMEOUT_SECONDS)

    async def _instant(self, promql: str, read: Callable[[Any], Found], threads: ThreadPoolExecutor) -> Found:
        def ask(connection: PrometheusConnect) -> Callable[[], Found]:
            asked_at = self._clock.now()
            unread = connection.custom_query(promql, timeout=QUERY_TIMEOUT_SECONDS)
            answered_at = self._clock.now()

            def found() -> Found:
                answer = unread.parsed()
                check_clock(answer, asked_at=asked_at, answered_at=answered_at)
                return read(answer)

            return found

        return await self._answer(ask, threads, limit_seconds=QUERY_TIMEOUT_SECONDS)

    async def _answer(
        self,
        ask: Callable[[PrometheusConnect], Callable[[], Found]],
        threads: ThreadPoolExecutor,
        *,
        limit_seconds: float,
    ) -> Found:
        """`ask` waits for the answer, and what it returns reads it."""
        loop = asyncio.get_running_loop()
        if self._silent_until[threads] > loop.time():
            # For how long is not said: a countdown makes another status of each service in each tick.
            raise Unavailable("Prometheus asks not to be asked for a while (Retry-After)", reason="PrometheusRejected")
        try:
            # The outer limit holds against a server that sends a byte now and then: requests' own limit is per read.
            async with asyncio.timeout(2 * limit_seconds):
                return await loop.run_in_executor(threads, lambda: self._read(ask(self._connections.current())))
        except Unavailable as error:
            silent_until = loop.time() + error.retry_after_seconds
            self._silent_until[threads] = max(self._silent_until[threads], silent_until)
            raise
        except FAILURES as error:
            raise failure(error, limit_seconds=limit_seconds) from error

    def _read(self, read: Callable[[], Found]) -> Found:
        with self._reading:
            return read()

    def close(self) -> None:
        """Ends the threads without waiting for a hanging query."""
        for threads in self._silent_until:
            threads.shutdown(wait=False, cancel_futures=True)
        self._connections.close()


def check_clock(answer: Any, *, asked_at: float, answered_at: float) -> None:
    """Raises Unavailable where a query was evaluated before it was asked or after it was answered, by more than
    CLOCK_TOLERANCE_SECONDS: nobody knows whose clock is wrong, and so neither how old samples are nor what day it is.

    When it was evaluated, by Prometheus' own clock, every sample of an instant vector says.
    """
    evaluated_at = next((at for at, _, _, _ in _series(answer)), None)
    if evaluated_at is None:
        return
    behind, ahead = asked_at - evaluated_at, evaluated_at - answered_at
    if max(behind, ahead) > CLOCK_TOLERANCE_SECONDS:
        # By whole minutes, or each tick would be another status of each service.
        off, way = (ahead, "ahead of") if ahead > behind else (behind, "behind")
        message = f"the clock of Prometheus is more than {off // 60:.0f} min {way} the operator's"
        raise Unavailable(message, reason="ClockSkew")


def samples(answer: Any) -> dict[Pod, float]:
    """`data.result` of an instant vector as numbers by pod."""
    return {pod: value for _, pod, _, value in _series(answer)}


def points(answer: Any, label: str) -> dict[Pod, dict[float, float]]:
    """The same as numbers by pod and by the number in a label; what has no number there is somebody else's, too."""
    found: dict[Pod, dict[float, float]] = {}
    for _, pod, labels, value in _series(answer):
        with suppress(TypeError, ValueError):
            number = float(labels.get(label, ""))
            found.setdefault(pod, {})[number] = value
    return found


def _series(answer: Any) -> Iterator[tuple[float, Pod, Mapping[str, Any], float]]:
    """Time, pod, labels and value of each series; those without our two labels are somebody else's."""
    try:
        for series in answer:
            labels = series["metric"]
            if "namespace" in labels and "pod" in labels:
                at, value = series["value"]
                # Each answer has strings of its own for the same 20,000 pods.
                pod = Pod(sys.intern(labels["namespace"]), sys.intern(labels["pod"]))
                yield float(at), pod, labels, float(value)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise malformed(f"not an instant vector: {type(error).__name__}") from error
