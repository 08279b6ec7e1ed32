"""The counters of one pod: what a Triton with one slow model counts under a steady load, and how it tells it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from e2e.faults.fleet.behaviour import Behaviour

# Triton keeps quantiles of the last minute; these are those it exports.
QUANTILES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)


@dataclass(slots=True)
class Counters:
    """A fluid model of one queue: what comes is served at the model's pace, waits, or is refused."""

    model: str
    version: str
    at: float
    # A share of a request, of chance: else all pods of a service would count their next one in the same moment, and 20
    # of them at 0.05/s would tell 4/s now and then.
    success: float = field(default_factory=random.random)
    refused: float = 0.0
    pending: float = 0.0
    request_seconds: float = 0.0
    latency_seconds: float = 0.0

    def advance(self, now: float, rate_rps: float, behaviour: Behaviour) -> None:
        """Counts what came since the last time at this rate."""
        seconds = max(now - self.at, 0.0)
        self.at = now
        if not seconds:
            return
        most_rps, most_pending = 1 / behaviour.batch_seconds, behaviour.queue_seconds / behaviour.batch_seconds
        here = self.pending + rate_rps * seconds
        served = min(here, most_rps * seconds)
        waiting = here - served
        self.pending = min(waiting, most_pending)
        self.success += served
        self.refused += waiting - self.pending
        busy = min(rate_rps / most_rps, 0.95)
        # M/D/1 at its load, and the queue before it.
        queueing = busy / (2 * (1 - busy)) * behaviour.batch_seconds
        self.latency_seconds = behaviour.batch_seconds * (1 + self.pending) + queueing
        self.request_seconds += served * self.latency_seconds

    def text(self, behaviour: Behaviour) -> str:
        """In the exposition format, with the names and labels of Triton 2.51."""
        labels = f'model="{self.model}",version="{self.version}"'
        told = {
            "nv_inference_request_success": [(labels, int(self.success))],
            "nv_inference_request_failure": [
                (f'{labels},reason="REJECTED"', int(self.refused)),
                (f'{labels},reason="OTHER"', 0),
            ],
            "nv_inference_count": [(labels, int(self.success))],
            "nv_inference_exec_count": [(labels, int(self.success))],
            "nv_inference_pending_request_count": [(labels, int(self.pending))],
            "nv_inference_request_duration_us": [(labels, int(self.request_seconds * 1e6))],
            "nv_inference_request_summary_us": [
                (f'{labels},quantile="{quantile}"', int(self.latency_seconds * 1e6 * (0.8 + 0.4 * quantile)))
                for quantile in QUANTILES
                if self.success
            ],
        }
        moment = "" if behaviour.ahead_seconds is None else f" {int((self.at + behaviour.ahead_seconds) * 1000)}"
        lines = []
        for name, series in told.items():
            kind = "gauge" if "pending" in name else "summary" if "summary" in name else "counter"
            lines += [f"# HELP {name} As Triton has it", f"# TYPE {name} {kind}"]
            if name in behaviour.absent or "all" in behaviour.absent:
                continue
            lines += [f"{name}{{{which}}} {behaviour.values.get(name, value)}{moment}" for which, value in series]
        return "\n".join([*lines, ""])

    def statistics(self, behaviour: Behaviour) -> dict[str, Any]:
        """As `/v2/models/NAME/stats` answers."""
        count = int(self.success)
        nanoseconds = int(count * behaviour.batch_seconds * 1e9)
        batch = {
            "batch_size": 1,
            "compute_input": {"count": count, "ns": 0},
            "compute_infer": {"count": count, "ns": nanoseconds},
            "compute_output": {"count": count, "ns": 0},
        }
        return {"model_stats": [{"name": self.model, "version": self.version, "batch_stats": [batch] if count else []}]}

    def restart(self) -> None:
        """Everything from zero."""
        self.refused = self.pending = self.request_seconds = 0.0
        self.success = random.random()
