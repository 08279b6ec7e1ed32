"""What Foretide foresaw of the load, along time: taken down from the very decisions of a run.

A decision provides for the time when a replica that is started now has become ready. What it foresaw is kept with that
time, where a chart can show it beside what came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretide.scaling.decision import Decisions
from foretide.scaling.forecast.foresight import Target
from foretide.scaling.forecast.history import Singles
from foretide.scaling.forecast.sight import windows
from foretide.scaling.policy import Answer
from foretide.simulate.divided import Answered
from foretide.simulate.state import BIN_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foreseen:
    """Of each 15 s of a load, in items a second; NaN where no decision foresaw it."""

    median_rps: Singles
    provided_rps: Singles  # the quantile that was provided for

    def exceeded(self, arrivals: npt.NDArray[np.int32]) -> float:
        """Share of the time that was foreseen in which more came than was provided for."""
        known = np.isfinite(self.provided_rps)
        return float((arrivals[known] / BIN_SECONDS > self.provided_rps[known]).mean())

    @classmethod
    def joined(cls, parts: Sequence[Foreseen | None]) -> Foreseen | None:
        """One after the other; None where nothing was foreseen, or kept."""
        there = [part for part in parts if part is not None]
        if not there or all(np.isnan(part.median_rps).all() for part in there):
            return None
        return cls(
            median_rps=np.concatenate([part.median_rps for part in there]),
            provided_rps=np.concatenate([part.provided_rps for part in there]),
        )


class Recorder:
    """Takes down what was foreseen of each service at each decision: of a hundred over two weeks 65 MB."""

    def __init__(self, services: int, *, seconds: float) -> None:
        shape = services, math.ceil(seconds / BIN_SECONDS)
        self._median_rps = np.full(shape, np.nan, dtype=np.float32)
        self._provided_rps = np.full(shape, np.nan, dtype=np.float32)
        self._foresees = False

    def decided(self, now_seconds: float, answer: Answer[Any]) -> None:
        """Of two decisions that look at one time, as when lead times get shorter, the later one counts."""
        made = answer.made if isinstance(answer, Answered) else answer
        if not isinstance(made, Decisions):  # a peer's: it foresees nothing, or in a way of its own
            return
        self._foresees = True
        plan = made.plan
        # As the forecast itself bounds the lead time.
        start, _ = windows(plan.lead_seconds, step_seconds=made.settings.tick_seconds)
        place = ((now_seconds + start[:, Target.AHEAD]) // BIN_SECONDS).astype(np.int64)
        told = plan.ahead.known & plan.likely.known & (place < self._median_rps.shape[1])
        row = np.flatnonzero(told)
        self._median_rps[row, place[row]] = plan.likely.value[row]
        self._provided_rps[row, place[row]] = plan.ahead.value[row]

    def of(self, service: int, *, begin_seconds: float) -> Foreseen | None:
        """From then on, what was decided before it included; None of a policy that has no forecast."""
        if not self._foresees:
            return None
        first = round(begin_seconds / BIN_SECONDS)
        return Foreseen(
            median_rps=self._median_rps[service, first:].copy(),
            provided_rps=self._provided_rps[service, first:].copy(),
        )
