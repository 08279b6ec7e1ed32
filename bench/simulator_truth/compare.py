"""The simulator on the arrivals that Triton was sent: quantiles, share within the SLO and refusals side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.simulator_truth.calibrate import Calibration
from bench.simulator_truth.cases import QUEUES, SLO_SECONDS, Case
from bench.simulator_truth.recording import Recording
from bench.simulator_truth.replay import LEVELS, WARM_UP_SECONDS, quantiles_seconds, refused, replayed
from foretide.simulate.scenario import Law

# The draw of routes and noise is one of many; the real run is one, too.
DRAWS: Final = 20
BAR_P99: Final = 0.10
BAR_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """One case: what was measured, and the mean of the simulated draws."""

    case: Case
    law: Law
    requests: int
    real_seconds: tuple[float, ...]
    simulated_seconds: tuple[float, ...]
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


def compare(case: Case, recording: Recording, known: Calibration) -> Row:
    """One case; the judged requests are those after the warm-up, in both."""
    judged = recording.after(WARM_UP_SECONDS)
    law = known.law(recording)
    draws = replayed(
        recording.sent_at,
        law,
        known.queue(QUEUES[case.queue]),
        replicas=case.replicas,
        slo_seconds=SLO_SECONDS,
        draws=DRAWS,
    )
    return Row(
        case=case,
        law=law,
        requests=len(judged.sent_at),
        real_seconds=tuple(judged.quantiles_seconds(LEVELS).tolist()),
        simulated_seconds=quantiles_seconds(draws),
        real_share=float(((judged.latency_seconds <= SLO_SECONDS) & judged.answered).mean()),
        simulated_share=float(np.mean([1.0 - draw.violation_share for draw in draws])),
        real_refused=judged.refused,
        simulated_refused=refused(draws),
    )
