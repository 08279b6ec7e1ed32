"""The operator's own metrics: what an SRE alerts on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from foretide.api.durations import format_seconds
from foretide.control.autoscale import Outcome
from foretide.control.challenge_status import Verdict
from foretide.control.numbers import HOUR_SECONDS
from foretide.control.world import Key
from foretide.scaling.budget import WINDOWS_SECONDS
from foretide.scaling.shadow import Side

BUCKETS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SERVICE: Final = ("namespace", "service")
# Of a forecast: what is as likely as not, and the quantile that the error budget asks for.
MEDIAN, PROVIDED = "median", "provided"
SIDES: Final = tuple(side.name.lower() for side in Side)
WINDOWS: Final = tuple(format_seconds(seconds) for seconds in WINDOWS_SECONDS)


class SelfMetrics:
    """One registry; a service's series go when the service goes."""

    def __init__(self) -> None:
        disable_created_metrics()  # a `_created` series beside each counter, which nobody reads
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"foretide_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(f"foretide_{name}", text, buckets=BUCKETS_SECONDS, registry=self.registry)

        self.leader = gauge("leader", "1 while this operator holds the Lease.")
        self.queue_depth = gauge("workqueue_depth", "Services that wait to be reconciled.")
        self.queue_retrying = gauge("workqueue_retrying", "Services whose last reconciliation failed.")
        self.events = Counter("foretide_watch_events", "Watch events received.", ("kind",), registry=self.registry)
        self.reconcile_seconds = histogram("reconcile_duration_seconds", "Time of one reconciliation.")
        self.reconcile_errors = Counter(
            "foretide_reconcile_errors", "Reconciliations that failed and are retried.", registry=self.registry
        )
        self.tick_seconds = histogram("tick_duration_seconds", "Time of one tick of the autoscale loop.")
        self.tick_queries = Counter(
            "foretide_prometheus_queries", "PromQL queries sent to Prometheus.", registry=self.registry
        )
        self.scrapes = Counter(
            "foretide_pod_scrapes", "Pods read directly while Prometheus gives no answer.", registry=self.registry
        )
        self.failed_scrapes = Counter(
            "foretide_pod_scrape_errors", "Those of them that told nothing.", ("reason",), registry=self.registry
        )
        self.tick_time = gauge("last_tick_timestamp_seconds", "When the last tick ended.")
        self.failed_writes = Counter(
            "foretide_scale_write_errors", "Decisions that the API server did not take.", registry=self.registry
        )
        self.backfill_progress = gauge(
            "backfill_progress_ratio",
            "Share of the past of services that was asked for; 1 when nothing is left to read.",
        )
        self.backfill_minutes = gauge(
            "backfill_known_minutes", "Minutes of the past that Prometheus knew, over all services."
        )
        self.services = gauge("services", "InferenceServices that the autoscale loop decides for.")
        self.metrics_available = gauge("metrics_available", "1 when Prometheus answered the last tick.")
        self.replicas = gauge("replicas", "spec.replicas of the Deployment.", _SERVICE)
        self.desired_replicas = gauge("desired_replicas", "Replicas of the last decision.", _SERVICE)
        self.demand = gauge("demand_items_per_second", "Items asked for; absent while unknown.", _SERVICE)
        self.capacity = gauge(
            "capacity_items_per_second", "Items that one replica is counted on for within the SLO.", _SERVICE
        )
        self.forecast = gauge(
            "forecast_items_per_second",
            "Items foreseen for when a replica started now is ready: the median, and what is provided for; absent "
            "while no forecast is trusted.",
            (*_SERVICE, "quantile"),
        )
        self.lead_time = gauge(
            "lead_time_seconds", "Time within which nine of ten new replicas are ready: how far ahead it is.", _SERVICE
        )
        self.budget_left = gauge(
            "error_budget_left_ratio",
            "Share of the error budget that is left; absent while too little is known.",
            _SERVICE,
        )
        self.burn_rate = gauge(
            "error_budget_burn_rate",
            "Times the rate at which the error budget lasts just for its window; absent while too little is known.",
            (*_SERVICE, "window"),
        )
        self.challenger_replicas = gauge(
            "challenger_replicas", "Replicas that the policy tried in the shadow would run.", _SERVICE
        )
        self.compared_late = gauge(
            "challenger_late_ratio",
            "Share of what was asked that was late since the comparison began, of the policy that acts (champion) and "
            "of the one that is tried in the shadow (challenger), by one estimate; absent before anything was asked.",
            (*_SERVICE, "policy"),
        )
        self.compared_replica_hours = gauge(
            "challenger_replica_hours",
            "Replicas times hours since the comparison began, of the policy that acts (champion) and of the one that "
            "is tried in the shadow (challenger).",
            (*_SERVICE, "policy"),
        )
        plain = (self.replicas, self.desired_replicas, self.demand, self.capacity, self.lead_time, self.budget_left)
        self._of_a_service: Final[tuple[tuple[Gauge, tuple[str, ...]], ...]] = (
            *((metric, ()) for metric in plain),
            *((self.forecast, (quantile,)) for quantile in (MEDIAN, PROVIDED)),
            *((self.burn_rate, (window,)) for window in WINDOWS),
        )
        self._of_a_challenger: Final[tuple[tuple[Gauge, tuple[str, ...]], ...]] = (
            (self.challenger_replicas, ()),
            *((metric, (name,)) for metric in (self.compared_late, self.compared_replica_hours) for name in SIDES),
        )
        self._known: set[Key] = set()
        self._challenged: set[Key] = set()

    @contextmanager
    def reconciling(self) -> Iterator[None]:
        """Times one reconciliation and counts its failure."""
        with self.reconcile_seconds.time(), self.reconcile_errors.count_exceptions():
            yield

    def ticked(self, outcome: Outcome, *, now_seconds: float) -> None:
        """Takes in what a tick did."""
        made = outcome.decisions
        self.tick_time.set(now_seconds)
        self.tick_queries.inc(outcome.queries)
        self.scrapes.inc(outcome.scrapes.asked)
        for reason, count in outcome.scrapes.failed.items():
            self.failed_scrapes.labels(reason).inc(count)
        self.failed_writes.inc(outcome.failed_writes)
        self.services.set(len(outcome.keys))
        self.metrics_available.set(outcome.no_metrics is None)
        spending, objective = made.memory.spending, made.capacity.objective
        judged, left, rates = spending.known, spending.left(objective), spending.burn_rates(objective)
        for row, key in enumerate(outcome.keys):
            self.replicas.labels(*key).set(made.fleet.replicas[row])
            self.desired_replicas.labels(*key).set(made.desired[row])
            self.capacity.labels(*key).set(made.capacity.rate_rps[row])
            self.lead_time.labels(*key).set(made.plan.lead_seconds[row])
            _tell(self.demand, key, made.seen.demand.value[row], known=made.seen.demand.known[row])
            for quantile, foreseen in ((MEDIAN, made.plan.likely), (PROVIDED, made.plan.ahead)):
                _tell(self.forecast, (*key, quantile), foreseen.value[row], known=foreseen.known[row])
            _tell(self.budget_left, key, left[row], known=judged[row])
            for window, rate in zip(WINDOWS, rates[row], strict=False):  # the last one is the window of the SLO
                _tell(self.burn_rate, (*key, window), rate, known=judged[row])
        for key, verdict in outcome.verdicts.items():
            self._tell_challenger(key, verdict)
        _remove(self._of_a_service, self._known.difference(outcome.keys))
        _remove(self._of_a_challenger, self._challenged.difference(outcome.verdicts))
        self._known, self._challenged = set(outcome.keys), set(outcome.verdicts)

    def _tell_challenger(self, key: Key, verdict: Verdict) -> None:
        tally, late, replicas = verdict.tally, verdict.late_share, verdict.replicas
        _tell(self.challenger_replicas, key, replicas or 0, known=replicas is not None)
        for side, name in zip(Side, SIDES, strict=True):
            _tell(self.compared_late, (*key, name), 0.0 if late is None else late[side], known=late is not None)
            hours = 0.0 if tally is None else float(tally.replica_seconds[0, side]) / HOUR_SECONDS
            _tell(self.compared_replica_hours, (*key, name), hours, known=tally is not None)


def _remove(series: Sequence[tuple[Gauge, tuple[str, ...]]], services: Iterable[Key]) -> None:
    for gone in services:
        for metric, labels in series:
            metric.remove(*gone, *labels)


def _tell(metric: Gauge, labels: tuple[str, ...], value: float, *, known: bool) -> None:
    """Unknown is not zero: there is no series then."""
    if known:
        metric.labels(*labels).set(value)
    else:
        metric.remove(*labels)
