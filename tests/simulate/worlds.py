"""Small worlds for the tests of the simulator, and policies that do one simple thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretide.scaling.arrays import Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.outcome import Outcome
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Duration, Lane, Law

LAW = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8, noise_cv=0.0)


@dataclass(frozen=True, slots=True)
class Scripted:
    """Does what a function of the number of the tick says; keeps what it saw."""

    script: Callable[[int], int]
    tick_seconds: float = 15.0
    queries: tuple[Query, ...] = ()
    seen: list[Observation] = field(default_factory=list)

    def start(self, past: Past) -> int:
        return 0

    def decide(self, seen: Observation, memory: int) -> PeerAnswer[int]:
        self.seen.append(seen)
        desired: Ints = np.full(len(seen), self.script(memory), dtype=np.int64)
        return PeerAnswer(
            desired=desired, memory=memory + 1, rule=np.zeros(len(seen), dtype=np.int64), rules=("Script",)
        )


def constant(replicas: int, **more: Any) -> Scripted:
    """Always that many."""
    return Scripted(lambda tick: replicas, **more)


def lane(rates: Sequence[float] | float = 50.0, *, seconds: float = 600.0, name: str = "ranker", **more: Any) -> Lane:
    """A lane with a steady rate, or one rate for each equal part of the time."""
    values = np.atleast_1d(np.asarray(rates, dtype=np.float64))
    settings: dict[str, Any] = {
        "seed": 1,
        "law": LAW,
        "slo_latency_seconds": 0.25,
        "cold_start": Duration.constant(45.0),
        "max_replicas": 8,
        "initial_replicas": 1,
    }
    return Lane(name=name, rates_rps=values, step_seconds=seconds / len(values), **{**settings, **more})


def run(
    policy: Scripted,
    *lanes: Lane,
    conditions: Conditions | None = None,
    warm_up_seconds: float = 0.0,
    fidelity: Fidelity = Fidelity.ARRIVALS,
) -> list[Outcome]:
    """What comes of it."""
    known = conditions or Conditions()
    return simulate(policy, lanes, conditions=known, warm_up_seconds=warm_up_seconds, fidelity=fidelity)


def same(one: Outcome, other: Outcome) -> bool:
    """Equal in every number."""
    columns = ("arrivals", "violations", "failures", "ready", "starting", "desired")
    return (
        np.array_equal(one.latencies.counts, other.latencies.counts)
        and one.replica_seconds == other.replica_seconds
        and all(np.array_equal(getattr(one.timeline, name), getattr(other.timeline, name)) for name in columns)
    )
