"""All services: which need a look, what is asked of them and what they cost."""

from __future__ import annotations

from typing import Final

from manifests.dashboards.grafana import Dashboard, Kind, Panel, Query, Row, Unit, Variable

_IN: Final = 'namespace=~"$namespace"'
_OF_SERVICE: Final = "by (namespace, service)"


def _condition(kind: str) -> str:
    return _each("foretide_condition", f'condition="{kind}"')


def _each(metric: str, matchers: str = "") -> str:
    """One value for each service, whichever operator tells it."""
    return f"max {_OF_SERVICE} ({metric}{{{', '.join(filter(None, (_IN, matchers)))}}})"


_BURN_RATE: Final = _each("foretide_error_budget_burn_rate", 'window="1h"')
_LOOK: Final = Row(
    "What needs a look",
    (
        Panel(
            title="Services",
            text="InferenceServices with a status.",
            queries=(Query(f"count({_condition('Ready')})"),),
            kind=Kind.NUMBER,
            width=4,
        ),
        Panel(
            title="Answer no requests",
            text="The condition Ready is False: no replica answers.",
            queries=(Query(f"count({_condition('Ready')} == 0) or vector(0)"),),
            kind=Kind.NUMBER,
            width=4,
            red_above=1,
        ),
        Panel(
            title="Wait for a person",
            text="The condition Stalled is True.",
            queries=(Query(f"count({_condition('Stalled')} == 1) or vector(0)"),),
            kind=Kind.NUMBER,
            width=4,
            red_above=1,
        ),
        Panel(
            title="Without error budget",
            text="Nothing is left of the error budget within spec.slo.window.",
            queries=(Query(f"count({_each('foretide_error_budget_left_ratio')} <= 0) or vector(0)"),),
            kind=Kind.NUMBER,
            width=4,
            red_above=1,
        ),
        Panel(
            title="Limited",
            text="The load needs more replicas than the service gets.",
            queries=(Query(f"count({_condition('ScalingLimited')} == 1) or vector(0)"),),
            kind=Kind.NUMBER,
            width=4,
            red_above=1,
        ),
        Panel(
            title="Cost per hour",
            text="Price of all replicas, by the cost of their hardware classes.",
            queries=(Query(f"sum by (currency) (foretide_cost_per_hour{{{_IN}}})", "{{currency}}"),),
            kind=Kind.NUMBER,
            width=4,
        ),
        Panel(
            title="Services by error budget left",
            text="The least first; burn rate is that of the last hour.",
            queries=(
                Query(f"sort({_each('foretide_error_budget_left_ratio')})", "budget left"),
                Query(_BURN_RATE, "burn rate"),
                Query(_each("foretide_ready_replicas"), "ready"),
                Query(_each("foretide_desired_replicas"), "wanted"),
                Query(_each("foretide_demand_items_per_second"), "items/s"),
            ),
            kind=Kind.TABLE,
            width=14,
            least=None,
            shown=("namespace", "service"),
        ),
        Panel(
            title="Conditions that are not as they should be",
            text="False where True is well, and the reverse, with the reason.",
            queries=(
                Query(
                    "max by (namespace, service, condition, reason) ("
                    f'foretide_condition{{{_IN}, condition!~"Stalled|Reconciling|ScalingLimited"}} == 0 '
                    f'or foretide_condition{{{_IN}, condition=~"Stalled|ScalingLimited"}} == 1)',
                    "value",
                ),
            ),
            kind=Kind.TABLE,
            width=10,
            shown=("namespace", "service", "condition", "reason"),
        ),
    ),
)
_LOAD: Final = Row(
    "Load and replicas",
    (
        Panel(
            title="Load",
            text="Items a second: asked for, and what the ready replicas are counted on for within their SLOs.",
            queries=(
                Query(f"sum({_each('foretide_demand_items_per_second')})", "asked for"),
                Query(
                    f"sum({_each('foretide_capacity_items_per_second')} * {_each('foretide_ready_replicas')})",
                    "capacity",
                ),
            ),
            unit=Unit.PER_SECOND,
        ),
        Panel(
            title="Replicas by namespace",
            text="spec.replicas of the Deployments; of several hardware classes, those that are counted on.",
            queries=(Query(f"sum by (namespace) ({_each('foretide_replicas')})", "{{namespace}}"),),
            stacked=True,
        ),
        Panel(
            title="Cost per hour by hardware class",
            text="Price of the replicas, by the cost of their hardware classes.",
            queries=(
                Query(
                    "sum by (hardware_class, currency) (max by (namespace, service, hardware_class, currency) "
                    f"(foretide_cost_per_hour{{{_IN}}}))",
                    "{{hardware_class}} ({{currency}})",
                ),
            ),
            stacked=True,
        ),
        Panel(
            title="Late or refused",
            text="Share of the items of all services in five minutes.",
            queries=(
                Query(
                    f"sum(rate(foretide_slo_late_items_total{{{_IN}}}[5m])) "
                    f"/ sum(rate(foretide_slo_items_total{{{_IN}}}[5m]))",
                    "late or refused",
                ),
            ),
            unit=Unit.SHARE,
        ),
        Panel(
            title="Fastest burn rates",
            text="Ten services that spend their budgets fastest, over an hour; at 1 a budget lasts for its window.",
            queries=(Query(f"topk(10, {_BURN_RATE})", "{{namespace}}/{{service}}"),),
            red_above=14.4,
        ),
        Panel(
            title="Slowest starts",
            text="Ten services whose replicas take longest to be ready, nine of ten times.",
            queries=(Query(f"topk(10, {_each('foretide_lead_time_seconds')})", "{{namespace}}/{{service}}"),),
            unit=Unit.SECONDS,
        ),
    ),
)
FLEET: Final = Dashboard(
    uid="foretide-fleet",
    title="Foretide / Fleet",
    text="All InferenceServices: which need a look, what is asked of them and what they cost.",
    variables=(Variable("namespace", "label_values(foretide_condition, namespace)", all_values=True),),
    rows=(_LOOK, _LOAD),
)
