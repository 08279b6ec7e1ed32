"""Faro's simulator (src/simulation, SimPy) over again: ten jobs, one quota, a policy that is asked every 10 s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.faro_table.cluster import Cluster, ShiftedLognormal
from bench.faro_table.controller import Controller, Order
from bench.faro_table.inputs import MINUTE_SECONDS, arrivals
from bench.faro_table.observe import SLO_SECONDS, observe
from bench.faro_table.pods import Pods
from foretide.scaling.arrays import Ints
from foretide.scaling.policy import AnyPolicy, Past
from foretide.simulate.traces import Trace

TICK_SECONDS: Final = 10
ROUND_SECONDS: Final = 5  # between two rounds of the monitor and of those who wait for a worker
# job_latency_specs.yaml of the experiment: ResNet34 for one request, mean 154 ms.
RESNET34: Final = ShiftedLognormal(0.42247119243841247, 0.07930158214998745, 0.06858078649769431)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a run is made of besides load and policy."""

    quota: int
    seed: int  # of the arrivals, which are those that Faro drew with it
    draw: int = 0  # of the service times and routes, which are ours
    trials: int = 1  # of an order that finds its job at work
    first_replicas: int = 1
    service: ShiftedLognormal = RESNET34
    each_pod: bool = False  # is shown, and the quota too


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Shares of requests outside the SLO, refused ones included."""

    by_minute: float  # the mean over jobs of the mean over minutes: what Faro's tables have
    by_job: float  # the mean over jobs of the share of a job's requests
    by_request: float
    refused: int
    replicas: float  # that take requests, mean of the time


def simulate(policy: AnyPolicy, load: Trace, past: Past, setting: Setting) -> Outcome:
    """One run, until the last request is answered."""
    random = np.random.default_rng([setting.seed, setting.draw])
    clusters = [Cluster(times, setting.service, random) for times in arrivals(load, seed=setting.seed)]
    controller = Controller(clusters, quota=setting.quota, first_replicas=setting.first_replicas)
    pods = Pods(clusters, controller, quota=setting.quota)
    memory = policy.start(past)
    running = []
    # Events of the same second happen in the order in which SimPy has them: starts, decision, monitor, executors.
    for now in range(1, int(load.seconds) + 1):
        controller.start(now)
        if now % TICK_SECONDS == 0:
            for cluster in clusters:
                cluster.advance(now)
            running.append(sum(cluster.running for cluster in clusters))
            if setting.each_pod:
                seen = pods.see(policy.queries, now)
            else:
                seen = observe(clusters, controller.ordered, policy.queries, now)
            answer = policy.decide(seen, memory)
            memory = answer.memory
            controller.take(_orders(answer.desired, controller.ordered, setting.trials), now)
        if now % ROUND_SECONDS == 0:
            for cluster in clusters:
                cluster.release(now)
            controller.carry_out(now)
    for cluster in clusters:
        cluster.advance(np.inf)
    return _outcome(clusters, float(np.mean(running)))


def _orders(desired: Ints, ordered: Ints, trials: int) -> list[Order]:
    return [Order(job=int(job), target=int(desired[job]), trials=trials) for job in np.flatnonzero(desired != ordered)]


def _outcome(clusters: Sequence[Cluster], replicas: float) -> Outcome:
    by_minute, by_job = [], []
    for cluster in clusters:
        late = cluster.refused | (cluster.requests["latency_seconds"] > SLO_SECONDS)
        minute = (cluster.requests["arrives"] // MINUTE_SECONDS).astype(np.int64)
        asked = np.bincount(minute)
        # Requests that a minute sends too late make a minute of their own after the last one, as in Faro's tables.
        by_minute.append((np.bincount(minute, weights=late)[asked > 0] / asked[asked > 0]).mean())
        by_job.append(late.mean())
    counts = [len(cluster.requests) for cluster in clusters]
    return Outcome(
        by_minute=float(np.mean(by_minute)),
        by_job=float(np.mean(by_job)),
        by_request=float(np.average(by_job, weights=counts)),
        refused=sum(int(cluster.refused.sum()) for cluster in clusters),
        replicas=replicas,
    )
