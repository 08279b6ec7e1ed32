"""One service: what was asked, foreseen and decided, what came of its SLO, and what its Triton pods do."""

from __future__ import annotations

from typing import Final

from manifests.dashboards.grafana import Dashboard, Kind, Panel, Query, Row, Unit, Variable

_OF: Final = 'namespace="$namespace", service="$service"'
# A pod is called <service>--<hardware class>-<hash>-<letters>.
_PODS: Final = 'namespace="$namespace", pod=~"${service:regex}--.*"'


def _value(metric: str, matchers: str = "", *, by: str = "") -> str:
    """The value, whichever operator tells it."""
    kept = f" by ({by})" if by else ""
    return f"max{kept} ({metric}{{{', '.join(filter(None, (_OF, matchers)))}}})"


def _rate(metric: str, *, by: str = "") -> str:
    """The rate of one of Triton's counters over the pods of the service."""
    kept = f" by ({by})" if by else ""
    return f"sum{kept} (rate({metric}{{{_PODS}}}[$__rate_interval]))"


def _per_request(metric: str) -> str:
    """The mean over requests of one of Triton's times, in seconds."""
    return f"{_rate(metric)} / {_rate('nv_inference_request_success')} / 1e6"


_NOW: Final = Row(
    "Now",
    (
        Panel(
            title="Ready replicas",
            text="Replicas that are ready.",
            queries=(Query(_value("foretide_ready_replicas")),),
            kind=Kind.NUMBER,
            width=4,
            red_below=1,
        ),
        Panel(
            title="Wanted replicas",
            text="Replicas of the last decision.",
            queries=(Query(_value("foretide_desired_replicas")),),
            kind=Kind.NUMBER,
            width=4,
        ),
        Panel(
            title="Error budget left",
            text="Within spec.slo.window; below 0 once it is overspent.",
            queries=(Query(_value("foretide_error_budget_left_ratio")),),
            kind=Kind.NUMBER,
            unit=Unit.SHARE,
            width=4,
            least=None,
            red_below=0,
        ),
        Panel(
            title="SLO",
            text="spec.slo: within which latency, and what share of the requests.",
            queries=(Query(_value("foretide_slo_latency_seconds")),),
            kind=Kind.NUMBER,
            unit=Unit.SECONDS,
            width=4,
        ),
        Panel(
            title="Start of a replica",
            text="Nine of ten replicas are ready within this time: how far ahead the load is foreseen.",
            queries=(Query(_value("foretide_lead_time_seconds")),),
            kind=Kind.NUMBER,
            unit=Unit.SECONDS,
            width=4,
        ),
        Panel(
            title="Cost per hour",
            text="Price of its replicas, by the cost of the hardware class.",
            queries=(Query(_value("foretide_cost_per_hour", by="hardware_class, currency"), "{{currency}}"),),
            kind=Kind.NUMBER,
            width=4,
        ),
    ),
)
_SCALING: Final = Row(
    "Load and replicas",
    (
        Panel(
            title="Load",
            text="Items a second: asked for, foreseen for when a replica started now is ready, and what the ready "
            "replicas are counted on for within the SLO.",
            queries=(
                Query(_value("foretide_demand_items_per_second"), "asked for"),
                Query(_value("foretide_forecast_items_per_second", 'level="median"'), "foreseen (median)"),
                Query(_value("foretide_forecast_items_per_second", 'level="provided"'), "provided for"),
                Query(
                    f"{_value('foretide_capacity_items_per_second')} * {_value('foretide_ready_replicas')}", "capacity"
                ),
            ),
            unit=Unit.PER_SECOND,
            width=12,
        ),
        Panel(
            title="Replicas",
            text="Of the Deployment, ready and decided, between the bounds of the spec.",
            queries=(
                Query(_value("foretide_replicas"), "replicas"),
                Query(_value("foretide_ready_replicas"), "ready"),
                Query(_value("foretide_desired_replicas"), "decided"),
                Query(_value("foretide_min_replicas"), "minReplicas"),
                Query(_value("foretide_max_replicas"), "maxReplicas"),
            ),
            width=12,
        ),
        Panel(
            title="Conditions",
            text="As status.conditions has them: 1 is True, 0 is False; Unknown is not listed.",
            queries=(Query(_value("foretide_condition", by="condition, reason"), "value"),),
            kind=Kind.TABLE,
            shown=("condition", "reason"),
        ),
        Panel(
            title="Capacity of a replica",
            text="Items a second that one replica is counted on for within the SLO.",
            queries=(Query(_value("foretide_capacity_items_per_second"), "items/s"),),
            unit=Unit.PER_SECOND,
        ),
        Panel(
            title="Forecast",
            text="Share of what came at or below the 0.9 quantile: 0.9 where the forecast is calibrated; and its "
            "pinball loss, of which 0.01 is about 1 % of the load.",
            queries=(
                Query(_value("foretide_forecast_coverage_ratio"), "coverage of 0.9"),
                Query(_value("foretide_forecast_pinball_loss"), "pinball loss"),
            ),
        ),
    ),
)
_SLO: Final = Row(
    "SLO",
    (
        Panel(
            title="Late or refused",
            text="Share of its items in five minutes, and the share that the objective allows.",
            queries=(
                Query(
                    f"sum(rate(foretide_slo_late_items_total{{{_OF}}}[5m])) "
                    f"/ sum(rate(foretide_slo_items_total{{{_OF}}}[5m]))",
                    "late or refused",
                ),
                Query(f"1 - {_value('foretide_slo_objective_ratio')}", "allowed"),
            ),
            unit=Unit.SHARE,
        ),
        Panel(
            title="Burn rates",
            text="Times the rate at which the error budget lasts just for its window; 14.4 for an hour is a page.",
            queries=(Query(_value("foretide_error_budget_burn_rate", by="window"), "{{window}}"),),
            red_above=14.4,
        ),
        Panel(
            title="Error budget left",
            text="Within spec.slo.window; below 0 once it is overspent.",
            queries=(Query(_value("foretide_error_budget_left_ratio"), "left"),),
            unit=Unit.SHARE,
            least=None,
            red_below=0,
        ),
    ),
)
_TRITON: Final = Row(
    "Triton",
    (
        Panel(
            title="Requests",
            text="As Triton counts them, refusals by reason; REJECTED has waited too long in the queue.",
            queries=(
                Query(_rate("nv_inference_request_success"), "answered"),
                Query(
                    f"sum by (reason) (rate(nv_inference_request_failure{{{_PODS}}}[$__rate_interval]))", "{{reason}}"
                ),
            ),
            unit=Unit.PER_SECOND,
        ),
        Panel(
            title="Mean time of a request",
            text="In the server, in its queue, and in the model.",
            queries=(
                Query(_per_request("nv_inference_request_duration_us"), "whole"),
                Query(_per_request("nv_inference_queue_duration_us"), "queue"),
                Query(_per_request("nv_inference_compute_infer_duration_us"), "model"),
            ),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Waiting requests by pod",
            text="In the queues of Triton.",
            queries=(Query(f"sum by (pod) (nv_inference_pending_request_count{{{_PODS}}})", "{{pod}}"),),
        ),
        Panel(
            title="Mean batch",
            text="Items that one execution of the model works on.",
            queries=(Query(f"{_rate('nv_inference_count')} / {_rate('nv_inference_exec_count')}", "items"),),
        ),
        Panel(
            title="Slowest pods",
            text="Latency that 99 % of the requests of a pod keep, over the last minute, where Triton has summaries.",
            queries=(
                Query(
                    f'topk(5, max by (pod) (nv_inference_request_summary_us{{{_PODS}, quantile="0.99"}}) / 1e6)',
                    "{{pod}}",
                ),
            ),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Items by pod",
            text="What each pod answers.",
            queries=(Query(_rate("nv_inference_count", by="pod"), "{{pod}}"),),
            unit=Unit.PER_SECOND,
            stacked=True,
        ),
    ),
)
_CHALLENGER: Final = Row(
    "Policy in the shadow",
    (
        Panel(
            title="Replicas",
            text="Of the policy that acts, and of the one that is tried (spec.challenger of the ScalingPolicy).",
            queries=(
                Query(_value("foretide_desired_replicas"), "acts"),
                Query(_value("foretide_challenger_replicas"), "is tried"),
            ),
        ),
        Panel(
            title="Late",
            text="Share of what was asked since the comparison began, by one estimate.",
            queries=(Query(_value("foretide_challenger_late_ratio", by="policy"), "{{policy}}"),),
            unit=Unit.SHARE,
        ),
        Panel(
            title="Replica hours",
            text="Since the comparison began.",
            queries=(Query(f"{_value('foretide_challenger_replica_seconds', by='policy')} / 3600", "{{policy}}"),),
        ),
    ),
)
SERVICE: Final = Dashboard(
    uid="foretide-service",
    title="Foretide / Service",
    text="One InferenceService: what was asked, foreseen and decided, what came of its SLO, and what Triton does.",
    variables=(
        Variable("namespace", "label_values(foretide_condition, namespace)"),
        Variable("service", 'label_values(foretide_condition{namespace="$namespace"}, service)'),
    ),
    rows=(_NOW, _SCALING, _SLO, _TRITON, _CHALLENGER),
)
