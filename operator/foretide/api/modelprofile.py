"""ModelProfile: what was measured of one service on one hardware class, so that nothing has to be learned first."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from foretide.api.durations import DurationText, between, parse_nanoseconds, parse_seconds
from foretide.api.fields import Fields
from foretide.api.names import HardwareClassName, ServiceName
from foretide.api.rules import Rule

BatchDuration = Annotated[DurationText, between("0s", "1h", fix='write it like "1.2ms" or "850us"')]
ColdStart = Annotated[DurationText, between("1s", "1h", fix='write it like "42s" or "2m30s"')]


class BatchTime(Fields):
    """How long Triton works on a batch of b items: fixed + b · perItem."""

    per_item: BatchDuration = Field(examples=["1.2ms"])
    """Duration that each item adds, as a Go duration up to 1h, such as 1.2ms or 850us."""
    fixed: BatchDuration = Field(examples=["4.5ms"])
    """Duration of a batch apart from its items, as a Go duration up to 1h."""

    # Any digit but 0 is at least a nanosecond (durations.py), so that CEL need not add what may be no duration.
    rules = (
        Rule(
            cel="self.perItem.matches('[1-9]') || self.fixed.matches('[1-9]')",
            holds=lambda law: parse_nanoseconds(law.per_item) + parse_nanoseconds(law.fixed) > 0,
            rule="must take time: one of the two must be more than 0",
            fix="write the durations that were measured",
            shown="perItem %s with fixed %s",
            cel_values=("self.perItem", "self.fixed"),
            values=lambda law: (law.per_item, law.fixed),
        ),
    )


class ModelProfileSpec(Fields):
    """What was measured of one service on one hardware class."""

    service: ServiceName = Field(examples=["ranker"])
    """Name of the InferenceService, in the namespace of the profile."""
    hardware_class: HardwareClassName = Field(examples=["gpu-t4"])
    """Name of the HardwareClass on which it was measured."""
    batch_time: BatchTime = Field(examples=["{perItem: 1.2ms, fixed: 4.5ms}"])
    """How long Triton works on a batch of b items: fixed + b · perItem."""
    max_batch_size: Annotated[int, Field(ge=1, le=4096)] = Field(examples=["32"])
    """Largest batch, in items, for which the batch time was measured."""
    cold_start: ColdStart | None = None
    """Time from the creation of a pod until it is ready, from 1s to 1h, that nine of ten replicas keep."""

    @property
    def per_item_seconds(self) -> float:
        return parse_seconds(self.batch_time.per_item)

    @property
    def fixed_seconds(self) -> float:
        return parse_seconds(self.batch_time.fixed)

    @property
    def cold_start_seconds(self) -> float | None:
        return None if self.cold_start is None else parse_seconds(self.cold_start)


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """A ModelProfile that keeps every rule. Only parse() makes one from raw input."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: ModelProfileSpec
