"""What Prometheus scrapes of Triton, and how often."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Final

from foretide.adapters.errors import AdapterError
from foretide.adapters.kubeconfig import Cluster
from foretide.adapters.prometheus import Pod
from foretide.adapters.promql import expression, samples
from foretide.adapters.resources import POD
from foretide.api import group
from foretide.cli.doctor.findings import Finding, Level, some, unknown
from foretide.cli.exits import Stop
from foretide.cli.operator import Operator, prometheus
from foretide.control.pods import is_ready
from foretide.scaling.policy import Quantity, Query

TRITON_PODS: Final = f"{group.MANAGED_BY_LABEL}={group.MANAGED_BY},{group.COMPONENT_LABEL}={group.INFERENCE_SERVER}"
# Long enough for five scrapes of a minute.
SPACING_SECONDS: Final = 300.0
# One sample more or less of five, and jitter.
TOLERATED: Final = 1.3


async def scraping(cluster: Cluster, one: Operator | None, url: str | None) -> AsyncIterator[Finding]:
    """Prometheus answers, its clock is right, and it has series of every ready Triton pod, as often as is believed."""
    check = "Prometheus"
    where = url or (one.prometheus_url if one else None) or "?"
    fix = f"set prometheus.url of the chart (docs/prometheus.md); from here: --prometheus URL. Asked was {where}"
    try:
        async with prometheus(cluster, url=url, operator=one) as asked:
            told = await asked.by_pod(expression(Query(Quantity.SUCCESS)))
            counted = await asked.by_pod(samples(window_seconds=SPACING_SECONDS))
    except Stop as stop:
        yield Finding(check, Level.UNKNOWN, str(stop))
        return
    except AdapterError as error:
        # From here it may be out of reach, while the operator reaches it.
        level = Level.FAILURE if error.reason == "ClockSkew" else Level.UNKNOWN
        yield Finding(check, level, str(error), "let NTP set the clocks" if error.reason == "ClockSkew" else fix)
        return
    yield Finding(check, Level.OK, f"answers at {where}, with series of {len(told)} Triton pods")
    try:
        found = await cluster.api.list(POD, label_selector=TRITON_PODS)
    except AdapterError as error:
        yield unknown("scrapes of Triton", error)
        return
    theirs = [pod for pod in found if is_ready(pod) and (one is None or one.works_in(pod["metadata"]["namespace"]))]
    names = [Pod(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in theirs]
    missing = sorted(f"{pod.namespace}/{pod.name}" for pod in names if pod not in told)
    if missing:
        fix = "--set podMonitor.enabled=true, or scrape the port `metrics` of these pods (docs/prometheus.md)"
        message = f"{len(missing)} of {len(names)} ready Triton pods are not scraped: {some(missing)}"
        yield Finding("scrapes of Triton", Level.FAILURE, message, fix)
    else:
        yield Finding("scrapes of Triton", Level.OK, f"every ready Triton pod ({len(names)}) is scraped")
    # Those whose series ended meanwhile have fewer samples.
    if one is not None and (whole := [count for pod, count in counted.items() if pod in told]):
        yield _interval(one.scaling.scrape_interval_seconds, SPACING_SECONDS / max(whole))


def _interval(told_seconds: float, found_seconds: float) -> Finding:
    """Whether Prometheus scrapes as the operator believes, by the pod of which it has most samples."""
    check = "scrape interval"
    if TOLERATED**-1 <= found_seconds / told_seconds <= TOLERATED:
        return Finding(check, Level.OK, f"{told_seconds:g} s, as prometheus.scrapeIntervalSeconds says")
    wrong = "a load is taken for larger" if found_seconds > told_seconds else "the load of late samples for smaller"
    message = f"Triton is scraped every {found_seconds:.2g} s, and the operator believes {told_seconds:g} s: {wrong}"
    return Finding(check, Level.FAILURE, message, f"--set prometheus.scrapeIntervalSeconds={math.ceil(found_seconds)}")
