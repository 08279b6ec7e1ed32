"""Sends the same kind of load to real Triton pods that the simulator is asked about, and keeps every request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from bench.simulator_truth.cases import LAW, QUEUES, Case
from bench.simulator_truth.triton import Replicas, serving
from e2e.cluster import connect
from e2e.load import Plan, Result, arrivals, start, steady
from e2e.scenarios.api import Api
from foretide.scaling.arrays import Floats

ALONE: Final = 60  # single requests, one after another
FULL_SECONDS: Final = 20.0  # of twice the load that a replica can carry


def measure(wanted: tuple[Case, ...], folder: Path, say: Callable[[str], None]) -> None:
    """Every case that is not in the folder yet: a run that was stopped goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [case for case in wanted if not (folder / f"{case.name}.npz").exists()]
    if not missing and (folder / "law.json").exists():
        return
    cluster = connect()
    api = Api(cluster)
    try:
        if not (folder / "law.json").exists():
            with serving(cluster, api, LAW, QUEUES["default"], replicas=1) as triton:
                say("calibrating: single requests, then full batches")
                (folder / "law.json").write_text(json.dumps(_calibrated(triton), indent=1))
        left = sum(case.seconds for case in missing)
        for (queue, replicas), group in groupby(missing, key=lambda case: (case.queue, case.replicas)):
            with serving(cluster, api, LAW, QUEUES[queue], replicas=replicas) as triton:
                for case in group:
                    load = f"{case.rate_rps:.1f} requests/s for {case.seconds:.0f} s"
                    say(f"{case.name}: {load} ({left / 60:.0f} min left)")
                    _save(_sent(triton, case.rate_rps, case.seconds, seed=1), case, folder)
                    left -= case.seconds
                    time.sleep(2.0)  # what still waits is answered
    finally:
        api.close()


def _calibrated(triton: Replicas) -> dict[str, float]:
    """The law by Triton's own counters, and what those do not count: the way there and back, and the pause between
    batches. From loads that are judged nowhere."""
    before = triton.executed()
    alone = _sent(triton, 2.0, ALONE / 2.0, seed=7, spread=False)
    full = _sent(triton, 2.0 * LAW.saturation_rps, FULL_SECONDS, seed=8)
    after = triton.executed()
    counts = {size: np.subtract(after[size], before.get(size, (0.0, 0.0))) for size in after}
    sizes = np.array([size for size, (count, _) in counts.items() if count > 0], dtype=np.float64)
    weights = np.array([count for count, _ in counts.values() if count > 0])
    means = np.array([seconds / count for count, seconds in counts.values() if count > 0])
    per_item, fixed = np.polyfit(sizes, means, 1, w=np.sqrt(weights))
    batch = per_item * LAW.max_batch + fixed
    ends = np.sort(full.sent_at + full.latency_seconds)
    busy = ends[(ends > 5.0) & (ends < FULL_SECONDS)]
    cycle = LAW.max_batch * (busy[-1] - busy[0]) / (len(busy) - 1)
    return {
        "per_item_seconds": float(per_item),
        "fixed_seconds": float(fixed),
        "between_batches_seconds": float(cycle - batch),
        "overhead_seconds": float(np.median(alone.latency_seconds) - (per_item + fixed)),
    }


def _sent(triton: Replicas, rate_rps: float, seconds: float, *, seed: int, spread: bool = True) -> Result:
    plan = triton.service.load(rate_rps, seconds=seconds, seed=seed)
    random: Floats = arrivals(steady(rate_rps, seconds=seconds), seed=seed)
    times: Floats = random if spread else np.arange(0.0, seconds, 1 / rate_rps)
    whole = Plan(
        target=plan.target,
        arrivals=times,
        payloads=plan.payloads,
        check=plan.check,
        timeout_seconds=60.0,
        max_in_flight=4_000,
    )
    return start(whole).result()


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
