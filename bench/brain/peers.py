"""What other autoscalers pay for as many late requests as ours has, each with its knobs swept on the same loads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.brain.judge import Ran, loads_of
from bench.scaling.cell import key_of
from bench.scaling.plan import sweeps, together
from foretide.simulate.command.results import Run
from foretide.simulate.command.work import Task
from foretide.simulate.policies import POLICIES
from foretide.simulate.workload import Workload

# Those that kept the objective in some setting of docs/benchmarks/scaling.md, and what most people run.
PEERS: Final = (
    "static",
    "scheduled",
    "hpa",
    "keda",
    "kpa-rps",
    "mark",
    "mark-faro",
    "faro-app",
    "phpa",
    "aws",
    "azure",
)
HOURS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """One peer with one setting of its knobs; in one process."""

    policy: str
    knobs: tuple[tuple[str, float], ...]
    cold_start_seconds: float

    @property
    def name(self) -> str:
        """With its knobs."""
        return f"{self.policy} {', '.join(f'{name}={value:g}' for name, value in self.knobs)}"

    @property
    def weight(self) -> float:
        """About how long it takes: hours of series."""
        return HOURS

    @property
    def key(self) -> str:
        """For the store."""
        return key_of([self.policy, self.knobs], self._loads, own=False)

    @property
    def _loads(self) -> list[Workload]:
        return loads_of(self.cold_start_seconds, seeds=(1,), hours=HOURS)

    def perform(self, progress: Callable[[float], None]) -> list[Run]:
        """One seed of each series that judges."""
        return [
            run
            for loads in together(self._loads)
            for run in Task(workloads=tuple(loads), policy=self.policy, knobs=dict(self.knobs)).perform(progress)
        ]


def all_sweeps(cold_starts_seconds: Sequence[float]) -> list[Sweep]:
    """The knobs of every peer, one after the other, every second value that the benchmark of all autoscalers has."""
    return [
        Sweep(name, tuple(sorted(knobs.items())), cold_start)
        for cold_start in cold_starts_seconds
        for name in PEERS
        for knobs in sweeps(POLICIES[name], every=2)
    ]


@dataclass(frozen=True, slots=True)
class Point:
    """Means over the series: share late, and cost in units of the optimum (geometric)."""

    late: float
    cost: float

    @classmethod
    def of(cls, rans: Sequence[Ran]) -> Point:
        """Of one policy with one setting."""
        return cls(
            float(np.mean([ran.late_share for ran in rans])), float(np.exp(np.mean([np.log(ran.cost) for ran in rans])))
        )


def cost_at(late: float, points: Sequence[Point]) -> float | None:
    """The least cost at which the points have no more late than that: along their Pareto front, straight between two
    of them; None where none has so few."""
    front: list[Point] = []
    for point in sorted(points, key=lambda one: (one.late, one.cost)):
        if not front or point.cost < front[-1].cost:
            front.append(point)
    if not front or front[0].late > late:
        return None
    return float(np.exp(np.interp(late, [one.late for one in front], [np.log(one.cost) for one in front])))
