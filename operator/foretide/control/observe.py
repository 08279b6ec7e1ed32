"""Gathers what a tick decides on: the brain's queries for all services, and the pods as the API server shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from foretide.adapters import promql
from foretide.adapters.errors import AdapterError
from foretide.adapters.prometheus import Pod, Prometheus
from foretide.adapters.resources import Object
from foretide.api.reasons import Reason
from foretide.control.pods import deployment_of, is_ready, is_terminating, is_wanted, ready_since, seconds
from foretide.control.serving_status import rollout
from foretide.control.world import Key, World
from foretide.scaling.arrays import Bools, Floats
from foretide.scaling.demand import CLOCK_TOLERANCE_SECONDS
from foretide.scaling.policy import PodList, Query
from foretide.scaling.readings import Readings

Metrics = Mapping[Query, Mapping[Pod, float]]


@dataclass(frozen=True, slots=True)
class NoMetrics:
    """Prometheus gave no complete answer: what the pods tell themselves is all there is."""

    reason: Reason
    message: str


async def metrics(
    prometheus: Prometheus, queries: Sequence[Query], *, namespaces: Sequence[str] = ()
) -> Metrics | NoMetrics:
    """All answers by pod, or why not. Half an answer is none: success without failures would read as less load."""
    expressions = [promql.expression(query, namespaces=namespaces) for query in queries]
    tasks = [asyncio.ensure_future(prometheus.by_pod(expression)) for expression in expressions]
    try:
        answers = await asyncio.gather(*tasks)
    except AdapterError as error:
        return NoMetrics(Reason(error.reason), str(error))
    finally:
        for task in tasks:
            task.cancel()
    return dict(zip(queries, answers, strict=True))


class _Shown(NamedTuple):
    """What the API server tells of a pod; times since the epoch."""

    pod: Pod
    created: float
    ready_since: float | None = None
    leaving: bool = False


# Stands for a pod that the Deployment counts and the watch has not shown: there and ready since ever, and silent. So it
# is expected to report, and what it may serve keeps the fleet from shrinking.
_UNSEEN: Final = _Shown(Pod("", ""), created=0.0, ready_since=0.0)


def _unseen(deployment: Object, pods: Sequence[Object]) -> int:
    """Pods of a Deployment that the caches lack. With the watch of pods blind to 3 of 4, their load would read as zero.

    Those that exist and are not ready yet count as well. The Deployment's own watch may fall silent along with that of
    its pods, and then it never tells that they became ready: three replicas were taken for the one that was known, and
    two of them taken away. (One that falls silent between a number of ours and the first pods made for it tells of
    neither.) No more count than are wanted: while a fleet shrinks, the Deployment counts pods that are told to leave.
    """
    state, name = rollout(deployment), deployment["metadata"]["name"]
    own = [pod for pod in pods if deployment_of(pod) == name and is_wanted(pod)]
    ready = min(state.ready, state.wanted) - sum(map(is_ready, own))
    return max(0, ready, min(state.existing, state.wanted) - len(own))


def once_ready(names: Sequence[Pod], ready: Bools, before: frozenset[Pod]) -> frozenset[Pod]:
    """Pods that are there (`names`, as `pods` gives them) and are `ready`, or were (`before`)."""
    unseen = _UNSEEN.pod
    return frozenset(
        pod
        for pod, is_ready in zip(names, ready.tolist(), strict=True)
        if (is_ready or pod in before) and pod != unseen
    )


def pods(
    world: World,
    keys: Sequence[Key],
    found: Metrics,
    *,
    queries: Sequence[Query],
    now_seconds: float,
    ageless: frozenset[Pod] = frozenset(),
) -> tuple[PodList, Mapping[Query, Readings], Sequence[Pod]]:
    """The pods of all services as one table, what each of them answers, and their names; `service` is the position in
    `keys`.

    The age of `ageless` pods is no number. One that was ready before, and whose probe failed for a moment, is not one
    that takes half an hour to start, nor is one that waits for a node. Nor is it known since when one of them is ready
    that will be so by the clock: it was set back, and would for as long take every pod for one that is too young to
    tell its load.
    """
    rows: list[tuple[int, _Shown]] = []
    for row, key in enumerate(keys):
        known = world.pods(key)
        unseen = sum(_unseen(deployment, known) for deployment in world.deployments(key))
        rows += [(row, pod) for pod in (*(_shown(pod, key) for pod in known), *[_UNSEEN] * unseen)]

    def ages(moments: Sequence[float | None]) -> Floats:
        """0 also where the moment is to come."""
        past = [now_seconds if moment is None else moment for moment in moments]
        return np.maximum(now_seconds - np.array(past, dtype=np.float64), 0.0)

    def readings(query: Query) -> Readings:
        by_pod = found.get(query, {})
        return Readings.of([by_pod.get(shown.pod) for _, shown in rows])

    table = PodList(
        service=np.array([row for row, _ in rows], dtype=np.int64),
        ready=np.array([shown.ready_since is not None for _, shown in rows], dtype=np.bool_),
        leaving=np.array([shown.leaving for _, shown in rows], dtype=np.bool_),
        ready_age_seconds=np.where(
            [shown.pod in ageless and _is_to_come(shown.ready_since, now_seconds) for _, shown in rows],
            np.nan,
            ages([shown.ready_since for _, shown in rows]),
        ),
        age_seconds=np.where(
            [shown.pod in ageless for _, shown in rows], np.nan, ages([shown.created for _, shown in rows])
        ),
    )
    return table, {query: readings(query) for query in queries}, [shown.pod for _, shown in rows]


def _is_to_come(moment: float | None, now_seconds: float) -> bool:
    return moment is not None and moment > now_seconds + CLOCK_TOLERANCE_SECONDS


def _shown(pod: Object, key: Key) -> _Shown:
    metadata = pod["metadata"]
    return _Shown(
        Pod(key.namespace, metadata["name"]),
        created=seconds(metadata["creationTimestamp"]),
        ready_since=ready_since(pod),
        leaving=is_terminating(pod),
    )
