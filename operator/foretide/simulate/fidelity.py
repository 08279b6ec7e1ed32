"""The two ways to run requests: each batch of them, or what each replica does with them in steps of a second."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np

from foretide.simulate import engine, fluid
from foretide.simulate.arriving import begin_arrivals
from foretide.simulate.fluid_table import table_of
from foretide.simulate.scenario import Lane
from foretide.simulate.state import State, with_larger_pool


class Fidelity(StrEnum):
    """How fine a run is."""

    ARRIVALS = "arrivals"  # every request; for every figure that is reported, but those of 200 replicas
    FLUID = "fluid"  # for sweeps: how far off it is, docs/benchmarks/fluid.md tells


class Running(Protocol):
    """Lanes on their way."""

    state: State

    def run_until(self, now: float, *, away: bool) -> None:
        """Everything before that moment, and what happens to pods at it."""

    def finish(self, now: float) -> None:
        """Counts what is still in the replicas when the run ends."""


class Arrivals:
    """Request by request."""

    def __init__(self, state: State) -> None:
        self.state = state
        begin_arrivals(state)

    def run_until(self, now: float, *, away: bool) -> None:
        while not engine.run_until(self.state, now, away):
            self.state = with_larger_pool(self.state)

    def finish(self, now: float) -> None:
        engine.answer_until(self.state, np.inf)


class Flow:
    """As a fluid; raises ValueError for lanes that it cannot run."""

    def __init__(self, state: State, lanes: Sequence[Lane]) -> None:
        fluid.check(lanes)  # a table takes seconds
        self.state = state
        self._fluid = fluid.build(
            lanes, state, [table_of(lane.law, lane.slo_latency_seconds, lane.queue) for lane in lanes]
        )

    def run_until(self, now: float, *, away: bool) -> None:
        fluid.run_until(self.state, self._fluid, now, away)

    def finish(self, now: float) -> None:
        fluid.finish(self.state, self._fluid, now)


def begin(fidelity: Fidelity, state: State, lanes: Sequence[Lane]) -> Running:
    """Lanes of that state, at time 0."""
    return Arrivals(state) if fidelity is Fidelity.ARRIVALS else Flow(state, lanes)
