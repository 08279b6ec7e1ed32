"""Splits workloads into tasks, and runs tasks in one process or in several: the results are the same, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Final

from foretide.scaling.policy import AnyPolicy
from foretide.simulate.command.disturbances import UNDISTURBED, Disturbances
from foretide.simulate.command.results import Run, run_of
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.observe import profile, promise
from foretide.simulate.policies import Listed, listed
from foretide.simulate.run import simulate
from foretide.simulate.workload import Workload, joined_past

# Lanes that run together share the cost of each decision; few of them share the work among processes. The number must
# not depend on that of the processes: then tasks, and so results, are the same whatever it is.
LANES_TOGETHER: Final = 4
# What a tick of a lane costs beside its requests, in requests.
REQUESTS_OF_A_TICK: Final = 500.0
# What a request of the fluid costs: it is drawn and routed as any other, and served with those of its step.
REQUEST_OF_THE_FLUID: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Lanes of one length under one policy."""

    workloads: tuple[Workload, ...]
    policy: str
    knobs: dict[str, float]
    fidelity: Fidelity = Fidelity.ARRIVALS
    disturbances: Disturbances = UNDISTURBED

    @property
    def weight(self) -> float:
        """About how long it takes, in requests."""
        lanes = [workload.lane() for workload in self.workloads]
        tick_seconds = policy_of(self).tick_seconds
        each = 1.0 if self.fidelity is Fidelity.ARRIVALS else REQUEST_OF_THE_FLUID
        return sum(
            float(lane.rates_rps.sum()) * lane.step_seconds * each + REQUESTS_OF_A_TICK * lane.seconds / tick_seconds
            for lane in lanes
        )

    def perform(self, progress: Callable[[float], None] = lambda share: None) -> list[Run]:
        """What came of each lane, in their order."""
        entry = listed(self.policy)
        warm_up_seconds = self.workloads[0].warm_up_seconds
        outcomes = simulate(
            policy_of(self),
            [workload.lane() for workload in self.workloads],
            conditions=self.disturbances.conditions(
                scrape_seconds=entry.scrape_seconds, warm_up_seconds=warm_up_seconds
            ),
            past=joined_past(self.workloads),
            warm_up_seconds=warm_up_seconds,
            fidelity=self.fidelity,
            epoch_seconds=self.workloads[0].epoch_seconds,
            progress=progress,
        )
        knobs = entry.settings(self.knobs)
        return [
            run_of(
                workload,
                outcome,
                policy=self.policy,
                knobs=knobs,
                fidelity=self.fidelity,
                disturbances=self.disturbances,
            )
            for workload, outcome in zip(self.workloads, outcomes, strict=True)
        ]


def tasks(
    workloads: Sequence[Workload],
    policy: Listed,
    knobs: dict[str, float],
    fidelity: Fidelity = Fidelity.ARRIVALS,
    disturbances: Disturbances = UNDISTURBED,
) -> tuple[Task, ...]:
    """Each workload in one task. Workloads of a trace must be next to each other."""
    divided = _divided if policy.divides else _even
    return tuple(
        Task(workloads=tuple(together), policy=policy.name, knobs=knobs, fidelity=fidelity, disturbances=disturbances)
        for _, group in groupby(workloads, key=lambda workload: workload.trace)
        for together in divided(list(group))
    )


def policy_of(task: Task) -> AnyPolicy:
    """The policy for the services of a task; ValueError where a knob is out of its range."""
    lanes = [workload.lane() for workload in task.workloads]
    return listed(task.policy).policy(profile(lanes), promise(lanes), task.knobs)


def _even(workloads: list[Workload]) -> Iterator[list[Workload]]:
    """Parts of nearly one size."""
    parts = ceil(len(workloads) / LANES_TOGETHER)
    for part in range(parts):
        yield workloads[part * len(workloads) // parts : (part + 1) * len(workloads) // parts]


def _divided(workloads: list[Workload]) -> Iterator[list[Workload]]:
    """All services of a seed."""
    for seed in dict.fromkeys(workload.seed for workload in workloads):
        yield [workload for workload in workloads if workload.seed == seed]
