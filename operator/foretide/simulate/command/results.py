"""What a run leaves: a file that has all that figures are made of, written whole or not at all."""

from __future__ import annotations

import gzip
import json
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from foretide.simulate.command.disturbances import Disturbances
from foretide.simulate.command.refused import Refused
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.optimum import zero_violation
from foretide.simulate.outcome import Outcome
from foretide.simulate.state import BIN_SECONDS
from foretide.simulate.workload import Workload

Run: TypeAlias = dict[str, Any]  # one entry of `runs`, ready for JSON
PACKED: Final = ".gz"
LATENCY_LEVELS: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
HOUR_SECONDS: Final = 3600.0
# What `compare` reads of a run.
COMPARED: Final = {
    "policy": str,
    "knob": dict,
    "series": str,
    "seed": int,
    "queue": str,
    "cold_start_quantiles_seconds": list,
    "cold_start_seconds": int | float,
    "slo_seconds": int | float,
    "objective": int | float,
    "size": int,
    "arrival_cv": int | float,
    "law": dict,
    "timeline": dict,
    "fidelity": str,
    "routing": str,
    "nodes": dict,
    "disturbances": dict,
    "requests": int,
    "violations": int,
    "replica_hours": int | float,
    "optimum_replica_hours": int | float,
    "scale_events": int,
}


def run_of(
    workload: Workload,
    outcome: Outcome,
    *,
    policy: str,
    knobs: dict[str, float],
    fidelity: Fidelity,
    disturbances: Disturbances,
) -> Run:
    """The entry of one lane."""
    service, timeline = workload.service, outcome.timeline
    best = zero_violation(
        workload.needed(), step_seconds=workload.step_seconds, cold_start_seconds=service.cold_start.mean_seconds
    )
    return {
        "policy": policy,
        "knob": knobs,
        "series": workload.name,
        "seed": workload.seed,
        "cold_start_seconds": service.cold_start.mean_seconds,
        "cold_start_quantiles_seconds": list(service.cold_start.quantiles_seconds),
        "slo_seconds": service.slo_latency_seconds,
        "objective": service.objective,
        "queue": str(service.queue),
        "size": service.size,
        "arrival_cv": service.arrival_cv,
        "law": asdict(service.law),
        "routing": service.routing.word,
        "nodes": {
            "warm_pods": _known(service.nodes.warm_pods),  # null: there is always room
            "provisioning_quantiles_seconds": list(service.nodes.provisioning.quantiles_seconds),
            "linger_seconds": service.nodes.linger_seconds,
        },
        "disturbances": disturbances.recorded,
        "rate_at_slo_rps": workload.rate_at_slo_rps,
        "warm_up_seconds": workload.warm_up_seconds,
        "fidelity": str(fidelity),
        "requests": outcome.requests,
        "violations": outcome.violations,
        "failures": outcome.failures,
        "replica_hours": outcome.replica_seconds / HOUR_SECONDS,
        "optimum_replica_hours": best.replica_seconds / HOUR_SECONDS,
        "scale_events": outcome.scale_events,
        "reasons": dict(sorted(outcome.reasons.items())),
        "latency_seconds": {name: _known(outcome.latencies.quantile_seconds(q)) for name, q in LATENCY_LEVELS.items()},
        "timeline": {
            "step_seconds": BIN_SECONDS,
            "start_seconds": workload.judged_from_seconds,  # since the trace began
            **{
                name: getattr(timeline, name).tolist()
                for name in ("arrivals", "violations", "failures", "ready", "starting", "desired")
            },
        },
    }


@dataclass(slots=True)
class Pending:
    """A file that is not there yet."""

    path: Path
    partial: Path

    def write(self, runs: Sequence[Run]) -> None:
        """One line a run."""
        lines = ",\n".join(json.dumps(run, separators=(",", ":"), allow_nan=False) for run in runs)
        data = f'{{"runs":[\n{lines}\n]}}\n'.encode()
        # Without a time, so that the same runs are the same bytes.
        self.partial.write_bytes(gzip.compress(data, mtime=0) if self.path.suffix == PACKED else data)


@contextmanager
def pending(field: str, path: Path) -> Iterator[Pending]:
    """A place beside the file; it gets its name when all went well, and is removed when not."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise Refused(
            field, str(path), f"cannot be written ({error.strerror})", "name a file in a folder of yours"
        ) from error
    os.close(handle)
    partial = Path(name)
    try:
        if path.is_dir():
            raise Refused(field, str(path), "is a folder", "name a file, e.g. result.json")
        yield Pending(path=path, partial=partial)
        # A temporary file is for its owner alone; a result is as any other file.
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: Path) -> list[Run]:
    """The runs of a file; `Refused` where it is none of ours."""
    fix = "name a file that `run --out` wrote"
    try:
        data = path.read_bytes()
        content = json.loads(gzip.decompress(data) if path.suffix == PACKED else data)
    except (OSError, ValueError, EOFError) as error:
        raise Refused("result", str(path), f"cannot be read ({error})", fix) from error
    runs = content.get("runs") if isinstance(content, dict) else None
    if not isinstance(runs, list):
        raise Refused("result", str(path), 'has no list "runs"', fix)
    for number, run in enumerate(runs):
        for name, kind in COMPARED.items():
            if not (isinstance(run, dict) and isinstance(run.get(name), kind)):
                raise Refused("result", str(path), f"has no usable {name!r} in run {number}", fix)
    return runs


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
