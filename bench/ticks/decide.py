"""How long one tick of the brain takes, for services with two weeks of minutes.

`python -m bench.ticks.decide [services]`. Its steps: milliseconds, best of 20. Whole ticks, one after the other as the
operator has them: median and slowest of 24, and the most memory that the process had. Quotas are shared by services
that want 40 replicas each for 95 % of their saturation, in six groups, and where one of them wants 10,000.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from foretide.scaling.brain import Brain
from foretide.scaling.capacity import BatchCounts, Evidence, fit, learn, rate_per_replica
from foretide.scaling.decide import decide
from foretide.scaling.decision import Bounds, Decisions, Fleet, Plan, Quotas
from foretide.scaling.demand import observe
from foretide.scaling.forecast.foresight import Foresight, Target, Trust
from foretide.scaling.forecast.history import DAY_MINUTES, DAYS, SLOT_SECONDS, SLOTS, History
from foretide.scaling.forecast.sight import Sight
from foretide.scaling.journal import encode
from foretide.scaling.ledger import explain
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Pods
from foretide.scaling.policy import Observation, Past, PodList, Promise
from foretide.scaling.ration import ration
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings
from foretide.scaling.tuning import Told, Tuning

PODS_A_SERVICE: Final = 4
ROUNDS: Final = 20
TICKS: Final = 24
NOW_SECONDS: Final = 1.76e9


@dataclass(frozen=True, slots=True)
class Case:
    """What the brain is shown at each tick, and what it remembers at the first."""

    brain: Brain
    observation: Observation
    memory: Memory
    pods: Pods

    @classmethod
    def of(cls, services: int) -> Case:
        """Services that have all that a service may have, at random loads."""
        random = np.random.default_rng(0)
        settings = ScalingSettings()
        brain = Brain(settings)
        pods = services * PODS_A_SERVICE
        known = np.ones(pods, dtype=np.bool_)

        def readings(low: float, high: float) -> Readings:
            return Readings(value=random.uniform(low, high, pods), known=known)

        table = Pods(
            service=np.repeat(np.arange(services), PODS_A_SERVICE),
            ready=known,
            ready_age_seconds=np.full(pods, 600.0),
            success_rps=readings(0, 50),
            failure_rps=readings(0, 1),
            cache_hits_rps=readings(0, 10),
            inference_rps=readings(0, 50),
            pending=readings(0, 4),
            pending_growth_rps=readings(-1, 1),
            short_failure_rps=readings(0, 1),
            short_pending_growth_rps=readings(-1, 1),
            sample_age_seconds=readings(0, 5),
        )
        latency = readings(0.1, 2)
        sizes = np.tile(np.arange(1, 9), services)
        executions = random.uniform(20, 200, len(sizes))
        rows = np.repeat(np.arange(services), 8)
        counts = BatchCounts(
            service=rows, batch_size=sizes, executions=executions, seconds=executions * (0.005 + 0.001 * sizes)
        )
        whole, one = np.ones(services), np.ones(services, dtype=np.int64)
        none = np.zeros(services, dtype=np.bool_)
        memory = replace(
            Memory.fresh(services),
            evidence=learn(Evidence.none(services), counts),
            sight=Sight.of(_fortnight(services, random)),
            looked_seconds=np.full(services, NOW_SECONDS - settings.tick_seconds),
        )
        observation = Observation(
            now_seconds=NOW_SECONDS,
            pods=PodList(
                service=table.service,
                ready=table.ready,
                leaving=~table.ready,
                ready_age_seconds=table.ready_age_seconds,
                age_seconds=table.ready_age_seconds,
            ),
            answers={query: getattr(table, column, latency) for column, query in brain.questions.items()},
            batches=counts,
            fleet=Fleet(replicas=4 * one, rolling=none),
            bounds=Bounds(minimum=one, maximum=40 * one, paused=none, is_pinned=none, pinned=one),
            tuning=Tuning.usual(services),
            told=Told.nothing(len(one)),
            promise=Promise(
                slo_latency_seconds=0.1 * whole,
                objective=0.99 * whole,
                max_batch=8 * one,
                instances=one,
                window_seconds=28 * 86_400.0 * whole,
            ),
        )
        return cls(brain, observation, memory, table)


def main(services: int) -> None:
    """Prints all of it."""
    case = Case.of(services)
    print(f"{services} services, {services * PODS_A_SERVICE} pods")
    for name, step in _steps(case).items():
        best = min(_seconds(step) for _ in range(ROUNDS))
        print(f"{name:28} {best * 1e3:8.2f} ms")
    first, *others = ticks(case)
    print(f"{'a tick, median':28} {np.median(others):8.3f} s")
    print(f"{'a tick, slowest':28} {max(others):8.3f} s; the first after a start {first:.3f} s")
    print(f"{'most memory':28} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")


def brain_seconds(services: int) -> float:
    """Of the median tick, of the brain alone."""
    return float(np.median(ticks(Case.of(services))[1:]))


def ticks(case: Case) -> list[float]:
    """Seconds of whole ticks, one after the other as the operator has them."""
    took, memory = [], case.memory
    for tick in range(TICKS):
        seen = replace(case.observation, now_seconds=NOW_SECONDS + tick * case.brain.tick_seconds)
        begun = time.perf_counter()
        memory = case.brain.decide(seen, memory).memory
        took.append(time.perf_counter() - begun)
    return took


def _steps(case: Case) -> dict[str, Callable[[], object]]:
    seen, memory, settings = case.observation, case.memory, case.brain.settings
    services, promise = len(seen), seen.promise
    law = fit(memory.evidence)
    rated = partial(
        rate_per_replica,
        law,
        slo_latency_seconds=promise.slo_latency_seconds,
        objective=promise.objective,
        max_batch=promise.max_batch,
        instances=promise.instances,
    )
    look = partial(
        observe,
        case.pods,
        services=services,
        max_batch=promise.max_batch,
        items_per_request=memory.items_per_request,
        settings=settings,
    )
    decided = partial(
        decide,
        seen.bounds,
        seen.tuning,
        seen.fleet,
        look(),
        rated(),
        Plan.none(services, hold_seconds=settings.scale_down_hold_seconds),
        memory,
        now_seconds=NOW_SECONDS,
        settings=settings,
    )
    made = decided()
    minutes = (services, 40)
    late = Past(
        demand=Readings(value=np.random.default_rng(1).uniform(0, 50, minutes), known=np.ones(minutes, dtype=np.bool_)),
        step_seconds=60.0,
        end_seconds=NOW_SECONDS - 86_400.0,
    )
    return {
        "learn": partial(learn, memory.evidence, seen.batches),
        "fit": partial(fit, memory.evidence),
        "rate_per_replica": rated,
        "observe": look,
        "decide": decided,
        "share quotas": partial(_share, made, 40),
        "share quotas, one of 10,000": partial(_share, made, 10_000),
        "40 minutes of the past": partial(memory.sight.backfilled, late),
        "explain and encode one": lambda: (explain(made, 0), encode(made.memory, 0, uid="u", model="m")),
    }


def _share(made: Decisions, largest: int) -> Decisions:
    """Half of what is wanted; the first service wants `largest` replicas."""
    services, groups = len(made), 6
    desired = np.full(services, 40)
    desired[0] = largest
    full = 0.95 * desired * made.capacity.saturation_rps
    foresight = Foresight(
        levels=np.array([0.5, 0.9, 0.97, 0.99, 0.997]),
        demand_rps=full[:, None, None] * np.broadcast_to([0.5, 0.8, 0.9, 1.0, 1.1], (services, len(Target), 5)),
        trust=np.full(services, Trust.GOOD),
    )
    group = np.arange(services) % groups
    limit = np.bincount(group, weights=desired).astype(np.int64) // 2
    quotas = Quotas(group=group, priority=np.zeros(services, dtype=np.int64), limit=limit)
    return ration(replace(made, desired=desired), quotas, foresight)


def _fortnight(services: int, random: np.random.Generator) -> History:
    """Two weeks of minutes of every service, a day at a time."""
    slot = int(NOW_SECONDS // SLOT_SECONDS) - 1
    return History(
        slot=slot,
        recent=random.random((services, SLOTS), dtype=np.float32) * 100.0,
        day=slot // (4 * DAY_MINUTES),
        minutes=tuple(
            (random.random((services, DAY_MINUTES), dtype=np.float32) * 10.0).astype(np.float16) for _ in range(DAYS)
        ),
    )


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
