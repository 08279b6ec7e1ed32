"""Sends the same kind of load to real Triton pods that the simulator is asked about, and keeps every request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import numpy as np

from bench.simulator_truth.calibrate import Calibration, calibrated
from bench.simulator_truth.cases import LAW, QUEUES, Case
from bench.simulator_truth.send import send
from bench.simulator_truth.triton import serving
from e2e.cluster import connect
from e2e.load import Result, arrivals, steady
from e2e.scenarios.api import Api

CALIBRATION = "calibration-{queue}.json"


def measure(wanted: tuple[Case, ...], folder: Path, say: Callable[[str], None]) -> None:
    """Every case that is not in the folder yet: a run that was stopped goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [case for case in wanted if not (folder / f"{case.name}.npz").exists()]
    uncalibrated = [queue for queue in QUEUES if not _calibration_file(folder, queue).exists()]
    if not missing and not uncalibrated:
        return
    cluster = connect()
    api = Api(cluster)
    try:
        for queue in uncalibrated:
            say(f"calibrating with the {queue} queue: the law and the missed wake-ups (5 min)")
            with serving(cluster, api, LAW, QUEUES[queue], replicas=1) as triton:
                found = calibrated(triton)
            _calibration_file(folder, queue).write_text(json.dumps(found.as_json(), indent=1))
        left = sum(case.seconds for case in missing)
        for (queue, replicas), group in groupby(missing, key=lambda case: (case.queue, case.replicas)):
            with serving(cluster, api, LAW, QUEUES[queue], replicas=replicas) as triton:
                for case in group:
                    load = f"{case.rate_rps:.1f} requests/s for {case.seconds:.0f} s"
                    say(f"{case.name}: {load} ({left / 60:.0f} min left)")
                    times = arrivals(steady(case.rate_rps, seconds=case.seconds), seed=1)
                    _save(send(triton, times), case, folder)
                    left -= case.seconds
                    time.sleep(2.0)  # what still waits is answered
    finally:
        api.close()


def calibrations(folder: Path) -> dict[str, Calibration]:
    """What was measured before the cases, by queue."""
    return {queue: Calibration.of_json(json.loads(_calibration_file(folder, queue).read_text())) for queue in QUEUES}


def _calibration_file(folder: Path, queue: str) -> Path:
    return folder / CALIBRATION.format(queue=queue)


def _save(result: Result, case: Case, folder: Path) -> None:
    partial = folder / f"{case.name}.partial.npz"
    np.savez_compressed(
        partial,
        sent_at=result.sent_at,
        latency_seconds=result.latency_seconds,
        outcome=result.outcome,
        case=json.dumps(asdict(case)),
    )
    partial.rename(folder / f"{case.name}.npz")
