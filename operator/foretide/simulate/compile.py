"""Compiles the simulator into its cache: `python -m foretide.simulate.compile`.

It takes half a minute, once for each version of the code. Done beforehand, no test and no worker process waits for it,
and they do not all do it at the same time.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from foretide.scaling.forecast.features import NAMES
from foretide.scaling.policy import Observation, Over, Past, Quantity, Query
from foretide.simulate import compiled, fleet, fluid
from foretide.simulate.fluid_columns import KINDS
from foretide.simulate.fluid_grid import Grid
from foretide.simulate.fluid_lookup import violations_of
from foretide.simulate.fluid_table import Table
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane, Law
from foretide.simulate.state import build
from foretide.simulate.trees import compiled_model

QUERY = Query(Quantity.SUCCESS, Over.RATE, 30.0)


class _Once:
    """Grows and shrinks by one, so that everything is compiled."""

    tick_seconds = 15.0
    queries = (QUERY,)

    def start(self, past: Past) -> int:
        return 0

    def decide(self, seen: Observation, memory: int) -> PeerAnswer[int]:
        desired = np.full(len(seen), 1 + memory % 2, dtype=np.int64)
        return PeerAnswer(desired=desired, memory=memory + 1, rule=np.zeros_like(desired), rules=("Once",))


def compile_all() -> None:
    """Runs one minute of one lane at both fidelities, from the cache where that has it, else with a word."""
    if compiled.IS_NEW:
        sys.stderr.write("compiling the simulator: half a minute, only once\n")
    law = Law(per_item_seconds=0.01, fixed_seconds=0.01, max_batch=4)
    lane = Lane(name="any", rates_rps=np.full(1, 5.0), step_seconds=60.0, seed=0, law=law, slo_latency_seconds=1.0)
    simulate(_Once(), [replace(lane, shares="any")] * 2, conditions=Conditions())
    # The fluid with a table of nothing, for a true one takes seconds to make.
    state = build([lane], Conditions(), counted_from_seconds=0.0)
    grid = Grid(there=np.arange(3.0), total=np.arange(3.0))
    sizes = np.zeros((2, 2, 1, law.max_batch + 1), dtype=np.uint16)
    none = np.zeros((2, 2, 1))
    nothing = Table(grid=grid, values=np.zeros((3, 3, KINDS)), waiting=none, after=none, sizes=sizes)
    compiled_model().quantiles(np.zeros((1, len(NAMES))))
    violations_of(grid.there, grid.total, nothing.values, 1.0, np.ones((1, 1)), np.ones((1, 1)))
    empty = fluid.build([lane], state, [nothing])
    fleet.scale_all(state, np.ones(1, dtype=np.int64), 0.0, True)
    fluid.run_until(state, empty, 15.0, False)
    fluid.finish(state, empty, 15.0)


if __name__ == "__main__":
    compile_all()
