"""The operator's own metrics: what an SRE alerts on. `families` and `service_series` have their names and meanings."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterator
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
    generate_latest,
)

from foretide.adapters.errors import Conflict, Rejected, Unavailable
from foretide.app import exposition, families
from foretide.app.condition_series import ConditionSeries
from foretide.app.families import Family, Result, TickResult
from foretide.app.service_series import ServiceSeries
from foretide.control.outcome import Outcome
from foretide.scaling import ledger

BUCKETS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class SelfMetrics:
    """Of one operator; a service's series go when the service goes."""

    def __init__(self) -> None:
        disable_created_metrics()  # a `_created` series beside each counter, which nobody reads
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

        def gauge(family: Family) -> Gauge:
            return Gauge(family.name, family.text, family.labels, registry=self.registry)

        def counter(family: Family) -> Counter:
            return Counter(family.name, family.text, family.labels, registry=self.registry)

        def histogram(family: Family) -> Histogram:
            return Histogram(family.name, family.text, family.labels, buckets=BUCKETS_SECONDS, registry=self.registry)

        self.leader = gauge(families.LEADER)
        self.queue_depth = gauge(families.QUEUE_DEPTH)
        self.queue_retrying = gauge(families.QUEUE_RETRYING)
        self.events = counter(families.EVENTS)
        self.reconcile_seconds = histogram(families.RECONCILE_SECONDS)
        self.reconciles = counter(families.RECONCILES)
        self.tick_interval = gauge(families.TICK_INTERVAL)
        self.tick_seconds = histogram(families.TICK_SECONDS)
        self.stage_seconds = histogram(families.STAGE_SECONDS)
        self.ticks = counter(families.TICKS)
        self.tick_time = gauge(families.LAST_TICK)
        self.queries = counter(families.QUERIES)
        self.prometheus_errors = counter(families.PROMETHEUS_ERRORS)
        self.scrapes = counter(families.SCRAPES)
        self.failed_scrapes = counter(families.SCRAPE_ERRORS)
        self.failed_writes = counter(families.SCALE_WRITE_ERRORS)
        self.postponed = counter(families.POSTPONED)
        self.decisions = counter(families.DECISIONS)
        self.backfill_progress = gauge(families.BACKFILL_PROGRESS)
        self.backfill_known = gauge(families.BACKFILL_KNOWN)
        self.services = gauge(families.SERVICES)
        self.metrics_available = gauge(families.METRICS_AVAILABLE)
        # increase() does not count what a series begins with: each has to be there before it counts.
        for results, counted in ((Result, self.reconciles), (TickResult, self.ticks)):
            for result in results:
                counted.labels(result.value)
        self.conditions: Final = ConditionSeries()
        self._of_services: Final = ServiceSeries()

    def exposition(self) -> str:
        """All of them as the text that Prometheus scrapes."""
        every = (*self._of_services.collect(), *self.conditions.collect())
        of_services = (line for family, samples in every for line in exposition.lines(family, samples))
        return generate_latest(self.registry).decode() + "".join(of_services)

    @contextmanager
    def reconciling(self) -> Iterator[None]:
        """Times one reconciliation, and counts how it ended; one that is cancelled has not."""
        try:
            with self.reconcile_seconds.time():
                yield
        except Exception as error:
            self.reconciles.labels(_result(error).value).inc()
            raise
        self.reconciles.labels(Result.SUCCESS.value).inc()

    def ticked(self, outcome: Outcome, *, now_seconds: float) -> None:
        """Takes in what a tick did."""
        self.ticks.labels(TickResult.DONE.value).inc()
        self.tick_time.set(now_seconds)
        for stage, seconds in outcome.stage_seconds.items():
            self.stage_seconds.labels(stage.value).observe(seconds)
        self.queries.inc(outcome.queries)
        if outcome.no_metrics is not None:
            self.prometheus_errors.labels(outcome.no_metrics.reason.value).inc()
        self.scrapes.inc(outcome.scrapes.asked)
        for reason, count in outcome.scrapes.failed.items():
            self.failed_scrapes.labels(reason).inc(count)
        self.failed_writes.inc(outcome.failed_writes)
        self.postponed.inc(outcome.postponed)
        decided = Count(ledger.reason(outcome.decisions, row) for row in range(len(outcome.keys)))
        for why, count in decided.items():
            self.decisions.labels(why.value).inc(count)
        self.services.set(len(outcome.keys))
        self.metrics_available.set(outcome.no_metrics is None)
        self._of_services.ticked(outcome)

    def not_ticked(self, result: TickResult) -> None:
        """Counts a tick that came to nothing."""
        self.ticks.labels(result.value).inc()


def _result(error: Exception) -> Result:
    by_class = {Conflict: Result.CONFLICT, Rejected: Result.REJECTED, Unavailable: Result.UNAVAILABLE}
    return next((result for kind, result in by_class.items() if isinstance(error, kind)), Result.FAULT)
