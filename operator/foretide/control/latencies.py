"""What Triton tells of latencies, for the SLI. Decisions do not wait for it to be whole: what is missing is unknown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

import numpy as np

from foretide.adapters import promql
from foretide.adapters.errors import AdapterError
from foretide.adapters.prometheus import Pod, Points, Prometheus
from foretide.adapters.triton_metrics import HISTOGRAM, SUMMARY
from foretide.scaling import sli
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.readings import Readings
from foretide.scaling.sli import Sli

log: Final = logging.getLogger(__name__)

# Sent in each tick in which Prometheus tells the load, but for those that rest.
QUERIES: Final = 2
# Decisions wait no longer for them: what comes later is of no use.
LONGEST_SECONDS: Final = 1.0
# Ticks without a question that failed before, at the most; one at first. Of 20,000 pods each costs Prometheus a second,
# and the operator 16 MiB that it reads in vain.
LONGEST_REST_TICKS: Final = 40


@dataclass(frozen=True, slots=True)
class Latencies:
    """Points of distributions by pod: requests a second by bound in ms, and microseconds by quantile."""

    buckets: Mapping[Pod, Points] = field(default_factory=dict)
    quantiles: Mapping[Pod, Points] = field(default_factory=dict)
    asked: int = 0  # queries that were sent


@dataclass(frozen=True, slots=True)
class _Rest:
    """A question that failed is not asked for so many ticks: 1 at first, 2 n + 1 where it fails again after n."""

    ticks: int
    left: int
    why: str


_NONE: Final = _Rest(0, 0, "")


class LatencyReader:
    """Remembers why it was told nothing, so that the log has it once and not every tick."""

    def __init__(self, prometheus: Prometheus, *, window_seconds: float, namespaces: Sequence[str] = ()) -> None:
        """`window_seconds`: of the rates of buckets."""
        self._prometheus: Final = prometheus
        self._buckets: Final = promql.buckets(window_seconds=window_seconds, namespaces=namespaces)
        self._quantiles: Final = promql.quantiles(namespaces=namespaces)
        self._missing: set[str] = set()
        self._rests: Final[dict[str, _Rest]] = {}  # by label

    async def read(self) -> Latencies:
        """Both, or one, or nothing. 15,000 busy pods make an answer of 14 MB, and 16 MiB are too much: the load must
        not be unknown for that."""
        missing: set[str] = set()
        asked = QUERIES - sum(rest.left > 0 for rest in self._rests.values())

        async def points(expression: str, label: str) -> Mapping[Pod, Points]:
            rest = self._rests.get(label, _NONE)
            if rest.left:
                self._rests[label] = replace(rest, left=rest.left - 1)
                missing.add(rest.why)
                return {}
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    found = await self._prometheus.by_pod_and_number(expression, label)
            except (TimeoutError, AdapterError) as error:
                words = f"no answer within {LONGEST_SECONDS:g} s" if isinstance(error, TimeoutError) else f"{error}"
                ticks = min(2 * rest.ticks + 1, LONGEST_REST_TICKS)
                self._rests[label] = _Rest(ticks, ticks, f"{label}: {words}")
                missing.add(self._rests[label].why)
                return {}
            self._rests.pop(label, None)
            return found

        buckets, quantiles = await asyncio.gather(
            points(self._buckets, HISTOGRAM.label), points(self._quantiles, SUMMARY.label)
        )
        if missing - self._missing:
            log.warning("latencies are not read, late requests are estimated: %s", "; ".join(sorted(missing)))
        self._missing = missing
        return Latencies(buckets, quantiles, asked)


def measured(
    found: Latencies, names: Sequence[Pod], service: Ints, success_rps: Readings, *, slo_latency_seconds: Floats
) -> Sli:
    """The SLI of all services; `names` are the pods in the rows of `service` and `success_rps`, `slo_latency_seconds`
    has one row per service."""
    slo = slo_latency_seconds[service]
    pod, bound, rate = _columns(found.buckets, names)
    by_buckets = sli.late_in_buckets(
        sli.Buckets(pod=pod, bound_seconds=bound / HISTOGRAM.per_second, rate_rps=rate), slo_latency_seconds=slo
    )
    pod, quantile, latency = _columns(found.quantiles, names)
    by_quantiles = sli.late_by_quantiles(
        sli.Quantiles(pod=pod, quantile=quantile, latency_seconds=latency / SUMMARY.per_second),
        slo_latency_seconds=slo,
    )
    return sli.of_services(service, success_rps, by_buckets, by_quantiles, services=len(slo_latency_seconds))


def _columns(found: Mapping[Pod, Points], names: Sequence[Pod]) -> tuple[Ints, Floats, Floats]:
    """One row a point: the pod's row, the number in its label, its value."""
    told = [found.get(name, {}) for name in names]
    pod = np.repeat(np.arange(len(names)), np.array([len(points) for points in told], dtype=np.int64))
    at = np.fromiter(chain.from_iterable(told), dtype=np.float64, count=len(pod))
    values = chain.from_iterable(points.values() for points in told)
    return pod, at, np.fromiter(values, dtype=np.float64, count=len(pod))
