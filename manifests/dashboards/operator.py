"""The operator itself: whether it decides, how long that takes, and who does not answer it."""

from __future__ import annotations

from typing import Final

from manifests.dashboards.grafana import Dashboard, Kind, Panel, Query, Row, Unit

_LEADS: Final = "on (job, instance) foretide_leader == 1"


def _quantile(level: float, histogram: str) -> str:
    return f"histogram_quantile({level:g}, sum by (le) (rate({histogram}_bucket[5m])))"


_STATE: Final = Row(
    "Now",
    (
        Panel(
            title="Leaders",
            text="Operators that hold the Lease: one, whatever the number of pods.",
            queries=(Query("sum(foretide_leader)"),),
            kind=Kind.NUMBER,
            width=4,
            red_below=1,
        ),
        Panel(
            title="Pods",
            text="Operators, those that stand by included.",
            queries=(Query("count(foretide_leader)"),),
            kind=Kind.NUMBER,
            width=4,
        ),
        Panel(
            title="Last tick",
            text="Time since the autoscale loop last came to its end.",
            queries=(Query(f"time() - max(foretide_last_tick_timestamp_seconds and {_LEADS})"),),
            kind=Kind.NUMBER,
            unit=Unit.SECONDS,
            width=4,
            red_above=120,
        ),
        Panel(
            title="Services",
            text="InferenceServices that the autoscale loop decides for.",
            queries=(Query("max(foretide_services)"),),
            kind=Kind.NUMBER,
            width=4,
        ),
        Panel(
            title="Prometheus answers",
            text="1 when Prometheus answered the last tick.",
            queries=(Query(f"min(foretide_metrics_available and {_LEADS})"),),
            kind=Kind.NUMBER,
            width=4,
            red_below=1,
        ),
        Panel(
            title="Past that was read",
            text="Share of the past of services that was asked of Prometheus since the start.",
            queries=(Query(f"max(foretide_backfill_progress_ratio and {_LEADS})"),),
            kind=Kind.NUMBER,
            unit=Unit.SHARE,
            width=4,
        ),
    ),
)
_TICKS: Final = Row(
    "Ticks of the autoscale loop",
    (
        Panel(
            title="Time of a tick",
            text="Half and 99 % of the ticks, beside their interval.",
            queries=(
                Query(_quantile(0.5, "foretide_tick_duration_seconds"), "p50"),
                Query(_quantile(0.99, "foretide_tick_duration_seconds"), "p99"),
                Query("max(foretide_tick_interval_seconds)", "interval"),
            ),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Time of its parts",
            text="observe: Prometheus and Triton's statistics; decide: for all services; write: status and replicas.",
            queries=(
                Query(
                    "sum by (stage) (rate(foretide_tick_stage_duration_seconds_sum[5m])) "
                    "/ sum by (stage) (rate(foretide_tick_stage_duration_seconds_count[5m]))",
                    "{{stage}}",
                ),
            ),
            unit=Unit.SECONDS,
            stacked=True,
        ),
        Panel(
            title="Ticks by how they ended",
            text="timeout: given up at the deadline; fault: of the operator itself.",
            queries=(Query("sum by (result) (rate(foretide_ticks_total[5m]))", "{{result}}"),),
            unit=Unit.PER_SECOND,
            stacked=True,
        ),
        Panel(
            title="Decisions by reason",
            text="Share of the decisions on all services, those that change nothing included.",
            queries=(
                Query(
                    "sum by (reason) (rate(foretide_decisions_total[5m])) "
                    "/ on () group_left () sum(rate(foretide_decisions_total[5m]))",
                    "{{reason}}",
                ),
            ),
            unit=Unit.SHARE,
            stacked=True,
            width=16,
        ),
        Panel(
            title="Decisions that were not taken",
            text="failed: the API server refused status or /scale, or gave no answer; postponed: services "
            "whose status or scaling in a tick had no time for.",
            queries=(
                Query("sum(rate(foretide_scale_write_errors_total[5m]))", "failed"),
                Query("sum(rate(foretide_postponed_writes_total[5m]))", "postponed"),
            ),
            unit=Unit.PER_SECOND,
        ),
    ),
)
_RECONCILE: Final = Row(
    "Reconciliation",
    (
        Panel(
            title="Reconciliations by how they ended",
            text="All but those with success are tried again.",
            queries=(Query("sum by (result) (rate(foretide_reconciles_total[5m]))", "{{result}}"),),
            unit=Unit.PER_SECOND,
            stacked=True,
        ),
        Panel(
            title="Time of a reconciliation",
            text="Half and 99 % of them.",
            queries=(
                Query(_quantile(0.5, "foretide_reconcile_duration_seconds"), "p50"),
                Query(_quantile(0.99, "foretide_reconcile_duration_seconds"), "p99"),
            ),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Work queue",
            text="Services that wait, and those whose last reconciliation failed.",
            queries=(
                Query("max(foretide_workqueue_depth)", "waiting"),
                Query("max(foretide_workqueue_retrying)", "retrying"),
            ),
        ),
        Panel(
            title="Watch events by kind",
            text="What the API server told.",
            queries=(Query("sum by (kind) (rate(foretide_watch_events_total[5m]))", "{{kind}}"),),
            unit=Unit.PER_SECOND,
            stacked=True,
        ),
    ),
)
_OTHERS: Final = Row(
    "Prometheus, pods and the process",
    (
        Panel(
            title="Ticks without an answer of Prometheus",
            text="By the reason that MetricsAvailable has.",
            queries=(Query("sum by (reason) (rate(foretide_prometheus_errors_total[5m]))", "{{reason}}"),),
            unit=Unit.PER_SECOND,
        ),
        Panel(
            title="Queries and pods read",
            text="PromQL queries, pods that were read directly, and those of them that told nothing.",
            queries=(
                Query("sum(rate(foretide_prometheus_queries_total[5m]))", "queries"),
                Query("sum(rate(foretide_pod_scrapes_total[5m]))", "pods read"),
                Query("sum by (reason) (rate(foretide_pod_scrape_errors_total[5m]))", "not read: {{reason}}"),
            ),
            unit=Unit.PER_SECOND,
        ),
        Panel(
            title="Processor time",
            text="Cores that the operator uses.",
            queries=(
                Query("rate(process_cpu_seconds_total[5m]) and on (job, instance) foretide_leader", "{{instance}}"),
            ),
        ),
        Panel(
            title="Memory",
            text="Resident memory of the operator.",
            queries=(Query("process_resident_memory_bytes and on (job, instance) foretide_leader", "{{instance}}"),),
            unit=Unit.BYTES,
        ),
    ),
)
OPERATOR: Final = Dashboard(
    uid="foretide-operator",
    title="Foretide / Operator",
    text="The operator itself: whether it decides, how long that takes, and who does not answer it.",
    rows=(_STATE, _TICKS, _RECONCILE, _OTHERS),
)
