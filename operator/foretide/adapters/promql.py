"""The PromQL of one query of a policy: for all Triton pods at once, grouped by pod, whatever the number of services.

No text of any user enters an expression: everything is asked for all Triton pods, and the control layer keeps the
pods that it owns by namespace and name (a label that a target could forge decides nothing).
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Final

from foretide.scaling.policy import Over, Quantity, Query

_METRICS: Final = MappingProxyType(
    {
        Quantity.SUCCESS: "nv_inference_request_success",
        Quantity.FAILURE: "nv_inference_request_failure",
        Quantity.INFERENCE: "nv_inference_count",
        Quantity.EXECUTION: "nv_inference_exec_count",
        Quantity.PENDING: "nv_inference_pending_request_count",
        Quantity.REQUEST_SECONDS: "nv_inference_request_duration_us",
    }
)
# Where Triton's unit is smaller than ours: how many of them make one.
_PER_UNIT: Final = MappingProxyType({Quantity.REQUEST_SECONDS: "1e6"})
# PromQL knows no fractions of a second.
_SHORTEST_WINDOW_SECONDS: Final = 1.0

_BY_POD: Final = "by (namespace, pod)"
_BY_SERIES: Final = "by (namespace, pod, model, version, reason, gpu_uuid)"


def expression(query: Query) -> str:
    """Answers one sample per (namespace, pod); raises ValueError for what Triton does not export.

    `max` merges what two scrapes of one pod tell (a PodMonitor beside annotations, two Prometheus replicas), `sum`
    adds versions, failure reasons and GPUs (Triton exports a series per gpu_uuid).
    """
    metric = _METRICS.get(query.quantity)
    if metric is None:
        raise ValueError(f"quantity must be one of {', '.join(_METRICS)}, not {query.quantity}: no server exports it")
    if query.over is Over.AGE:
        return f"time() - max {_BY_POD} (timestamp({metric}))"
    # All others that need a window are named as PromQL names them.
    samples = metric if query.over is Over.NEWEST else f"{query.over.value}({metric}[{_window(query)}])"
    by_pod = f"sum {_BY_POD} (max {_BY_SERIES} ({samples}))"
    unit = _PER_UNIT.get(query.quantity)
    return by_pod if unit is None else f"{by_pod} / {unit}"


def _window(query: Query) -> str:
    if not _SHORTEST_WINDOW_SECONDS <= query.window_seconds < math.inf:
        raise ValueError(
            f"window_seconds of {query.over} of {query.quantity} must be finite and at least "
            f"{_SHORTEST_WINDOW_SECONDS:g}, not {query.window_seconds:g}"
        )
    return f"{query.window_seconds:.0f}s"
