"""The simulator on the arrivals that Triton was sent: quantiles, share within the SLO and refusals side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.simulator_truth.calibrate import Calibration
from bench.simulator_truth.cases import QUEUES, SLO_SECONDS, WARM_UP_SECONDS, Case
from e2e.load import Outcome
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import Observation, Past, Query
from foretide.simulate.outcome import Outcome as Simulated
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane
from foretide.simulate.state import BIN_SECONDS

LEVELS: Final = (0.5, 0.95, 0.99)
# The draw of routes and noise is one of many; the real run is one, too.
DRAWS: Final = 20
BAR_P99: Final = 0.10
BAR_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """One case: what was measured, and the mean of the simulated draws with their extremes for p99."""

    case: Case
    requests: int
    real_seconds: tuple[float, ...]
    simulated_seconds: tuple[float, ...]
    simulated_p99_range: tuple[float, float]
    real_share: float
    simulated_share: float
    real_refused: float
    simulated_refused: float

    @property
    def p99_error(self) -> float:
        return self.simulated_seconds[-1] / self.real_seconds[-1] - 1.0

    @property
    def share_error(self) -> float:
        return self.simulated_share - self.real_share

    @property
    def holds(self) -> bool:
        return abs(self.p99_error) <= BAR_P99 and abs(self.share_error) <= BAR_SHARE


@dataclass(frozen=True, slots=True)
class _Fixed:
    """Leaves the fleet as it is."""

    replicas: int
    tick_seconds: float = BIN_SECONDS
    queries: tuple[Query, ...] = ()

    def start(self, past: Past) -> None:
        return None

    def decide(self, seen: Observation, memory: None) -> PeerAnswer[None]:
        desired: Ints = np.full(len(seen), self.replicas, dtype=np.int64)
        return PeerAnswer(desired=desired, memory=None, rule=np.zeros_like(desired), rules=("Fixed",))


def compare(case: Case, folder: Path, known: Calibration) -> Row:
    """One case; the judged requests are those after the warm-up, in both."""
    with np.load(folder / f"{case.name}.npz") as found:
        sent, latency, outcome = found["sent_at"], found["latency_seconds"], found["outcome"]
    judged = sent >= WARM_UP_SECONDS
    answered = outcome == Outcome.OK
    real = _quantiles(latency[judged & answered])
    draws = _draws(case, known, np.sort(sent))
    simulated = [tuple(draw.latencies.quantile_seconds(level) for level in LEVELS) for draw in draws]
    tails = [row[-1] for row in simulated]
    return Row(
        case=case,
        requests=int(judged.sum()),
        real_seconds=real,
        simulated_seconds=tuple(float(np.mean(column)) for column in zip(*simulated, strict=True)),
        simulated_p99_range=(min(tails), max(tails)),
        real_share=_share(latency, answered, judged),
        simulated_share=float(np.mean([1.0 - draw.violation_share for draw in draws])),
        real_refused=float(1.0 - answered[judged].mean()),
        simulated_refused=float(np.mean([draw.failures / draw.requests for draw in draws])),
    )


def _draws(case: Case, known: Calibration, sent: Floats) -> list[Simulated]:
    seconds = np.ceil((sent[-1] + 1.0) / BIN_SECONDS) * BIN_SECONDS
    lanes = [
        Lane(
            name=f"{case.name}-{draw}",
            rates_rps=np.zeros(1),
            step_seconds=float(seconds),
            arrival_times=sent,
            seed=draw,
            law=known.law,
            queue=known.queue(QUEUES[case.queue]),
            slo_latency_seconds=SLO_SECONDS,
            max_replicas=case.replicas,
            initial_replicas=case.replicas,
        )
        for draw in range(DRAWS)
    ]
    return simulate(_Fixed(case.replicas), lanes, conditions=Conditions(), warm_up_seconds=WARM_UP_SECONDS)


def _quantiles(latency: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(latency, LEVELS, method="inverted_cdf"))


def _share(latency: Floats, answered: Bools, judged: Bools) -> float:
    return float(((latency <= SLO_SECONDS) & answered)[judged].mean())
