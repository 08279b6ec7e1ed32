"""Whole series, with all of their labels, at a moment or over a time: what a person asks of Prometheus."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from foretide.adapters.prometheus import Prometheus
from foretide.adapters.prometheus_answer import malformed


@dataclass(frozen=True, slots=True)
class Series:
    """One series; of a moment it has one value. What is not finite is left out."""

    labels: Mapping[str, str]
    values: tuple[tuple[float, float], ...]  # Unix time and value, in the order of time

    @property
    def name(self) -> str:
        return self.labels.get("__name__", "")


class SeriesSource(Prometheus, Protocol):
    """`Prometheus`, and series as they are."""

    async def at(self, promql: str, *, at_seconds: float | None = None) -> tuple[Series, ...]:
        """All series of an expression at a moment (Unix time), or now. Raises as `by_pod`."""
        ...

    async def between(
        self, promql: str, *, start_seconds: float, end_seconds: float, step_seconds: float
    ) -> tuple[Series, ...]:
        """The same over a time, both ends included. Raises as `by_pod`."""
        ...


def read(answer: Any) -> tuple[Series, ...]:
    """`data.result` of a vector or a matrix; raises Rejected for what is neither."""
    try:
        return tuple(
            Series(
                {str(name): str(value) for name, value in each["metric"].items()},
                tuple(
                    (float(at), number)
                    for at, text in (each["values"] if "values" in each else [each["value"]])
                    if math.isfinite(number := float(text))
                ),
            )
            for each in answer
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise malformed(f"neither a vector nor a matrix: {type(error).__name__}") from error
