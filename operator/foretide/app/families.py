"""Every metric that the operator exports about itself, with what its page tells of it; those of single services are in
`service_series`. Names follow Prometheus' conventions: base units, `_total` for counters, `_ratio` for shares of one.

A label has values from a fixed list, so that the number of series is bounded whatever users do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from foretide.control.outcome import Stage
from foretide.scaling import ledger


class Kind(StrEnum):
    """What a number means to PromQL."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All series of one name."""

    name: str  # as it is exported; of a histogram without its suffixes
    kind: Kind
    text: str
    unit: str = ""  # a base unit, or what is counted; empty for 1 and 0
    labels: tuple[str, ...] = ()
    most: str = "1"  # series at the most; S is the number of services


class Result(StrEnum):
    """How a reconciliation ended."""

    SUCCESS = "success"
    CONFLICT = "conflict"  # the object changed meanwhile, or belongs to somebody else
    REJECTED = "rejected"  # the API server refuses what was to be written
    UNAVAILABLE = "unavailable"  # no answer now
    FAULT = "fault"  # of the operator itself


class TickResult(StrEnum):
    """How a tick of the autoscale loop ended."""

    DONE = "done"
    TIMEOUT = "timeout"
    FAULT = "fault"


def _gauge(name: str, text: str, unit: str = "") -> Family:
    return Family(name=f"foretide_{name}", kind=Kind.GAUGE, text=text, unit=unit)


def _counter(name: str, text: str, unit: str, labels: tuple[str, ...] = (), most: str = "1") -> Family:
    return Family(name=f"foretide_{name}_total", kind=Kind.COUNTER, text=text, unit=unit, labels=labels, most=most)


def _histogram(name: str, text: str, labels: tuple[str, ...] = (), most: str = "14") -> Family:
    named = f"foretide_{name}_duration_seconds"
    return Family(name=named, kind=Kind.HISTOGRAM, text=text, unit="seconds", labels=labels, most=most)


LEADER: Final = _gauge("leader", "1 while this operator holds the Lease.")
QUEUE_DEPTH: Final = _gauge("workqueue_depth", "Services that wait to be reconciled.", "services")
QUEUE_RETRYING: Final = _gauge("workqueue_retrying", "Services whose last reconciliation failed.", "services")
EVENTS: Final = _counter("watch_events", "Watch events received.", "events", ("kind",), "11")
RECONCILE_SECONDS: Final = _histogram("reconcile", "Time of one reconciliation.")
RECONCILES: Final = _counter(
    "reconciles",
    "Reconciliations that ended, by how: all but those with success are tried again.",
    "reconciliations",
    ("result",),
    str(len(Result)),
)
TICK_INTERVAL: Final = _gauge("tick_interval_seconds", "Time between two ticks, as it is set.", "seconds")
TICK_SECONDS: Final = _histogram("tick", "Time of one tick of the autoscale loop.")
STAGE_SECONDS: Final = _histogram(
    "tick_stage",
    "Time of a part of a tick: observe (Prometheus, and Triton's statistics), decide (for all services), write (status "
    "and replicas).",
    ("stage",),
    str(14 * len(Stage)),
)
TICKS: Final = _counter(
    "ticks",
    "Ticks that ended, by how: done, given up at their deadline (timeout), or by a fault.",
    "ticks",
    ("result",),
    str(len(TickResult)),
)
LAST_TICK: Final = _gauge(
    "last_tick_timestamp_seconds", "When the last tick was done (Unix time); 0 before the first.", "seconds"
)
QUERIES: Final = _counter("prometheus_queries", "PromQL queries sent to Prometheus.", "queries")
PROMETHEUS_ERRORS: Final = _counter(
    "prometheus_errors",
    "Ticks in which Prometheus told nothing, by the reason that MetricsAvailable has.",
    "ticks",
    ("reason",),
    "9",
)
SCRAPES: Final = _counter("pod_scrapes", "Pods read directly while Prometheus gives no answer.", "pods")
SCRAPE_ERRORS: Final = _counter("pod_scrape_errors", "Those of them that told nothing.", "pods", ("reason",), "6")
SCALE_WRITE_ERRORS: Final = _counter(
    "scale_write_errors", "Decisions whose status or /scale the API server did not take.", "decisions"
)
POSTPONED: Final = _counter(
    "postponed_writes",
    "Services whose status or scaling in a tick had no time for; those that wait the longest are first in the next.",
    "services",
)
DECISIONS: Final = _counter(
    "decisions",
    "Decisions on one service in one tick, by the reason that status.decisions would have, those that change nothing "
    "included.",
    "decisions",
    ("reason",),
    str(len(ledger.REASONS)),
)
BACKFILL_PROGRESS: Final = _gauge(
    "backfill_progress_ratio", "Share of the past of services that was asked for; 1 when nothing is left to read."
)
BACKFILL_KNOWN: Final = _gauge(
    "backfill_known_seconds", "How much of the past Prometheus knew, added up over all services.", "seconds"
)
SERVICES: Final = _gauge("services", "InferenceServices that the autoscale loop decides for.", "services")
METRICS_AVAILABLE: Final = _gauge("metrics_available", "1 when Prometheus answered the last tick.")

OPERATOR: Final = (
    LEADER,
    TICKS,
    TICK_INTERVAL,
    LAST_TICK,
    TICK_SECONDS,
    STAGE_SECONDS,
    DECISIONS,
    SCALE_WRITE_ERRORS,
    POSTPONED,
    SERVICES,
    METRICS_AVAILABLE,
    QUERIES,
    PROMETHEUS_ERRORS,
    SCRAPES,
    SCRAPE_ERRORS,
    BACKFILL_PROGRESS,
    BACKFILL_KNOWN,
    RECONCILES,
    RECONCILE_SECONDS,
    QUEUE_DEPTH,
    QUEUE_RETRYING,
    EVENTS,
)
