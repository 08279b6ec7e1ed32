"""Which replicas of which services do not start, as the API server shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from foretide.adapters.resources import Object
from foretide.control.pods import crashes_at_start, deployment_of, is_wanted, uncreated_since, unschedulable_since
from foretide.control.serving_status import rollout
from foretide.scaling.decision import Hindrance, Stuck

# A pod that waits for a shorter time may wait for nothing but the scheduler, or a node that is just being added.
UNSCHEDULABLE_SECONDS: Final = 120.0
# A registry that fails once is asked again within seconds.
UNCREATED_SECONDS: Final = 120.0


class Hindered(NamedTuple):
    """One row of `Stuck`."""

    cause: Hindrance
    stuck: int
    going: int


UNHINDERED: Final = Hindered(Hindrance.NONE, 0, 0)


def stuck(services: Iterable[Hindered]) -> Stuck:
    """One row per service."""
    rows = list(services)
    return Stuck(
        cause=np.array([row.cause for row in rows], dtype=np.int64),
        count=np.array([row.stuck for row in rows], dtype=np.int64),
        going=np.array([row.going for row in rows], dtype=np.int64),
    )


def hindered(deployment: Object, pods: Sequence[Object], *, now_seconds: float) -> Hindered:
    """What keeps replicas of the Deployment from starting; `pods` are all of its service.

    A roll-out's surge counts as going while it is: its pods are there to serve.
    """
    state, name = rollout(deployment), deployment["metadata"]["name"]
    if state.complete:  # as nearly always: not all pods of 5,000 services are looked at in each tick
        return Hindered(Hindrance.NONE, 0, state.ready)
    existing = [pod for pod in pods if is_wanted(pod) and deployment_of(pod) == name]
    of = Counter(_hindrance(pod, now_seconds) for pod in existing)
    # Ready pods that the watch has not shown are there nevertheless.
    going = max(of[Hindrance.NONE], state.ready)
    causes = {
        Hindrance.REFUSED: max(state.wanted - state.existing, 0) if state.refusal else 0,
        **{one: of[one] for one in (Hindrance.CRASHING, Hindrance.UNSCHEDULABLE, Hindrance.UNCREATED)},
    }
    cause = max(causes, key=lambda each: causes[each])
    return Hindered(cause if causes[cause] else Hindrance.NONE, causes[cause], going)


def without_age(deployment: Object, pods: Sequence[Object], *, now_seconds: float) -> frozenset[str]:
    """Names of the pods that do not start for one of those causes: how old they are says nothing of how long a start
    takes. In a full cluster one pod without a node made a lead time of 45 s one of 14 min, and a fleet of 2 one of 8.
    """
    if rollout(deployment).complete:
        return frozenset()
    return frozenset(pod["metadata"]["name"] for pod in pods if _hindrance(pod, now_seconds) is not Hindrance.NONE)


def _hindrance(pod: Object, now_seconds: float) -> Hindrance:
    """What keeps one pod from starting, for so long that it is no accident."""
    if _lasts(unschedulable_since(pod), now_seconds - UNSCHEDULABLE_SECONDS):
        return Hindrance.UNSCHEDULABLE
    uncreated = uncreated_since(pod)
    if _lasts(uncreated, now_seconds - UNCREATED_SECONDS):
        return Hindrance.UNCREATED
    # Who ended, and whose image is gone since, is one pod.
    return Hindrance.CRASHING if crashes_at_start(pod) and uncreated is None else Hindrance.NONE


def _lasts(since: float | None, limit_seconds: float) -> bool:
    """Whether it began before the limit and goes on."""
    return since is not None and since <= limit_seconds
