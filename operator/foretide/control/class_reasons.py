"""Why each hardware class of a service has as many replicas as it has, with numbers and with the words of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from foretide.adapters.resources import Object
from foretide.api.reasons import Reason
from foretide.control import pods
from foretide.control.hardware_status import ClassState
from foretide.control.last_words import in_short
from foretide.control.places import Place
from foretide.control.pods import deployment_of
from foretide.control.policies import is_advisory
from foretide.control.serving_status import refusal_reason, rollout
from foretide.control.table import Row
from foretide.scaling import ledger
from foretide.scaling.arbitrate import Why
from foretide.scaling.decision import Bound, Decisions, Hindrance
from foretide.scaling.policy import Observation

_Said = tuple[Reason, str]

IN_USE: Final = "all replicas that are needed of it"


def states(
    made: Decisions,
    seen: Observation,
    index: int,
    row: Row,
    places: Sequence[tuple[Place, int]],
    found: Sequence[Object],
) -> list[ClassState]:
    """Of the classes that the service of this row lists; `found` are its pods, `places` the rows of its classes in
    `seen.classes`, none where it lists one class only."""
    if not places:
        return [_only(made, index, row)]
    return [_of_several(made, seen, row, place, unit, found) for place, unit in places]


def _only(made: Decisions, index: int, row: Row) -> ClassState:
    """A service's only class has all that is decided for it."""
    fleet, desired = int(made.fleet.replicas[index]), int(made.desired[index])
    replicas = fleet if is_advisory(row.policy) else desired
    cause = Hindrance(made.stuck.cause[index])
    said: _Said = (Reason.IN_USE, "the only class that the service lists")
    if cause is not Hindrance.NONE:
        said = (ledger.HINDRANCES[cause][0], f"of the replicas {ledger.hindrance(made, index)}")
    elif Bound(made.bound[index]) is Bound.QUOTA:
        said = (Reason.AT_QUOTA, f"the quota leaves {desired} of {int(made.wanted[index])} replicas")
    return ClassState(
        name=row.served.usable.name,
        hardware_class=row.served.hardware_class,
        replicas=replicas,
        counted=replicas,
        ready=rollout(row.deployment).ready,
        reason=said[0],
        message=said[1],
    )


def _of_several(
    made: Decisions, seen: Observation, row: Row, place: Place, unit: int, found: Sequence[Object]
) -> ClassState:
    if made.divided is None or seen.classes is None:
        raise TypeError("a service of several classes has rows of them")
    counted, replicas = int(made.divided.counted[unit]), int(made.divided.replicas[unit])
    if is_advisory(row.policy):
        counted, replicas = place.counted, place.running
    why = Why(made.divided.why[unit])
    reason, message = _said(why, place, Hindrance(seen.classes.stuck.cause[unit]), counted, found)
    if why not in (Why.HINDERED, Why.QUOTA) and replicas > counted and not is_advisory(row.policy):
        left = f"{replicas - counted} of its replicas serve until those of other classes are ready"
        is_left = counted == 0 and why is not Why.GONE
        reason, message = (Reason.HANDING_OVER, left) if is_left else (reason, f"{message}; {left}")
    return ClassState(
        name=place.served.name,
        hardware_class=place.served.hardware_class,
        replicas=replicas,
        counted=counted,
        ready=place.ready,
        reason=reason,
        message=message,
    )


def _said(why: Why, place: Place, cause: Hindrance, counted: int, found: Sequence[Object]) -> _Said:
    if why is Why.GONE:
        return place.served.reason or Reason.HARDWARE_CLASS_NOT_FOUND, place.served.message
    if why is Why.HINDERED:
        reason, words = _hindered(place, cause, found)
        return reason, f"{counted} of its replicas are counted on: {words}"
    if why is Why.QUOTA:
        return Reason.AT_QUOTA, f"the quota leaves {counted} replicas of it; the next class takes the rest"
    if why is Why.INFEASIBLE:
        return Reason.SLO_INFEASIBLE, Reason.SLO_INFEASIBLE.meaning
    if why is Why.SLOWER:
        return Reason.SLOWS_OTHERS, Reason.SLOWS_OTHERS.meaning
    if why is Why.ENOUGH:
        return Reason.IN_USE, IN_USE
    return Reason.NOT_NEEDED, Reason.NOT_NEEDED.meaning


def _hindered(place: Place, cause: Hindrance, found: Sequence[Object]) -> _Said:
    """In the words of who keeps the pods from starting: the scheduler, the kubelet, the API server."""
    deployment = place.deployment
    refusal = "" if deployment is None else rollout(deployment).refusal
    if cause is Hindrance.REFUSED and refusal:
        return refusal_reason(refusal), refusal
    reason = ledger.HINDRANCES[cause][0] if cause is not Hindrance.NONE else Reason.PODS_NOT_READY
    mine = [pod for pod in found if deployment_of(pod) == place.served.deployment]
    words = next(map(in_short, pods.failures(mine)), "")
    return reason, words or reason.meaning
