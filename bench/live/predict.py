"""What the simulator says of a run: the same requests, the same scaler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

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
from foretide.simulate.state import BIN_SECONDS
from foretide.simulate.workload import QueueName

MINUTE_SECONDS: Final = 60.0
# Between the first replica and the load, of the 20 to 25 s that a lane has for its set-up (`lanes.SET_UP_SECONDS`), as
# far as that leaves any. When in the scaler's tick of 15 s the load begins, nobody sets: a tick sooner or later are
# some points, and replicas that stay for five minutes or never come.
IDLE_SECONDS: Final = (15.0, 20.0, 25.0)
# Each with other draws of the pod that kube-proxy takes for a request: a queue without a limit, near saturation, makes
# 53 to 60 % in time of them (`day` under HPA at 80 %), and 77 to 100 % of a burst (`bursty` at 65 %).
ROUTINGS: Final = 16
SIMULATIONS: Final = len(IDLE_SECONDS) * ROUTINGS
# Of what comes of them nine of ten are between.
RANGE: Final = (0.05, 0.95)
# As the chart and Kubernetes have them.
CONDITIONS: Final = Conditions(scrape_seconds=SCRAPE_SECONDS, pre_stop_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of the judged part: medians of all simulations, which a run is nearest to, and the range of nine of ten."""

    within_slo: float
    replica_minutes: float
    within_slo_range: tuple[float, float]
    replica_minutes_range: tuple[float, float]


def predicted(
    system: System,
    load: Load,
    *,
    since_seconds: float = 0.0,
    started_in_seconds: float | None = None,
    routings: int = ROUTINGS,
) -> Prediction:
    """The run before it is run, or what comes of it `since_seconds` after the warm-up, of pods that start as they did
    or as the load says."""
    outcomes = []
    for idle_seconds in IDLE_SECONDS:
        lanes = [
            _lane(system, load, idle_seconds, started_in_seconds or load.cold_start_seconds, seed=SEED + routing)
            for routing in range(routings)
        ]
        unjudged = WARM_UP_SECONDS + since_seconds + BIN_SECONDS * (idle_seconds // BIN_SECONDS)
        outcomes += simulate(_policy(system, lanes), lanes, conditions=CONDITIONS, warm_up_seconds=unjudged)
    shares = [1.0 - outcome.violations / max(outcome.requests, 1) for outcome in outcomes]
    minutes = [outcome.replica_seconds / MINUTE_SECONDS for outcome in outcomes]
    least, share, most = np.quantile(shares, [RANGE[0], 0.5, RANGE[1]]).tolist()
    fewest, cost, longest = np.quantile(minutes, [RANGE[0], 0.5, RANGE[1]]).tolist()
    return Prediction(share, cost, (least, most), (fewest, longest))


def columns(system: System, load: Load, started_in_seconds: float | None) -> dict[str, Any]:
    """What live.json says beside the run."""
    found = predicted(system, load, started_in_seconds=started_in_seconds)
    return {f"predicted_{name}": value for name, value in asdict(found).items()}


def clairvoyant_replica_minutes(load: Load, *, since_seconds: float = 0.0) -> float:
    """The least that keeps the SLO in every step, by somebody who knows the load; of what is after `since_seconds`."""
    rates = np.array(load.profile.rates_rps)
    judged = rates[round((WARM_UP_SECONDS + since_seconds) / load.profile.step_seconds) :]
    needed = np.maximum(np.ceil(judged / load.model.rate_at_slo_rps - 1e-9), 1.0).astype(np.int64)
    step_seconds = load.profile.step_seconds
    schedule = zero_violation(needed, step_seconds=step_seconds, cold_start_seconds=load.cold_start_seconds)
    return float(schedule.replica_seconds) / MINUTE_SECONDS


def _lane(system: System, load: Load, idle_seconds: float, starts_in_seconds: float, *, seed: int) -> Lane:
    """The load after so many idle seconds, in whole ticks: some seconds of its end are cut off."""
    service, sent = load.service(queue_of(system, load)), load.profile
    rates = np.concatenate([np.zeros(round(idle_seconds / sent.step_seconds)), sent.rates_rps])
    rates = rates[: len(rates) - len(rates) % round(BIN_SECONDS / sent.step_seconds)]
    arrive = arrivals(sent, seed=SEED) + idle_seconds
    return Lane(
        name=f"{system.name}-{seed}",
        rates_rps=rates,
        step_seconds=sent.step_seconds,
        seed=seed,
        law=service.law,
        slo_latency_seconds=service.slo_latency_seconds,
        objective=OBJECTIVE,
        queue=service.limits,
        cold_start=Duration.constant(starts_in_seconds),
        arrival_times=arrive[arrive < len(rates) * sent.step_seconds],
        max_replicas=MOST_REPLICAS,
        initial_replicas=1,
    )


def _policy(system: System, lanes: Sequence[Lane]) -> AnyPolicy:
    known = profile(lanes)
    if system.target is None:
        return listed(Scaler.FORETIDE).policy(known, promise(lanes), {})
    signal = Signal.RATE if system.queue is QueueName.DEFAULT else Signal.RATE_AND_FAILURES
    if system.scaler is Scaler.KEDA:
        return Keda(profile=known, signal=signal, threshold=system.target, window_seconds=RATE_WINDOW_SECONDS)
    metric = HpaMetric(source=Source.PODS, signal=signal, target=system.target, window_seconds=RATE_WINDOW_SECONDS)
    return Hpa(profile=known, metrics=(metric,))
