"""How fast a model is on a hardware class and how long it starts there, and who says so: for `plan` and `backtest`.

What is measured of the service that runs counts more than a ModelProfile, as it does for the operator. Status tells of
all classes together, the slowest in use; so it counts for a class where that is the only one in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from foretide.api.durations import parse_seconds
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.status import ColdStart, InferenceServiceStatus


class Source(StrEnum):
    """Where the batch-time law is from, the best first."""

    MEASURED = "measured"  # status of the service that runs
    PROFILE = "profile"  # a ModelProfile
    ASSUMED = "assumed"  # nothing is known: each item takes half the SLO


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLaw:
    """A batch of b items takes `per_item_seconds` b + `fixed_seconds`, up to `largest` items."""

    per_item_seconds: float
    fixed_seconds: float
    largest: int
    source: Source
    says: str  # in words


@dataclass(frozen=True, slots=True)
class Status:
    """What status tells of one hardware class; nothing where several are in use, or it is of another model."""

    capacity: tuple[float, float] | None = None  # seconds per item and fixed, as they are measured
    cold_start: ColdStart | None = None


UNTOLD = Status()


def status_of(classes: Sequence[str], status: InferenceServiceStatus, hardware_class: str) -> Status:
    """Of one of the classes that the running service lists."""
    in_use = {one.class_ for one in status.hardware if one.replicas > 0} or set(classes)
    if in_use != {hardware_class}:
        return UNTOLD
    told = status.capacity
    if told is None or told.source != "Measured":
        return Status(None, status.cold_start)
    return Status(
        (parse_seconds(told.batch_time.per_item), parse_seconds(told.batch_time.fixed)),
        status.cold_start,
    )


def batch_law(
    service: InferenceService, hardware_class: str, told: Status, profile: ModelProfile | None
) -> BatchLaw | None:
    """None where nobody knows it yet."""
    largest = max(service.model_on(hardware_class).largest_batch, 1)
    if told.capacity is not None:
        per_item, fixed = told.capacity
        return BatchLaw(
            per_item_seconds=per_item,
            fixed_seconds=fixed,
            largest=largest,
            source=Source.MEASURED,
            says="status (Measured)",
        )
    if profile is not None:
        return BatchLaw(
            per_item_seconds=profile.spec.per_item_seconds,
            fixed_seconds=profile.spec.fixed_seconds,
            largest=min(profile.spec.max_batch_size, largest),
            source=Source.PROFILE,
            says=f"ModelProfile {profile.name}",
        )
    return None
