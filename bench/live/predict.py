"""What the simulator says of a run: the same requests, the same scaler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.live.loads import OBJECTIVE, SEED, WARM_UP_SECONDS, Load
from bench.live.peers.objects import MOST_REPLICAS
from bench.live.systems import Scaler, System, queue_of
from e2e.load import arrivals
from foretide.scaling.policy import AnyPolicy
from foretide.simulate.observe import profile, promise
from foretide.simulate.optimum.exact import zero_violation
from foretide.simulate.peers.hpa import Hpa
from foretide.simulate.peers.hpa_metrics import HpaMetric, Signal, Source
from foretide.simulate.peers.keda import Keda
from foretide.simulate.policies import RATE_WINDOW_SECONDS, SCRAPE_SECONDS, listed
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Duration, Lane
from foretide.simulate.workload import QueueName

MINUTE_SECONDS: Final = 60.0
# As the chart and Kubernetes have them.
CONDITIONS: Final = Conditions(scrape_seconds=SCRAPE_SECONDS, pre_stop_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of the judged part."""

    within_slo: float
    replica_minutes: float


def predicted(system: System, load: Load, *, since_seconds: float = 0.0) -> Prediction:
    """The run before it is run, or what comes of it `since_seconds` after the warm-up."""
    lane, unjudged = _lane(system, load), WARM_UP_SECONDS + since_seconds
    (outcome,) = simulate(_policy(system, lane), [lane], conditions=CONDITIONS, warm_up_seconds=unjudged)
    return Prediction(1.0 - outcome.violations / max(outcome.requests, 1), outcome.replica_seconds / MINUTE_SECONDS)


def columns(system: System, load: Load) -> dict[str, float]:
    """What live.json says beside the run."""
    found = predicted(system, load)
    return {"predicted_within_slo": found.within_slo, "predicted_replica_minutes": found.replica_minutes}


def clairvoyant_replica_minutes(load: Load, *, since_seconds: float = 0.0) -> float:
    """The least that keeps the SLO in every step, by somebody who knows the load; of what is after `since_seconds`."""
    rates = np.array(load.profile.rates_rps)
    judged = rates[round((WARM_UP_SECONDS + since_seconds) / load.profile.step_seconds) :]
    needed = np.maximum(np.ceil(judged / load.model.rate_at_slo_rps - 1e-9), 1.0).astype(np.int64)
    step_seconds = load.profile.step_seconds
    schedule = zero_violation(needed, step_seconds=step_seconds, cold_start_seconds=load.cold_start_seconds)
    return float(schedule.replica_seconds) / MINUTE_SECONDS


def _lane(system: System, load: Load) -> Lane:
    service = load.service(queue_of(system, load))
    return Lane(
        name=system.name,
        rates_rps=np.array(load.profile.rates_rps),
        step_seconds=load.profile.step_seconds,
        seed=SEED,
        law=service.law,
        slo_latency_seconds=service.slo_latency_seconds,
        objective=OBJECTIVE,
        queue=service.limits,
        cold_start=Duration.constant(load.cold_start_seconds),
        arrival_times=arrivals(load.profile, seed=SEED),
        max_replicas=MOST_REPLICAS,
        initial_replicas=1,
    )


def _policy(system: System, lane: Lane) -> AnyPolicy:
    known = profile([lane])
    if system.target is None:
        return listed(Scaler.FORETIDE).policy(known, promise([lane]), {})
    signal = Signal.RATE if system.queue is QueueName.DEFAULT else Signal.RATE_AND_FAILURES
    if system.scaler is Scaler.KEDA:
        return Keda(profile=known, signal=signal, threshold=system.target, window_seconds=RATE_WINDOW_SECONDS)
    metric = HpaMetric(source=Source.PODS, signal=signal, target=system.target, window_seconds=RATE_WINDOW_SECONDS)
    return Hpa(profile=known, metrics=(metric,))
