"""One cell of the benchmark: loads under one policy with one setting, in one process; and its name for the store."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

import foretide
from bench.scaling.bound import bound_of
from foretide.scaling.arrays import Ints
from foretide.simulate.command.results import HOUR_SECONDS, Run
from foretide.simulate.command.work import Task
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.optimum import BoundCurve
from foretide.simulate.state import BIN_SECONDS
from foretide.simulate.workload import QueueName, Service, Workload

PACKAGE: Final = Path(foretide.__file__).parent
# What every policy is made of; Foretide's own is made of all of scaling/.
SEAM: Final = ("policy.py", "readings.py", "arrays.py", "decision.py", "capacity/evidence.py")
LIBRARIES: Final = ("numpy", "scipy", "numba")
OWN: Final = "foretide"
# What scaling.json does not have: what is the same in all runs, and what is too long.
LEFT_OUT: Final = (
    "law",
    "cold_start_quantiles_seconds",
    "routing",
    "nodes",
    "disturbances",
    "timeline",
    "reasons",
)


class Stage(StrEnum):
    """What a run is for."""

    SWEEP = "sweep"
    JUDGE = "judge"
    VARIED = "varied"
    HELD_OUT = "held-out"
    FIDELITY = "fidelity"
    REPEATED = "repeated"  # the same with other batch times, to tell chance from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Work for `perform_all`."""

    stage: Stage
    workloads: tuple[Workload, ...]
    policy: str
    knobs: dict[str, float]
    fidelity: Fidelity
    splits: tuple[str, ...]  # of each workload's series
    timelines: tuple[bool, ...] = ()  # whose timelines are kept; empty: of none

    @property
    def task(self) -> Task:
        return Task(workloads=self.workloads, policy=self.policy, knobs=self.knobs, fidelity=self.fidelity)

    @property
    def weight(self) -> float:
        """In requests, as that of tasks."""
        return self.task.weight

    @property
    def key(self) -> str:
        """Another one for each thing that a result depends on."""
        parts: list[Any] = [
            str(self.stage),
            self.policy,
            sorted(self.knobs.items()),
            str(self.fidelity),
            self.splits,
            self.timelines,
        ]
        return key_of(parts, self.workloads, own=self.policy == OWN, fluid=self.fidelity is Fidelity.FLUID)

    def perform(self, progress: Callable[[float], None]) -> list[Run]:
        """The runs of `foretide.simulate`, with their split and the bound on the cost of any policy."""
        kept = self.timelines or (False,) * len(self.workloads)
        found = zip(self.task.perform(progress), self.workloads, self.splits, kept, strict=True)
        return [
            {"stage": str(self.stage), **_entry(run, workload, split, keep)} for run, workload, split, keep in found
        ]


def _entry(run: Run, workload: Workload, split: str, keep: bool) -> Run:
    arrivals = np.array(run["timeline"]["arrivals"], dtype=np.int64)
    # The queue decides nothing of it.
    bound = _curve(arrivals.tobytes(), replace(workload.service, queue=QueueName.DEFAULT))
    entry = {name: value for name, value in run.items() if name not in LEFT_OUT}
    entry["split"] = split
    entry["start_seconds"] = workload.judged_from_seconds  # since the trace began
    entry["judged_seconds"] = workload.judged_seconds
    entry["bound_replica_hours"] = max(bound.lower_bound(float(run["violations"])), 0.0) / HOUR_SECONDS
    if keep:
        entry["timeline"] = {name: run["timeline"][name] for name in ("start_seconds", "arrivals", "ready")}
    return entry


@lru_cache(maxsize=512)
def _curve(arrivals: bytes, service: Service) -> BoundCurve:
    """One for all policies that see the same arrivals."""
    counts: Ints = np.frombuffer(arrivals, dtype=np.int64)
    return bound_of(counts, service, step_seconds=BIN_SECONDS)


def key_of(parts: Sequence[Any], workloads: Sequence[Workload], *, own: bool, fluid: bool = False) -> str:
    """Of results that depend on these parts, whose repr() tells all of them, on the loads and on the code: that of the
    simulator alone, or that of our brain as well."""
    named = [*parts, *map(_of, workloads)]
    return hashlib.sha256(f"{_sources(own=own, fluid=fluid)}{named!r}".encode()).hexdigest()[:24]


@cache
def _of(workload: Workload) -> tuple[Any, ...]:
    rates = hashlib.sha256(workload.rates_rps.tobytes()).hexdigest()[:16]
    times = (workload.step_seconds, workload.start_seconds, workload.judged_from_seconds, workload.epoch_seconds)
    seeds = (workload.seed, workload.noise_seed)
    return (workload.service, workload.name, *seeds, workload.rate_at_slo_rps, rates, *times)


@cache
def _sources(*, own: bool, fluid: bool) -> str:
    """Of the code that makes such a result, and of the libraries."""
    scaling = PACKAGE / "scaling"
    files = [file for file in sorted((PACKAGE / "simulate").rglob("*.py")) if fluid or "fluid" not in file.name]
    # The forecast model is in it by the checksum in model.py.
    brain = [*sorted(scaling.rglob("*.py")), *sorted(scaling.rglob("*.npz"))]
    files += brain if own else [scaling / name for name in SEAM]
    text = hashlib.sha256(f"{sys.version} {[version(name) for name in LIBRARIES]}".encode())
    for file in [*files, Path(__file__), Path(__file__).with_name("bound.py")]:
        text.update(file.read_bytes())
    return text.hexdigest()
