"""Prometheus through the API server: how a person asks the one in the cluster without a way into its network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from foretide.adapters.clock import Clock, SystemClock
from foretide.adapters.errors import AdapterError, Rejected, Unavailable
from foretide.adapters.kubernetes import KubernetesApi
from foretide.adapters.prometheus import Pod, Points, check_clock, points, samples
from foretide.adapters.prometheus_answer import Unread
from foretide.adapters.prometheus_grid import Grid
from foretide.adapters.prometheus_series import Series, read

# The name of a Service inside of the cluster, as settings of the operator have it.
_IN_CLUSTER: Final = re.compile(
    r"(?P<scheme>https?)://(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)(\.svc(\.[a-z0-9.-]+)?)?"
    r"(:(?P<port>[0-9]+))?(?P<prefix>/.*)?"
)
_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class ServiceUrl:
    """A URL that leads to a Service of the cluster."""

    namespace: str
    name: str
    scheme: str
    port: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> ServiceUrl | None:
        """None for one that leads out of the cluster."""
        found = _IN_CLUSTER.fullmatch(url)
        if found is None:
            return None
        scheme = found["scheme"]
        prefix = (found["prefix"] or "").strip("/")
        return cls(found["namespace"], found["name"], scheme, found["port"] or _PORTS[scheme], prefix)

    def path(self, of: str) -> str:
        """The path under the API server at which it answers."""
        scheme = f"{self.scheme}:" if self.scheme == "https" else ""
        service = quote(f"{scheme}{self.name}:{self.port}", safe=":")
        parts = [part for part in (self.prefix, of) if part]
        return f"/api/v1/namespaces/{quote(self.namespace, safe='')}/services/{service}/proxy/{'/'.join(parts)}"


class PrometheusProxy:
    """`Prometheus` behind a Service; needs the right to `get` its `services/proxy`."""

    def __init__(self, api: KubernetesApi, service: ServiceUrl, clock: Clock | None = None) -> None:
        self._api: Final = api
        self._service: Final = service
        self._clock: Final = clock or SystemClock()

    async def by_pod(self, promql: str) -> Mapping[Pod, float]:
        return samples(await self._instant(promql))

    async def by_pod_and_number(self, promql: str, label: str) -> Mapping[Pod, Points]:
        return points(await self._instant(promql), label)

    async def history(self, promql: str, *, start_seconds: float, end_seconds: float, step_seconds: float) -> Grid:
        grid = Grid.empty(start_seconds=start_seconds, end_seconds=end_seconds, step_seconds=step_seconds)
        times = {"start": f"{start_seconds:.0f}", "end": f"{end_seconds:.0f}", "step": f"{step_seconds:.0f}"}
        return grid.filled(await self._ask("api/v1/query_range", {"query": promql, **times}))

    async def at(self, promql: str, *, at_seconds: float | None = None) -> tuple[Series, ...]:
        time = {} if at_seconds is None else {"time": f"{at_seconds:.3f}"}
        return read(await self._ask("api/v1/query", {"query": promql, **time}))

    async def between(
        self, promql: str, *, start_seconds: float, end_seconds: float, step_seconds: float
    ) -> tuple[Series, ...]:
        times = {"start": f"{start_seconds:.3f}", "end": f"{end_seconds:.3f}", "step": f"{step_seconds:g}"}
        return read(await self._ask("api/v1/query_range", {"query": promql, **times}))

    async def _instant(self, promql: str) -> Any:
        asked_at = self._clock.now()
        answer = await self._ask("api/v1/query", {"query": promql})
        check_clock(answer, asked_at=asked_at, answered_at=self._clock.now())
        return answer

    async def _ask(self, of: str, query: Mapping[str, str]) -> Any:
        try:
            data = await self._api.proxied(self._service.path(of), query=query)
        except AdapterError as error:
            where = f"Service {self._service.namespace}/{self._service.name}:{self._service.port}"
            kind = Unavailable if isinstance(error, Unavailable) else Rejected
            raise kind(f"{where}, through the API server: {error}", reason=error.reason) from error
        return Unread(data).parsed()
