"""A number that may be unknown: unknown is a type of its own and never a zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from foretide.scaling.arrays import Bools, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """One value per row, and whether it is known. Where it is not, `value` holds 0 and must not be used."""

    value: Floats
    known: Bools

    def __post_init__(self) -> None:
        if self.value.shape != self.known.shape:
            raise ValueError(f"value {self.value.shape} and known {self.known.shape} must have one shape")

    def __len__(self) -> int:
        return len(self.value)

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Readings:
        """Takes `None` and every number that is not finite for unknown: `rate(sum)/rate(count)` of an idle
        service is NaN, and a NaN that slips through poisons each sum it meets."""
        raw = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        return cls.checked(raw, np.ones(raw.shape, dtype=np.bool_))

    @classmethod
    def unknown(cls, length: int) -> Readings:
        return cls(value=np.zeros(length), known=np.zeros(length, dtype=np.bool_))

    @classmethod
    def checked(cls, value: Floats, known: Bools, *, low: float = -np.inf, high: float = np.inf) -> Readings:
        """Known only where `known` says so and the value is finite and within [low, high]."""
        sound = known & np.isfinite(value) & (value >= low) & (value <= high)
        return cls(value=np.where(sound, value, 0.0), known=sound)

    def where(self, kept: bool) -> Readings:
        """This, or nothing known."""
        return self if kept else Readings.unknown(len(self))
