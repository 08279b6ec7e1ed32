"""The PromQL of one query of a policy: for all Triton pods at once, grouped by pod, whatever the number of services;
and that of the past, grouped by Deployment, for the pods of then are gone.

No text of any user enters an expression: everything is asked for all Triton pods, or for those in the namespaces that
the operator works in, and the control layer keeps the pods that it owns by namespace and name (a label that a target
could forge decides nothing).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from foretide.adapters.triton_metrics import HISTOGRAM, METRICS, SERIES_LABELS, SUMMARY
from foretide.api.names import NAMESPACE
from foretide.scaling.policy import Over, Quantity, Query

# PromQL knows no fractions of a second.
_SHORTEST_WINDOW_SECONDS: Final = 1.0

# The past is kept by the minute.
HISTORY_WINDOW_SECONDS: Final = 60.0

_BY_POD: Final = "by (namespace, pod)"
_BY_SERIES: Final = f"by (namespace, pod, {', '.join(SERIES_LABELS)})"
_BY_BUCKET: Final = f"by (namespace, pod, {HISTOGRAM.label})"
_BY_BUCKET_OF_SERIES: Final = f"by (namespace, pod, {', '.join(SERIES_LABELS)}, {HISTOGRAM.label})"
_BY_QUANTILE: Final = f"by (namespace, pod, {SUMMARY.label})"
_BY_WORKLOAD: Final = "by (namespace, workload)"
# A pod's name is that of its Deployment, the hash of its template, and five letters.
_WORKLOAD: Final = '"workload", "$1", "pod", "(.+)-[a-z0-9]+-[a-z0-9]{5}"'


def expression(query: Query, *, namespaces: Sequence[str] = ()) -> str:
    """Answers one sample per (namespace, pod), of all namespaces where none is named; raises ValueError for what Triton
    does not export.

    `max` merges what two scrapes of one pod tell (a PodMonitor beside annotations, two Prometheus replicas), `sum`
    adds the series of one pod.
    """
    metric = METRICS.get(query.quantity)
    if metric is None:
        raise ValueError(f"quantity must be one of {', '.join(METRICS)}, not {query.quantity}: no server exports it")
    series = _in(namespaces, metric.name)
    if query.over is Over.AGE:
        return f"time() - max {_BY_POD} (timestamp({series}))"
    # All others that need a window are named as PromQL names them.
    samples = series if query.over is Over.NEWEST else _ranged(query, series)
    by_pod = f"sum {_BY_POD} (max {_BY_SERIES} ({samples}))"
    return by_pod if metric.per_unit == 1 else f"{by_pod} / {metric.per_unit}"


def buckets(*, window_seconds: float, namespaces: Sequence[str] = ()) -> str:
    """How many requests a second took no longer than each bound: a sample per (namespace, pod, le), `le` in ms."""
    window = _window(window_seconds, of="rate of the histogram")
    rates = f"rate({_in(namespaces, HISTOGRAM.name)}[{window}])"
    return f"sum {_BY_BUCKET} (max {_BY_BUCKET_OF_SERIES} ({rates}))"


def quantiles(*, namespaces: Sequence[str] = ()) -> str:
    """Quantiles of the latency in microseconds: a sample per (namespace, pod, quantile), the slowest of its series.

    A summary is NaN once nothing was asked for a minute, and nothing that compares: idle pods cost no answer.
    """
    return f"max {_BY_QUANTILE} ({_in(namespaces, SUMMARY.name)} >= 0)"


def samples(*, window_seconds: float, namespaces: Sequence[str] = ()) -> str:
    """How many samples the window has of each (namespace, pod) that had a series when it began."""
    window, series = _window(window_seconds, of="count of samples"), _in(namespaces, METRICS[Quantity.SUCCESS].name)
    return f"max {_BY_POD} (count_over_time({series}[{window}]) and {series} offset {window})"


def history(quantity: Quantity, *, rate_window_seconds: float, namespaces: Sequence[str] = ()) -> str:
    """The rate per second of a counter, one sample per (namespace, workload), in a window of a minute or, where scrapes
    are rare, the window of the ticks. Raises ValueError for what Triton does not export.

    Pods that no Deployment made have no label `workload` in the answer.
    """
    query = Query(quantity, Over.RATE, history_window_seconds(rate_window_seconds))
    rates = expression(query, namespaces=namespaces)
    return f"sum {_BY_WORKLOAD} (label_replace({rates}, {_WORKLOAD}))"


def history_window_seconds(rate_window_seconds: float) -> float:
    """What a rate of the past looks back on."""
    return max(rate_window_seconds, HISTORY_WINDOW_SECONDS)


def recorded(quantity: Quantity, *, namespaces: Sequence[str] = ()) -> str:
    """The same as the chart's recording rules keep it, minute by minute; no series where there are no such rules.

    Without the window a series that has ended would go on for five minutes; two Prometheus replicas record it twice.
    """
    series = _in(namespaces, record(quantity))
    return f"max {_BY_WORKLOAD} (last_over_time({series}[{HISTORY_WINDOW_SECONDS:.0f}s]))"


def record(quantity: Quantity) -> str:
    """The name of the recorded series; raises KeyError for what Triton does not export."""
    return f"namespace_workload:{METRICS[quantity].name}:rate"


def _in(namespaces: Sequence[str], name: str) -> str:
    """The series of that name in these namespaces."""
    if not namespaces:
        return name
    if odd := [each for each in namespaces if not re.fullmatch(NAMESPACE, each)]:
        raise ValueError(f"namespaces must be names of namespaces, not {odd}")
    return f'{name}{{namespace=~"{"|".join(namespaces)}"}}'


def _ranged(query: Query, series: str) -> str:
    return f"{query.over.value}({series}[{_window(query.window_seconds, of=f'{query.over} of {query.quantity}')}])"


def _window(seconds: float, *, of: str) -> str:
    if not _SHORTEST_WINDOW_SECONDS <= seconds < math.inf:
        raise ValueError(
            f"window_seconds of {of} must be finite and at least {_SHORTEST_WINDOW_SECONDS:g}, not {seconds:g}"
        )
    return f"{seconds:.0f}s"
