"""The reconcile loop's part of status: a pure function of what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from foretide.adapters.resources import Object
from foretide.api import conditions, group, kstatus
from foretide.api.conditions import Condition, ConditionStatus, ConditionType
from foretide.api.reasons import Reason
from foretide.control.pods import CRASH_REASONS, Failure

Conditions = tuple[Condition, ...]

_PAUSE: Final = f"the annotation {group.PAUSED_ANNOTATION} is set, nothing is changed until it is removed"


@dataclass(frozen=True, slots=True)
class Refused:
    """The service cannot be served as it is; a person must act."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The service is left as it is, by order."""

    generation: int  # of the spec that was looked at last; 0 where none was
    refused: Refused | None  # why that spec is not in force


@dataclass(frozen=True, slots=True)
class Rollout:
    """The Deployment's own count of its pods."""

    wanted: int
    ready: int
    updated: int
    existing: int
    observed: bool  # the Deployment controller has seen the newest template
    refusal: str  # why pods cannot be created (quota, admission), in the API server's words

    @property
    def replacing(self) -> bool:
        """Pods of an older template are still there, or may be."""
        return not self.observed or self.updated < self.existing

    @property
    def complete(self) -> bool:
        """Every wanted pod runs the newest template and answers."""
        return not self.replacing and self.existing == self.ready == self.wanted

    @property
    def count(self) -> str:
        return f"{self.ready} of {self.wanted} replicas ready"


# Before the Deployment is seen.
NOTHING_YET = Rollout(wanted=0, ready=0, updated=0, existing=0, observed=False, refusal="")


def rollout(deployment: Object) -> Rollout:
    """Reads a Deployment; what its status does not say yet counts as zero pods."""
    status = deployment.get("status", {})
    failures = [c for c in status.get("conditions", ()) if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    return Rollout(
        wanted=deployment["spec"].get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        existing=status.get("replicas", 0),
        observed=status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0),
        refusal=failures[0].get("message", "") if failures else "",
    )


def together(states: Sequence[Rollout]) -> Rollout:
    """The Deployments of several hardware classes as one."""
    if len(states) == 1:
        return states[0]
    return Rollout(
        wanted=sum(state.wanted for state in states),
        ready=sum(state.ready for state in states),
        updated=sum(state.updated for state in states),
        existing=sum(state.existing for state in states),
        observed=all(state.observed for state in states),
        refusal=next((state.refusal for state in states if state.refusal), ""),
    )


def with_retiring(state: Rollout, retiring: Iterable[Rollout]) -> Rollout:
    """A move to another hardware class is a roll-out: the pods of the class before serve until it is complete."""
    old = tuple(retiring)
    return replace(
        state,
        ready=state.ready + sum(each.ready for each in old),
        existing=state.existing + sum(each.existing for each in old),
    )


def paused(found: Conditions) -> Conditions:
    """What is found of a service that is left alone, with the pause as the reason. A roll-out that it has cut short is
    not complete, and what has stalled waits for a person as before."""
    said = {condition.type: condition for condition in found}
    if said[ConditionType.STALLED].status is ConditionStatus.TRUE:
        return found
    message = f"{said[ConditionType.READY].message}; {_PAUSE}"
    pause = {ConditionType.READY, ConditionType.RECONCILING}
    return tuple(
        replace(each, reason=Reason.RECONCILE_PAUSED, message=message) if each.type in pause else each for each in found
    )


def refusal(previous: Mapping[str, Any]) -> Refused | None:
    """Why a spec is not in force, by a status that was written: what stalls, and is not what became of pods."""
    stalled = conditions.read(previous).get(ConditionType.STALLED)
    if stalled is None or stalled.status is not ConditionStatus.TRUE or stalled.reason in CRASH_REASONS:
        return None
    return Refused(stalled.reason, stalled.message)


def refused(problem: Refused, *, generation: int, serving: bool) -> Conditions:
    """A spec that cannot be applied: what runs goes on running, so Ready tells whether it does."""
    ready = ConditionStatus.TRUE if serving else ConditionStatus.FALSE
    summary = kstatus.stalled(problem.reason, problem.message, generation=generation, ready=ready)
    if serving:
        loaded = _loaded(ConditionStatus.TRUE, Reason.MODEL_LOADED, "an earlier specification is served", generation)
    else:
        loaded = _loaded(ConditionStatus.UNKNOWN, problem.reason, problem.message, generation)
    return (*summary, loaded)


def judged(state: Rollout, failing: Sequence[Failure], *, generation: int, carried: bool = False) -> Conditions:
    """A service whose children are applied: how far its pods are, and what keeps them.

    `carried`: of several hardware classes those that start have all replicas that are counted on, of the newest
    template. Then a class whose pods crash keeps nothing from being served, and tools that wait for a release to be
    healthy would wait for ever: it is not "stalled", and status.hardware has the words.

    A fleet that grows is not "reconciling": GitOps tools would show a healthy service as progressing at each step of
    the autoscaler.
    """
    serving = ConditionStatus.TRUE if state.ready else ConditionStatus.FALSE
    reason, message = _cause(state, failing)
    if failing and failing[0].crashed and not carried:
        summary = kstatus.stalled(reason, message, generation=generation, ready=serving)
    elif state.complete:
        summary = kstatus.settled(state.count, generation=generation)
    elif state.ready and not state.replacing:
        text = f"{state.count}; {message}" if failing or state.refusal else state.count
        summary = kstatus.settled(text, generation=generation, reason=Reason.MINIMUM_REPLICAS_AVAILABLE)
    else:
        summary = kstatus.progressing(reason, message, generation=generation, ready=serving)
    if failing and reason in (Reason.MODEL_LOAD_FAILED, Reason.DOWNLOAD_FAILED) and not carried:
        loaded = _loaded(ConditionStatus.FALSE, reason, message, generation)
    elif state.ready:
        loaded = _loaded(ConditionStatus.TRUE, Reason.MODEL_LOADED, state.count, generation)
    else:
        loaded = _loaded(ConditionStatus.UNKNOWN, Reason.MODEL_LOADING, "no replica has loaded it yet", generation)
    return (*summary, loaded)


def _cause(state: Rollout, failing: Sequence[Failure]) -> tuple[Reason, str]:
    """What the service waits for."""
    if failing:
        return failing[0].reason, f"pod {failing[0].pod}: {failing[0].message}"
    if state.refusal:
        return refusal_reason(state.refusal), state.refusal
    if state.ready:
        return Reason.ROLLOUT_IN_PROGRESS, f"new pods replace old ones; {state.count}"
    return (Reason.PODS_NOT_READY if state.existing else Reason.CREATING), state.count


def refusal_reason(refusal: str) -> Reason:
    """The word for why pods cannot be created."""
    return Reason.QUOTA_EXCEEDED if "exceeded quota" in refusal else Reason.PODS_REFUSED


def _loaded(status: ConditionStatus, reason: Reason, message: str, generation: int) -> Condition:
    return Condition(ConditionType.MODEL_LOADED, status, reason, message, generation)


def status(
    current: Conditions,
    *,
    generation: int,
    state: Rollout | None,
    url: str,
    previous: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """The fields of status that the field manager `foretide` owns, all of them."""
    timed = conditions.transitioned(current, conditions.read(previous), now=now)
    fields: dict[str, Any] = {
        "observedGeneration": generation,
        "conditions": [condition.as_json() for condition in timed],
        "url": url,
    }
    if state is not None:
        fields |= {"replicas": state.existing, "readyReplicas": state.ready}
    return fields
