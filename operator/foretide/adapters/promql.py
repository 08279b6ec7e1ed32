"""The PromQL of one tick: a fixed number of queries, grouped by pod, whatever the number of services.

No text of any user enters a query: everything is asked for all Triton pods, and the control layer keeps the
pods that it owns by namespace and name (a label that a target could forge decides nothing).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class TickQueries:
    """One PromQL expression per quantity; each answers one sample per (namespace, pod)."""

    success_rps: str
    failure_rps: str
    inference_rps: str
    pending: str
    pending_growth_rps: str
    sample_age_seconds: str

    def items(self) -> tuple[tuple[str, str], ...]:
        """(name of the quantity, expression) pairs in a fixed order."""
        return tuple((field.name, getattr(self, field.name)) for field in fields(self))


_BY_POD: Final = "by (namespace, pod)"
_BY_SERIES: Final = "by (namespace, pod, model, version, reason, gpu_uuid)"


def tick_queries(*, rate_window_seconds: float) -> TickQueries:
    """The queries of a tick; the rate window must hold at least four scrapes to survive one lost scrape.

    `max` merges what two scrapes of one pod tell (a PodMonitor beside annotations, two Prometheus replicas), `sum`
    adds versions, failure reasons and GPUs (Triton exports a series per gpu_uuid). Failures count every reason: a
    request that timed out in the queue (REJECTED) was asked for all the same.
    """
    window = f"[{rate_window_seconds:.0f}s]"
    return TickQueries(
        success_rps=f"sum {_BY_POD} (max {_BY_SERIES} (rate(nv_inference_request_success{window})))",
        failure_rps=f"sum {_BY_POD} (max {_BY_SERIES} (rate(nv_inference_request_failure{window})))",
        inference_rps=f"sum {_BY_POD} (max {_BY_SERIES} (rate(nv_inference_count{window})))",
        pending=f"sum {_BY_POD} (max {_BY_SERIES} (nv_inference_pending_request_count))",
        pending_growth_rps=f"sum {_BY_POD} (max {_BY_SERIES} (deriv(nv_inference_pending_request_count{window})))",
        sample_age_seconds=f"time() - max {_BY_POD} (timestamp(nv_inference_request_success))",
    )


QUERIES_PER_TICK: Final = len(fields(TickQueries))
