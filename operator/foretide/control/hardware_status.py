"""status.hardware: how many replicas of each hardware class, and why it is not more or less. Pure, and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foretide.api.hardwareclass import HardwareClass
from foretide.api.reasons import Reason
from foretide.control.numbers import decimal
from foretide.control.pods import MESSAGE_LIMIT


@dataclass(frozen=True, slots=True)
class Told:
    """What status says of one class: what was decided at the last tick, by this process or the one before."""

    replicas: int
    counted: int

    @property
    def surplus(self) -> int:
        """Replicas that wait for room, or serve only until others are ready."""
        return max(self.replicas - self.counted, 0)


@dataclass(frozen=True, slots=True)
class ClassState:
    """One class as a tick leaves it."""

    name: str
    hardware_class: HardwareClass | None
    replicas: int
    counted: int
    ready: int
    reason: Reason
    message: str


def told(status: Mapping[str, Any]) -> dict[str, Told]:
    """By the name of the class; what is no entry is passed over."""
    entries = status.get("hardware")
    found = {}
    for entry in entries if isinstance(entries, list | tuple) else ():
        if not isinstance(entry, Mapping):
            continue
        name, replicas, counted = (entry.get(field) for field in ("class", "replicas", "counted"))
        if isinstance(name, str) and isinstance(replicas, int) and isinstance(counted, int):
            found[name] = Told(replicas, counted)
    return found


def entries(states: Sequence[ClassState]) -> list[dict[str, Any]]:
    """The entries of status.hardware."""
    return [_entry(state) for state in states]


def _entry(state: ClassState) -> dict[str, Any]:
    cost = None if state.hardware_class is None else state.hardware_class.spec.cost
    return {
        "class": state.name,
        "replicas": state.replicas,
        "counted": state.counted,
        "ready": state.ready,
        **({} if cost is None else {"costPerHour": decimal(state.replicas * cost.amount_per_hour)}),
        "reason": state.reason.value,
        "message": state.message[:MESSAGE_LIMIT],
    }
