"""What came of one run: requests as their sender saw them, replicas as the API server told them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from bench.live.loads import OBJECTIVE, WARM_UP_SECONDS, Load
from bench.live.predict import clairvoyant_replica_minutes
from bench.live.systems import System, queue_of
from e2e.load import Outcome, Result
from e2e.load.report import totals, within
from e2e.scenarios.each_second import each_second
from e2e.scenarios.recording import State
from foretide.scaling.arrays import Bools, Floats, Ints

MINUTE_SECONDS: Final = 60.0
BIN_SECONDS: Final = 15
# When a crowd is served in time again: at most 70 s after it came. 150 requests/s are 750 in each.
RECOVERY_BIN_SECONDS: Final = 5


class LateSenderError(Exception):
    """The machine was too busy to ask as the load has it: the run says little of who was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a run."""

    requests: int
    within_slo: float
    failed: int
    lost: int  # of the failed: not connected, or broken off; what a replica that leaves can cost
    replica_minutes: float
    times_clairvoyant: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A row of live.json, and what its chart is drawn from: one number for each 15 s after the warm-up."""

    system: System
    load: Load
    whole: Part
    last: Part | None  # the last repetition, where there are some
    scale_events: int
    recovered_seconds: float | None  # after a step of the load until 99 % are in time again; None: there is no step
    started_in_seconds: float | None  # from a pod's creation until it was ready, the median; None: none was at the end
    asked_rps: Sequence[float]
    share_within_slo: Sequence[float]
    wanted: Sequence[float]
    ready: Sequence[float]

    def row(self) -> dict[str, Any]:
        """As JSON; `predict.columns` are to be added."""
        return {
            "system": self.system.scaler.value,
            "target": self.system.target,
            "queue": queue_of(self.system, self.load).value,
            "trace": self.load.name,
            "cold_start_seconds": self.load.cold_start_seconds,
            **asdict(self.whole),
            "scale_events": self.scale_events,
            "last_part": None if self.last is None else asdict(self.last),
            "recovered_seconds": self.recovered_seconds,
            "started_in_seconds": self.started_in_seconds,
            "asked_rps": list(self.asked_rps),
            "share_within_slo": list(self.share_within_slo),
            "wanted": list(self.wanted),
            "ready": list(self.ready),
        }


def run_of(
    system: System,
    load: Load,
    result: Result,
    states: Sequence[State],
    *,
    began: float,
    started_in_seconds: float | None = None,
) -> Run:
    """`states` are those of its Deployment; `began` is second 0 of the load in time.monotonic; raises
    LateSenderError."""
    sent = totals(result, slo_seconds=load.model.slo_seconds)
    if sent.generator_was_late:
        raise LateSenderError(f"requests were sent {1e3 * sent.sent_late_p99_seconds:.0f} ms late (p99): fewer --lanes")
    seconds = round(load.profile.seconds)
    wanted = each_second(states, "spec", "replicas", since=began, seconds=seconds)
    paid = each_second(states, "status", "replicas", since=began, seconds=seconds)
    ready = each_second(states, "status", "readyReplicas", since=began, seconds=seconds)
    warm = round(WARM_UP_SECONDS)
    in_time = within(result, slo_seconds=load.model.slo_seconds)

    def part(since_seconds: float) -> Part:
        judged = result.planned_at >= WARM_UP_SECONDS + since_seconds
        minutes = float(paid[warm + round(since_seconds) :].sum()) / MINUTE_SECONDS
        return Part(
            requests=int(judged.sum()),
            within_slo=float(in_time[judged].mean()) if judged.any() else 1.0,
            failed=int((result.outcome[judged] != Outcome.OK).sum()),
            lost=int(np.isin(result.outcome[judged], (Outcome.NOT_CONNECTED, Outcome.BROKEN)).sum()),
            replica_minutes=minutes,
            times_clairvoyant=minutes / clairvoyant_replica_minutes(load, since_seconds=since_seconds),
        )

    edges = np.arange(warm, seconds + 1, BIN_SECONDS)
    asked = np.histogram(result.planned_at, edges)[0]
    return Run(
        system=system,
        load=load,
        whole=part(0.0),
        last=None if load.last_part_seconds is None else part(load.last_part_seconds),
        scale_events=int(np.count_nonzero(np.diff(wanted[warm:]))),
        recovered_seconds=_recovered(load, result.planned_at, in_time),
        started_in_seconds=started_in_seconds,
        asked_rps=(asked / BIN_SECONDS).tolist(),
        share_within_slo=_share(result.planned_at, in_time, edges).tolist(),
        wanted=wanted[edges[:-1]].tolist(),
        ready=ready[edges[:-1]].tolist(),
    )


def _recovered(load: Load, planned_at: Floats, in_time: Bools) -> float | None:
    """From the step until the end of the last 5 s below the objective, as long as the load is high."""
    if load.step_at_seconds is None or load.step_ends_seconds is None:
        return None
    first, end = round(WARM_UP_SECONDS + load.step_at_seconds), round(WARM_UP_SECONDS + load.step_ends_seconds)
    share = _share(planned_at, in_time, np.arange(first, end + 1, RECOVERY_BIN_SECONDS))
    bad = np.flatnonzero(share < OBJECTIVE)
    return float(RECOVERY_BIN_SECONDS * (bad[-1] + 1)) if len(bad) else 0.0


def _share(planned_at: Floats, in_time: Bools, edges: Ints) -> Floats:
    """In time, of what was asked for between two edges; 1 where that is nothing."""
    asked, good = (np.histogram(at, edges)[0] for at in (planned_at, planned_at[in_time]))
    share: Floats = np.divide(good, asked, out=np.ones(len(asked)), where=asked > 0)
    return share
