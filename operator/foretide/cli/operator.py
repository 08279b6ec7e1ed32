"""The operator as it is installed, and the Prometheus that it asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from foretide.cli.exits import Stop
from foretide.scaling.settings import ScalingSettings

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster
    from foretide.adapters.prometheus_series import SeriesSource

# As the chart labels its Deployment.
SELECTOR: Final = "app.kubernetes.io/name=foretide,app.kubernetes.io/component=operator"
URL_VARIABLE: Final = "FORETIDE_PROMETHEUS_URL"
NAMESPACES_VARIABLE: Final = "FORETIDE_WATCH_NAMESPACES"
TICK_VARIABLE: Final = "FORETIDE_TICK_SECONDS"
INTERVAL_VARIABLE: Final = "FORETIDE_SCRAPE_INTERVAL_SECONDS"
USUAL: Final = ScalingSettings()


@dataclass(frozen=True, slots=True)
class Operator:
    """One Deployment of the operator."""

    namespace: str
    name: str
    ready: int
    wanted: int
    service_account: str
    image: str
    environment: Mapping[str, str]  # what is written in the Deployment itself

    @property
    def prometheus_url(self) -> str | None:
        return self.environment.get(URL_VARIABLE)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Those that it works in; empty: all."""
        return tuple(self.environment.get(NAMESPACES_VARIABLE, "").split())

    def works_in(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces

    def shares_with(self, other: Operator) -> bool:
        """Whether there may be a namespace that both work in."""
        return not (self.namespaces and other.namespaces and set(self.namespaces).isdisjoint(other.namespaces))

    @property
    def scaling(self) -> ScalingSettings:
        """As it is told how often Prometheus scrapes and how often it decides; as usual where that is no number."""
        try:
            return ScalingSettings(
                tick_seconds=float(self.environment.get(TICK_VARIABLE, USUAL.tick_seconds)),
                scrape_interval_seconds=float(self.environment.get(INTERVAL_VARIABLE, USUAL.scrape_interval_seconds)),
            )
        except ValueError:
            return USUAL


async def operators(cluster: Cluster) -> list[Operator]:
    """All that are installed; one is as it should be. Raises AdapterError."""
    from foretide.adapters.resources import DEPLOYMENT

    return [_read(raw) for raw in await cluster.api.list(DEPLOYMENT, label_selector=SELECTOR)]


def _read(raw: Mapping[str, Any]) -> Operator:
    template = raw["spec"]["template"]["spec"]
    container = template["containers"][0]
    return Operator(
        namespace=raw["metadata"]["namespace"],
        name=raw["metadata"]["name"],
        ready=raw.get("status", {}).get("readyReplicas", 0),
        wanted=raw["spec"].get("replicas", 1),
        service_account=template.get("serviceAccountName", "default"),
        image=container.get("image", "?"),
        environment={each["name"]: each["value"] for each in container.get("env", ()) if "value" in each},
    )


@asynccontextmanager
async def prometheus(cluster: Cluster, *, url: str | None, operator: Operator | None) -> AsyncIterator[SeriesSource]:
    """The one of that URL; else the operator's, through the API server where its URL is of a Service in the cluster.

    Raises Stop where neither leads anywhere.
    """
    from foretide.adapters.prometheus_access import Access
    from foretide.adapters.prometheus_person import PrometheusByUrl
    from foretide.adapters.prometheus_proxy import PrometheusProxy, ServiceUrl

    told = operator.prometheus_url if operator else None
    if url is None and told is None:
        raise Stop("--prometheus: which Prometheus is not known, as no operator is found; give the URL of one")
    if url is None and told is not None and (service := ServiceUrl.of(told)) is not None:
        yield PrometheusProxy(cluster.api, service)
        return
    api = PrometheusByUrl(Access(url=url or told or ""))
    try:
        yield api
    finally:
        api.close()
