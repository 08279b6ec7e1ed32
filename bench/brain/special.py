"""Single loads: a flash crowd, and a service that nobody has seen before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.scaling.plan import SMALL, Setting, Variation, cold_start, rate_of_a_replica, service
from foretide.scaling.arrays import Floats
from foretide.scaling.brain import Brain
from foretide.scaling.policy import AnyPolicy
from foretide.scaling.settings import ScalingSettings
from foretide.simulate.observe import profile, promise
from foretide.simulate.outcome import Outcome
from foretide.simulate.policies import listed
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane
from foretide.simulate.workload import QueueName

STEP_SECONDS: Final = 15.0
COLD_START_SECONDS: Final = 120.0
PEER: Final = "hpa-rejected"  # the strongest reactive one
# The lead time that is planned with: nine of ten replicas are ready by then.
LEAD_SECONDS: Final = cold_start(Setting(QueueName.DEFAULT, COLD_START_SECONDS)).quantiles_seconds[90]
SMALLEST, STEP_TIMES = 2.0, 5.0
BEFORE_SECONDS, AFTER_SECONDS = 1_800.0, 1_800.0
# In 15 s with less than this share late a fleet has recovered: batches whose end wakes nobody make 2 % late in any
# fleet with a queue that refuses (server#8870).
RECOVERED_LATE: Final = 0.05
TARGETS: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, slots=True)
class Result:
    """Of one policy on one load, over its seeds."""

    policy: str
    late_share: float
    replica_hours: float
    recovered_seconds: float  # after the step, the slowest of the seeds; NaN for loads without a step


def flash_crowd(seeds: Sequence[int], queue: QueueName) -> list[Result]:
    """A load of two replicas that becomes ten in no time, after half an hour."""
    before, after = round(BEFORE_SECONDS / STEP_SECONDS), round(AFTER_SECONDS / STEP_SECONDS)
    replicas = np.concatenate([np.full(before, SMALLEST), np.full(after, SMALLEST * STEP_TIMES)])
    return _all(replicas, seeds, queue, step_at_seconds=BEFORE_SECONDS)


def new_service(seeds: Sequence[int]) -> list[Result]:
    """The first half hour of a service whose load rises from one replica to six, with a wave of four minutes."""
    seconds = np.arange(0.0, 1_800.0, STEP_SECONDS)
    replicas = np.interp(seconds, [0.0, 1_500.0], [0.8, 5.5]) * (1.0 + 0.15 * np.sin(2.0 * np.pi * seconds / 240.0))
    return _all(replicas, seeds, QueueName.DEFAULT, step_at_seconds=np.nan)


def _all(replicas: Floats, seeds: Sequence[int], queue: QueueName, *, step_at_seconds: float) -> list[Result]:
    lanes = [lane(replicas, seed, queue) for seed in seeds]
    ours = Brain(ScalingSettings())
    found = [_run("foretide", ours, lanes, step_at_seconds)]
    for target in TARGETS:
        hpa = listed(PEER).policy(profile(lanes), promise(lanes), {"target": target})
        found.append(_run(f"{PEER} {target:g}", hpa, lanes, step_at_seconds))
    return found


def lane(replicas: Floats, seed: int, queue: QueueName) -> Lane:
    """A load that keeps so many replicas busy, in steps of 15 s, of a small model with cold starts of two minutes."""
    served = service(Setting(queue, COLD_START_SECONDS), Variation(SMALL, 1.0))
    return Lane(
        name="special",
        rates_rps=replicas * rate_of_a_replica(1.0),
        step_seconds=STEP_SECONDS,
        seed=seed,
        law=served.law,
        slo_latency_seconds=served.slo_latency_seconds,
        objective=served.objective,
        queue=served.limits,
        cold_start=served.cold_start,
        max_replicas=served.max_replicas,
        initial_replicas=int(np.ceil(replicas[0])),
    )


def _run(name: str, policy: AnyPolicy, lanes: Sequence[Lane], step_at_seconds: float) -> Result:
    outcomes = simulate(policy, lanes, conditions=Conditions())
    slowest: Callable[[Outcome], float] = lambda outcome: _recovered(outcome, step_at_seconds)  # noqa: E731
    return Result(
        policy=name,
        late_share=sum(one.violations for one in outcomes) / sum(one.requests for one in outcomes),
        replica_hours=sum(one.replica_seconds for one in outcomes) / 3_600.0 / len(outcomes),
        recovered_seconds=max(map(slowest, outcomes)) if np.isfinite(step_at_seconds) else np.nan,
    )


def _recovered(outcome: Outcome, step_at_seconds: float) -> float:
    """Until the end of the last 15 s in which more than a few were late."""
    late = outcome.timeline.violations / np.maximum(outcome.timeline.arrivals, 1)
    bad = np.flatnonzero(late > RECOVERED_LATE)
    bad = bad[bad * STEP_SECONDS >= step_at_seconds]
    return float((bad[-1] + 1) * STEP_SECONDS - step_at_seconds) if len(bad) else 0.0
