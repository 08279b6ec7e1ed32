"""Gathers what a tick decides on: six grouped queries for all services, and the pods as the API server shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.adapters import promql
from foretide.adapters.errors import AdapterError
from foretide.adapters.prometheus import Pod, Prometheus
from foretide.api.reasons import Reason
from foretide.control.pods import ready_since
from foretide.control.serving_status import rollout
from foretide.control.world import Key, World
from foretide.scaling.observation import Pods
from foretide.scaling.readings import Readings

Metrics = Mapping[str, Mapping[Pod, float]]


@dataclass(frozen=True, slots=True)
class NoMetrics:
    """Prometheus gave no complete answer: every service holds."""

    reason: Reason
    message: str


async def metrics(prometheus: Prometheus, *, rate_window_seconds: float) -> Metrics | NoMetrics:
    """All quantities by pod, or why not. Half an answer is none: success without failures would read as less load."""
    queries = promql.tick_queries(rate_window_seconds=rate_window_seconds).items()
    tasks = [asyncio.ensure_future(prometheus.by_pod(expression)) for _, expression in queries]
    try:
        answers = await asyncio.gather(*tasks)
    except AdapterError as error:
        return NoMetrics(Reason(error.reason), str(error))
    finally:
        for task in tasks:
            task.cancel()
    return {name: answer for (name, _), answer in zip(queries, answers, strict=True)}


# Stands for a pod that the Deployment counts as ready and the watch has not shown: ready since ever, and silent.
UNSEEN: Final = Pod("", "")


def _unseen(world: World, key: Key, *, ready: int) -> int:
    """Ready pods that the caches lack. With the watch of pods blind to 3 of 4, their load would read as zero.

    No more than are wanted: while a fleet shrinks, the Deployment counts pods as ready that are told to leave.
    """
    deployment = world.deployment(key)
    if deployment is None:
        return 0
    state = rollout(deployment)
    return max(0, min(state.ready, state.wanted) - ready)


def pods(world: World, keys: Sequence[Key], found: Metrics | NoMetrics, *, now_seconds: float) -> Pods:
    """The pods of all services as one table; `service` is the position in `keys`."""
    rows: list[tuple[int, Pod, float | None]] = []
    for row, key in enumerate(keys):
        known = [(row, Pod(key.namespace, pod["metadata"]["name"]), ready_since(pod)) for pod in world.pods(key)]
        rows += known
        rows += [(row, UNSEEN, 0.0)] * _unseen(world, key, ready=sum(since is not None for _, _, since in known))
    series: Metrics = {} if isinstance(found, NoMetrics) else found

    def readings(quantity: str) -> Readings:
        by_pod = series.get(quantity, {})
        return Readings.of([by_pod.get(pod) for _, pod, _ in rows])

    return Pods(
        service=np.array([row for row, _, _ in rows], dtype=np.int64),
        ready=np.array([since is not None for _, _, since in rows], dtype=np.bool_),
        ready_age_seconds=np.array(
            [max(0.0, now_seconds - since) if since is not None else 0.0 for _, _, since in rows], dtype=np.float64
        ),
        success_rps=readings("success_rps"),
        failure_rps=readings("failure_rps"),  # Triton exports it with the model, at 0: absent is unknown
        inference_rps=readings("inference_rps"),
        pending=readings("pending"),
        pending_growth_rps=readings("pending_growth_rps"),
        sample_age_seconds=readings("sample_age_seconds"),
    )
