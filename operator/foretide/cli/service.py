"""An InferenceService as a person sees it: what was ordered, and what its status tells. Pure; unknown stays unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from foretide.api.conditions import ConditionType
from foretide.api.status import ConditionEntry, DecisionEntry, InferenceServiceStatus

# Which answer to which statement a person should look at, the most urgent first.
ALARMING: Final = (
    (ConditionType.STALLED, "True"),
    (ConditionType.READY, "False"),
    (ConditionType.MODEL_LOADED, "False"),
    (ConditionType.SLO_FEASIBLE, "False"),
    (ConditionType.SLO_MET, "False"),
    (ConditionType.METRICS_AVAILABLE, "False"),
    (ConditionType.SCALING_ACTIVE, "False"),
    (ConditionType.SCALING_LIMITED, "True"),
    (ConditionType.FORECAST_HEALTHY, "False"),
)


@dataclass(frozen=True, slots=True)
class Service:
    """One InferenceService; texts are as the API has them, None is not known."""

    namespace: str
    name: str
    classes: tuple[str, ...]
    objective: str
    latency: str
    window: str
    minimum: int
    maximum: int
    pinned: int | None
    policy: str | None
    current: bool  # status is about the spec as it is now
    understood: bool  # false: status is not as this version knows it, and nothing of it is shown
    status: InferenceServiceStatus

    @property
    def hardware_class(self) -> str:
        """The one it runs on, or those; the preferred one where nobody told."""
        used = [one.class_ for one in self.status.hardware if one.replicas > 0]
        return "+".join(used or self.classes[:1]) or "?"

    @property
    def bounds(self) -> str:
        return f"pinned to {self.pinned}" if self.pinned is not None else f"{self.minimum}-{self.maximum}"

    @property
    def last(self) -> DecisionEntry | None:
        """The newest decision."""
        return self.status.decisions[-1] if self.status.decisions else None

    @property
    def alarms(self) -> tuple[ConditionEntry, ...]:
        """Statements that a person should look at, the most urgent first."""
        said = {condition.type: condition for condition in self.status.conditions}
        return tuple(said[kind] for kind, bad in ALARMING if kind in said and said[kind].status == bad)

    @property
    def state(self) -> str:
        """The most urgent reason; OK where there is nothing to look at."""
        if not self.understood:
            return "NotUnderstood"
        if not self.status.conditions:
            return "NotSeen"
        if self.alarms:
            return self.alarms[0].reason
        return "OK" if self.current else "Updating"


def read(raw: Mapping[str, Any]) -> Service:
    """From an object of the API server. A status that this version does not understand is an empty one."""
    spec, metadata = _mapping(raw.get("spec")), raw["metadata"]
    slo, scaling = _mapping(spec.get("slo")), _mapping(spec.get("scaling"))
    found = _status(raw.get("status"))
    status = found or InferenceServiceStatus()
    observed, generation = status.observed_generation, metadata.get("generation")
    return Service(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata["name"]),
        classes=tuple(map(str, _mapping(spec.get("hardware")).get("classes") or ())),
        objective=str(slo.get("objective", "?")),
        latency=str(slo.get("latency", "?")),
        window=str(slo.get("window", "?")),
        minimum=int(scaling.get("minReplicas", 1)),
        maximum=int(scaling.get("maxReplicas", 10)),
        pinned=scaling.get("replicas"),
        policy=_mapping(scaling.get("policyRef")).get("name"),
        current=observed is not None and observed == generation,
        understood=found is not None,
        status=status,
    )


def _status(raw: object) -> InferenceServiceStatus | None:
    try:
        # An operator newer than this program tells fields that are not known here.
        return InferenceServiceStatus.model_validate(
            raw or {}, strict=False, extra="ignore", by_alias=True, by_name=False
        )
    except ValidationError:
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def number(text: str | None) -> float | None:
    """A number of the API, None where there is none."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
