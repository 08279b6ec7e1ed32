"""Sends to real Triton pods what the simulator is asked about, and keeps every request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.simulator_truth import calibrate
from bench.simulator_truth.cases import LAW, QUEUES, Case
from bench.simulator_truth.recording import recorded
from bench.simulator_truth.triton import serving
from e2e.cluster import connect
from e2e.load import arrivals, steady
from e2e.scenarios.api import Api
from foretide.scaling.arrays import Floats

CASE_SEED: Final = 1  # the same for all: both queues and both fleets get the same noise
CALIBRATION_SEED: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class _Load:
    """What is sent, and the file of it."""

    file: Path
    times: Floats
    text: str

    @property
    def seconds(self) -> float:
        return float(self.times[-1])


def measure(wanted: tuple[Case, ...], folder: Path, say: Callable[[str], None]) -> None:
    """Everything that is not in the folder yet: a run that was stopped goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    all_loads = _loads(wanted, folder)
    fleets = {fleet: [load for load in loads if not load.file.exists()] for fleet, loads in all_loads.items()}
    left = sum(load.seconds for loads in fleets.values() for load in loads)
    if not left:
        return
    cluster = connect()
    api = Api(cluster)
    try:
        for (queue, replicas), loads in fleets.items():
            if not loads:
                continue
            with serving(cluster, api, LAW, QUEUES[queue], replicas=replicas) as triton:
                for load in loads:
                    say(f"{load.text} ({left / 60:.0f} min left)")
                    recorded(triton, load.times).save(load.file)
                    left -= load.seconds
                    time.sleep(2.0)  # what still waits is answered
    finally:
        api.close()


def case_file(folder: Path, case: Case) -> Path:
    """Where its requests are."""
    return folder / f"{case.key}.npz"


def _loads(wanted: tuple[Case, ...], folder: Path) -> Mapping[tuple[str, int], list[_Load]]:
    """By queue and replicas; each queue that is wanted is calibrated first."""
    found: dict[tuple[str, int], list[_Load]] = {}
    for queue in dict.fromkeys(case.queue for case in wanted):
        found[queue, 1] = list(_calibration(folder, queue))
    for case in wanted:
        times = _poisson(case.load * case.replicas, case.seconds, seed=CASE_SEED)
        text = f"{case.name}: {case.rate_rps:.1f} requests/s for {case.seconds:.0f} s"
        found.setdefault((case.queue, case.replicas), []).append(_Load(case_file(folder, case), times, text))
    return found


def _calibration(folder: Path, queue: str) -> list[_Load]:
    files = calibrate.recordings(folder, queue)
    single = np.arange(0.0, calibrate.ALONE_SECONDS, 1.0 / calibrate.ALONE_RPS)
    loads = [_Load(files[calibrate.ALONE], single, f"calibrating the {queue} queue: single requests")]
    for number, load in enumerate(calibrate.LOADS):
        times = _poisson(load, calibrate.LOAD_SECONDS, seed=CALIBRATION_SEED + number)
        loads.append(_Load(files[str(load)], times, f"calibrating the {queue} queue: {load:g} of saturation"))
    return loads


def _poisson(load: float, seconds: float, *, seed: int) -> Floats:
    random: Floats = arrivals(steady(load * LAW.saturation_rps, seconds=seconds), seed=seed)
    return random
