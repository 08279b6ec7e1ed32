"""Conditions of status by the rules of kstatus, so that kubectl, Argo CD and Flux read them without a script of ours.

kstatus calls an object Current when observedGeneration is the generation, Reconciling and Stalled are not True, and
Ready is True. Reconciling=True means "wait", Stalled=True means "a person must act".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from foretide.api.reasons import Reason

MAX_MESSAGE_LENGTH: Final = 4096
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


class ConditionType(StrEnum):
    """The conditions of an InferenceService."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    MODEL_LOADED = "ModelLoaded"
    METRICS_AVAILABLE = "MetricsAvailable"
    FORECAST_HEALTHY = "ForecastHealthy"
    SCALING_ACTIVE = "ScalingActive"
    SCALING_LIMITED = "ScalingLimited"
    SLO_FEASIBLE = "SLOFeasible"
    SLO_MET = "SLOMet"


class ConditionStatus(StrEnum):
    """Yes, no, or not known: an unknown is never reported as a no."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about an object, with its reason."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str
    observed_generation: int
    last_transition_time: str = ""

    def since(self, previous: "Condition | None", *, now: datetime) -> "Condition":
        """This condition with its time: that of `previous` as long as the status is the same, else `now`."""
        if previous is not None and previous.status is self.status and previous.last_transition_time:
            return replace(self, last_transition_time=previous.last_transition_time)
        return replace(self, last_transition_time=rfc3339(now))

    def as_json(self) -> dict[str, object]:
        """The entry of status.conditions; a message beyond the schema's limit is cut, else all is refused."""
        message = self.message
        if len(message) > MAX_MESSAGE_LENGTH:
            message = f"{message[: MAX_MESSAGE_LENGTH - 1]}…"
        return {
            "type": self.type.value,
            "status": self.status.value,
            "reason": self.reason.value,
            "message": message,
            "observedGeneration": self.observed_generation,
            "lastTransitionTime": self.last_transition_time,
        }


def rfc3339(time: datetime) -> str:
    """The time in UTC with whole seconds, as Kubernetes writes it."""
    return time.astimezone(UTC).strftime(_TIME_FORMAT)


def transitioned(
    current: Iterable[Condition], previous: Mapping[ConditionType, Condition], *, now: datetime
) -> tuple[Condition, ...]:
    """The conditions with their times; equal input gives equal output, so an unchanged status is not written again."""
    return tuple(condition.since(previous.get(condition.type), now=now) for condition in current)


def read(status: object) -> dict[ConditionType, Condition]:
    """The conditions found in a raw status; what is not one of ours, or is malformed, is passed over."""
    raw = status.get("conditions") if isinstance(status, Mapping) else None
    found = (_read_one(entry) for entry in raw) if isinstance(raw, list | tuple) else ()
    return {condition.type: condition for condition in found if condition is not None}


def _read_one(entry: object) -> Condition | None:
    if not isinstance(entry, Mapping):
        return None
    generation = entry.get("observedGeneration")
    try:
        return Condition(
            type=ConditionType(str(entry.get("type"))),
            status=ConditionStatus(str(entry.get("status"))),
            reason=Reason(str(entry.get("reason"))),
            message=str(entry.get("message", "")),
            observed_generation=generation if isinstance(generation, int) else 0,
            last_transition_time=str(entry.get("lastTransitionTime", "")),
        )
    except ValueError:  # a type, status or reason that this version does not know
        return None
