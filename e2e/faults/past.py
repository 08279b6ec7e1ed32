"""A past in Prometheus for a service that is only now made: blocks of promtool, and a creation that the proxy ages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES
from e2e.faults.stand.stand import Stand
from e2e.scenarios import sleeper
from e2e.scenarios.loopback import Sample
from foretide.serving import naming

DAY_SECONDS: Final = 86_400.0
STEP_SECONDS: Final = 60.0
# The newest two hours are Prometheus' own: no block may overlap what it has in memory.
UNTIL_SECONDS: Final = 3 * 3_600.0
COUNTERS: Final = ("nv_inference_request_success", "nv_inference_count")
ALL_SERVICES: Final = r"/apis/foretide.dev/v1alpha1/(namespaces/[^/]+/)?inferenceservices.*"

# Requests a second at a time (Unix time); None where nothing was scraped.
Load = Callable[[float], float | None]


def samples(
    namespace: str, service: str, load: Load, *, days: float, step_seconds: float = STEP_SECONDS
) -> Iterator[Sample]:
    """The counters of one pod that had all of the load."""
    pod = f"{naming.deployment_name(service, sleeper.HARDWARE_CLASS)}-0123456789-abcde"
    labels = {"namespace": namespace, "pod": pod, "model": service, "version": "1"}
    end = math.floor((time.time() - UNTIL_SECONDS) / step_seconds) * step_seconds
    steps = int(days * DAY_SECONDS / step_seconds)
    for metric in COUNTERS:
        count = 0.0
        for step in range(steps):
            at = end - (steps - step) * step_seconds
            rate = load(at)
            if rate is not None:
                count += rate * step_seconds
                yield Sample(metric, labels, count, at)
    for step in range(steps):  # nothing was refused
        at = end - (steps - step) * step_seconds
        if load(at) is not None:
            yield Sample("nv_inference_request_failure", {**labels, "reason": "REJECTED"}, 0.0, at)


def give(stand: Stand, folder: Path, found: Iterable[Sample], *, days: float) -> None:
    """Prometheus has the samples, and from now on the operator takes every service for so old; it is restarted, so that
    it reads anew."""
    stand.prometheus.fill(found, folder)
    stand.proxy.hurt(KUBERNETES, Fault.REWRITE, path=ALL_SERVICES, transform="aged", number=days * DAY_SECONDS)
    stand.operator.restart()


def until_read(stand: Stand) -> None:
    """Waits until the operator has read the past of all."""
    stand.operator.until_metric("foretide_backfill_known_seconds", lambda known: known > 0, within_seconds=90)
    stand.operator.until_metric("foretide_backfill_progress_ratio", lambda share: share >= 1, within_seconds=90)
