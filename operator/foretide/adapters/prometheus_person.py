"""Prometheus by a URL of a person's own, with whole series beside what the operator asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_api_client import PrometheusConnect

from foretide.adapters.prometheus import QUERY_TIMEOUT_SECONDS, RANGE_TIMEOUT_SECONDS, PrometheusApi
from foretide.adapters.prometheus_series import Series, read


class PrometheusByUrl(PrometheusApi):
    """`SeriesSource` over HTTP."""

    async def at(self, promql: str, *, at_seconds: float | None = None) -> tuple[Series, ...]:
        def ask(connection: PrometheusConnect) -> Callable[[], tuple[Series, ...]]:
            time = {} if at_seconds is None else {"time": f"{at_seconds:.3f}"}
            unread = connection.custom_query(promql, params=time, timeout=QUERY_TIMEOUT_SECONDS)
            return lambda: read(unread.parsed())

        return await self._answer(ask, self._loads, limit_seconds=QUERY_TIMEOUT_SECONDS)

    async def between(
        self, promql: str, *, start_seconds: float, end_seconds: float, step_seconds: float
    ) -> tuple[Series, ...]:
        start, end = (datetime.fromtimestamp(seconds, UTC) for seconds in (start_seconds, end_seconds))

        def ask(connection: PrometheusConnect) -> Callable[[], tuple[Series, ...]]:
            unread = connection.custom_query_range(
                promql, start_time=start, end_time=end, step=f"{step_seconds:g}", timeout=RANGE_TIMEOUT_SECONDS
            )
            return lambda: read(unread.parsed())

        return await self._answer(ask, self._ranges, limit_seconds=RANGE_TIMEOUT_SECONDS)
