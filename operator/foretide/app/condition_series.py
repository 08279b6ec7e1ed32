"""The conditions of all services as series, from the status that the API server has: what `kubectl get infer` tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from foretide.adapters.resources import Object
from foretide.api.conditions import ConditionStatus, ConditionType
from foretide.api.reasons import Reason
from foretide.app.exposition import Samples
from foretide.app.families import Family, Kind
from foretide.control.world import Key

CONDITION: Final = Family(
    name="foretide_condition",
    kind=Kind.GAUGE,
    text="A condition of status.conditions with its reason: 1 for True, 0 for False, absent while Unknown.",
    labels=("namespace", "service", "condition", "reason"),
    most=f"{len(ConditionType)} S",
)
# Unknown is no number.
_VALUES: Final = {ConditionStatus.TRUE.value: 1.0, ConditionStatus.FALSE.value: 0.0}
_TYPES: Final = frozenset(kind.value for kind in ConditionType)
_REASONS: Final = frozenset(reason.value for reason in Reason)


class ConditionSeries:
    """Reads the operator's view of the cluster whenever it is asked; a standby has none."""

    def __init__(self) -> None:
        self._services: Mapping[Key, Object] = {}

    def follow(self, services: Mapping[Key, Object]) -> None:
        """From now on these are told, as they are then."""
        self._services = services

    def collect(self) -> Iterator[tuple[Family, Samples]]:
        """One series for each condition that is known."""
        yield (
            CONDITION,
            (
                ((*key, *labels), value)
                for key, raw in self._services.items()
                for labels, value in _conditions(raw.get("status", {}).get("conditions", ()))
            ),
        )


def _conditions(found: Any) -> Iterator[tuple[tuple[str, str], float]]:
    """Who may write a status may write anything; what is not one of our words would be a series of its own."""
    for entry in found:
        kind, reason, value = entry.get("type"), entry.get("reason"), _VALUES.get(entry.get("status"))
        if kind in _TYPES and reason in _REASONS and value is not None:
            yield (kind, reason), value
