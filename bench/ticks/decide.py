"""How long one tick of the scaling core takes: `python -m bench.ticks.decide [services]`, milliseconds, best of 20."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from foretide.scaling.brain import Brain
from foretide.scaling.capacity import BatchCounts, Evidence, fit, learn, rate_per_replica
from foretide.scaling.decide import decide
from foretide.scaling.decision import Bounds, Fleet, Plan
from foretide.scaling.demand import observe
from foretide.scaling.journal import encode
from foretide.scaling.ledger import explain
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Pods
from foretide.scaling.policy import Observation, PodList, Promise
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings

PODS_A_SERVICE: Final = 4
ROUNDS: Final = 20


def main(services: int) -> None:
    random = np.random.default_rng(0)
    settings = ScalingSettings()
    brain = Brain(settings, rate_window_seconds=30.0)
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
        inference_rps=readings(0, 50),
        pending=readings(0, 4),
        pending_growth_rps=readings(-1, 1),
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
    memory = replace(Memory.fresh(services), evidence=learn(Evidence.none(services), counts))
    law = fit(memory.evidence)
    capacity = rate_per_replica(
        law, slo_latency_seconds=0.1 * whole, objective=0.99 * whole, max_batch=8 * one, instances=one
    )
    seen = observe(table, services=services, max_batch=8 * one, items_per_request=whole, settings=settings)
    bounds = Bounds(minimum=one, maximum=40 * one, paused=none, is_pinned=none, pinned=one)
    fleet = Fleet(replicas=4 * one, rolling=none)
    plan = Plan.none(services, hold_seconds=settings.scale_down_hold_seconds)
    made = decide(bounds, fleet, seen, capacity, plan, memory, now_seconds=1.76e9, settings=settings)
    observation = Observation(
        now_seconds=1.76e9,
        pods=PodList(
            service=table.service,
            ready=table.ready,
            leaving=~table.ready,
            ready_age_seconds=table.ready_age_seconds,
            age_seconds=table.ready_age_seconds,
        ),
        answers={query: getattr(table, column, latency) for column, query in brain.questions.items()},
        batches=counts,
        fleet=fleet,
        bounds=bounds,
        promise=Promise(slo_latency_seconds=0.1 * whole, objective=0.99 * whole, max_batch=8 * one, instances=one),
    )

    steps: dict[str, Callable[[], object]] = {
        "learn": lambda: learn(memory.evidence, counts),
        "fit": lambda: fit(memory.evidence),
        "rate_per_replica": lambda: rate_per_replica(
            law, slo_latency_seconds=0.1 * whole, objective=0.99 * whole, max_batch=8 * one, instances=one
        ),
        "observe": lambda: observe(
            table, services=services, max_batch=8 * one, items_per_request=whole, settings=settings
        ),
        "decide": lambda: decide(bounds, fleet, seen, capacity, plan, memory, now_seconds=1.76e9, settings=settings),
        "all of it": lambda: brain.decide(observation, memory),
        "explain and encode one": lambda: (explain(made, 0), encode(made.memory, 0, uid="u", model="m")),
    }
    print(f"{services} services, {pods} pods")
    for name, step in steps.items():
        best = min(_seconds(step) for _ in range(ROUNDS))
        print(f"{name:24} {best * 1e3:8.2f} ms")


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
