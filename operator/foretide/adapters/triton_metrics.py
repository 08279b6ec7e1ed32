"""Which of Triton's metrics tells which quantity: for the queries to Prometheus and for what a pod tells itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from foretide.scaling.policy import Quantity
from foretide.serving.latency_metrics import HISTOGRAM_FAMILY


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of Triton, and how many of its units make one of ours."""

    name: str
    per_unit: int = 1


@dataclass(frozen=True, slots=True)
class Distribution:
    """A metric of Triton that tells how latencies are distributed: one series for each number in a label."""

    name: str
    label: str
    per_second: int  # how many of its units of latency make a second


METRICS: Final[Mapping[Quantity, Metric]] = MappingProxyType(
    {
        Quantity.SUCCESS: Metric("nv_inference_request_success"),
        Quantity.FAILURE: Metric("nv_inference_request_failure"),
        Quantity.INFERENCE: Metric("nv_inference_count"),
        Quantity.EXECUTION: Metric("nv_inference_exec_count"),
        Quantity.PENDING: Metric("nv_inference_pending_request_count"),
        Quantity.REQUEST_SECONDS: Metric("nv_inference_request_duration_us", per_unit=1_000_000),
        # Not success - misses: Triton counts no miss where the same request was computed twice at once (of nine that
        # reached a model, eight of them together, it counted two).
        Quantity.CACHE_HITS: Metric("nv_cache_num_hits_per_model"),
    }
)
# What tells the series of one pod apart. Series that agree in them are one, told twice: the larger counts. The others
# are versions, failure reasons and GPUs (Triton exports a series per gpu_uuid) of one model: they add up.
SERIES_LABELS: Final = ("model", "version", "reason", "gpu_uuid")

# Of the latencies from the arrival of a request to its (first) answer: what took no longer than a bound, and quantiles
# of the last minute.
HISTOGRAM: Final = Distribution(f"{HISTOGRAM_FAMILY}_bucket", label="le", per_second=1_000)
SUMMARY: Final = Distribution("nv_inference_request_summary_us", label="quantile", per_second=1_000_000)
