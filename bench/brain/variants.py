"""The brain, and the brain without a part: what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.brain.oracle import Oracle
from foretide.scaling.brain import Brain
from foretide.scaling.parts import Part
from foretide.scaling.settings import ScalingSettings
from foretide.simulate.workload import Workload

WHOLE: Final = "foretide"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to build the brain."""

    name: str
    without: frozenset[Part] = frozenset()
    level: float | None = None
    foresees: bool = False  # the forecast is what will come
    reactive: bool = False  # no forecast at all

    def build(self, loads: Sequence[Workload]) -> Brain:
        """For services under these loads, which begin at one time."""
        brain = Brain(
            ScalingSettings(),
            without=frozenset(Part) - {Part.KAPPA, Part.LEAD_TIME} if self.reactive else self.without,
            level=self.level,
        )
        return replace(brain, foresee=Oracle.of(loads)) if self.foresees else brain


VARIANTS: Final = (
    Variant(WHOLE),
    *(Variant(f"no {part}", frozenset({part})) for part in Part if part is not Part.LEAD_TIME),
    Variant("lead time assumed to be 60 s", frozenset({Part.LEAD_TIME})),
    Variant("median forecast", level=0.5),
    Variant("reactive: no forecast", reactive=True),
    Variant("perfect forecast", foresees=True),
)
