"""What the peers ask Prometheus: requests answered a second, and with a queue that refuses those refused, too."""

from __future__ import annotations

from typing import Any, Final

from foretide.scaling.settings import ScalingSettings
from foretide.simulate.workload import QueueName

# As the documents of both recommend for a scrape of 5 s, and as Foretide asks.
WINDOW: Final = f"{ScalingSettings().rate_window_seconds:.0f}s"
# Of the Pods metric that prometheus-adapter makes.
METRIC: Final = {
    QueueName.DEFAULT: "triton_requests_per_second",
    QueueName.SLO: "triton_requests_and_rejections_per_second",
}
# Failures carry a reason, successes none.
_SERIES: Final = {
    QueueName.DEFAULT: "nv_inference_request_success{%s}",
    QueueName.SLO: '{__name__=~"nv_inference_request_success|nv_inference_request_failure",reason=~"|REJECTED",%s}',
}


def rate(queue: QueueName, matchers: str) -> str:
    """Requests a second, all series of the matchers together."""
    return f"sum(rate({_SERIES[queue] % matchers}[{WINDOW}]))"


def adapter_rules() -> list[dict[str, Any]]:
    """Rules of prometheus-adapter: a Pods metric for each queue."""
    return [
        {
            "seriesQuery": 'nv_inference_request_success{namespace!="",pod!=""}',
            "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
            "name": {"as": metric},
            "metricsQuery": f"{rate(queue, '<<.LabelMatchers>>')} by (<<.GroupBy>>)",
        }
        for queue, metric in METRIC.items()
    ]
