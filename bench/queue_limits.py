"""What a limit of Triton's queue is worth, and costs: `python -m bench.queue_limits`, some ten minutes."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench import specs
from e2e.cluster.progress import Progress
from e2e.load import Plan, arrivals, request, run, steady
from e2e.load.report import quantile, within
from e2e.load.result import Outcome
from e2e.local_triton import Server, install, model_repository, serving
from e2e.scenarios import sleeper
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.model_config import model_config
from foretide.serving.queue_policy import LEAST_INSTANCES, TIMEOUT_SHARE
from foretide.simulate.capacity import rate_at_slo
from foretide.simulate.scenario import Law, Queue

SLO_SECONDS: Final = 0.25
# One instance does 66 requests a second at most, and takes half of the SLO for a full batch.
LAW: Final = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8)
INSTANCES: Final = (1, 2, 4)
# Requests a second for each instance, and for how long: the rarer they are, the longer.
LOADS: Final = ((2.0, 60.0), (8.0, 30.0), (20.0, 20.0), (40.0, 15.0), (55.0, 20.0), (75.0, 15.0), (150.0, 12.0))
# Of the simulated rates: SLOs in full batches, and objectives.
SLOS_BATCHES: Final = (1.0, 1.5, 2.0, 3.0, 6.0, 20.0)
OBJECTIVES: Final = (0.95, 0.99)
MODEL: Final = "sleeper"
LIMIT: Final = re.compile(r"default_queue_policy \{[^}]*\} ")
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one load."""

    instances: int
    limited: bool
    rps: float
    in_time: float
    refused: float
    p99_seconds: float  # of those that were answered

    @property
    def line(self) -> str:
        queue = "half of the SLO" if self.limited else "no limit"
        shares = f"{self.in_time:.1%} | {self.refused:.1%}"
        return f"| {self.instances} | {queue} | {self.rps:g} | {shares} | {1e3 * self.p99_seconds:.0f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all was measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.queue_limits",
        description="A real Triton on loopback with 1, 2 and 4 instances of a model that sleeps 40 ms + 10 ms an item, "
        "with Foretide's queue limit (one instance: the one that it would have) and without, under random requests. "
        "And simulated, what rate is within an SLO with two.",
    )
    parser.parse_args(arguments)
    root = install(Progress())
    _say("| instances | queue | requests/s | in time | refused | p99 of the others, ms |", f"|{'---|' * 6}")
    for row in _rows(root):
        _say(row.line)
    _say("", "| SLO, full batches | objective | rate within it, requests/s | with the limit |", f"|{'---|' * 4}")
    for slo_batches in SLOS_BATCHES:
        for objective in OBJECTIVES:
            without, limited = rates(slo_batches, objective)
            gain = f"{limited / without - 1:+.1%}"
            _say(f"| {slo_batches:g} | {objective:.0%} | {without:.1f} | {limited:.1f} ({gain}) |")
    return 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def rates(slo_batches: float, objective: float) -> tuple[float, float]:
    """Requests a second of two instances within an SLO of so many full batches, simulated: without a limit, and with
    Foretide's."""
    law = replace(LAW, instances=2)
    slo_seconds = slo_batches * law.batch_seconds(law.max_batch)
    queues = (Queue(), Queue(timeout_seconds=TIMEOUT_SHARE * slo_seconds))
    without, limited = (
        rate_at_slo(law, slo_latency_seconds=slo_seconds, objective=objective, queue=queue) for queue in queues
    )
    return without, limited


def _rows(root: Path) -> Iterator[Row]:
    for instances in INSTANCES:
        for limited in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                text, file = config(instances, limited=limited), sleeper.MODELS / "sleeper" / "model.py"
                with serving(root, model_repository(Path(folder), MODEL, text, file)) as server:
                    for rps, seconds in LOADS:
                        yield _row(server, instances, limited, rps * instances, seconds)
                        server.until_idle()


def _row(server: Server, instances: int, limited: bool, rps: float, seconds: float) -> Row:
    target = server.infer(MODEL)
    plan = Plan(
        target=target,
        arrivals=arrivals(steady(rps, seconds=seconds), seed=SEED),
        payloads=(request(target, *sleeper.body(0)),),
        timeout_seconds=60.0,
        max_in_flight=10_000,
    )
    result = run(plan)
    answered = result.outcome == Outcome.OK
    return Row(
        instances=instances,
        limited=limited,
        rps=rps,
        in_time=float(within(result, slo_seconds=SLO_SECONDS).mean()),
        refused=float((result.outcome == Outcome.HTTP_STATUS).mean()),
        p99_seconds=quantile(result.latency_seconds[answered], 0.99),
    )


def config(instances: int, *, limited: bool) -> str:
    """config.pbtxt as Foretide renders it, with the limit of two instances for one, or without any."""
    rendered = max(instances, LEAST_INSTANCES)
    text = model_config(_service(), _hardware_class(rendered))
    here = f"count: {rendered} "
    if text.count(here) != 1 or len(LIMIT.findall(text)) != 1:
        raise ValueError(f"no {here!r} or no limit, or several, in config.pbtxt:\n{text}")
    text = text.replace(here, f"count: {instances} ")
    return text if limited else LIMIT.sub("", text)


def _service() -> InferenceService:
    spec = sleeper.spec(
        milliseconds=1e3 * LAW.fixed_seconds,
        item_milliseconds=1e3 * LAW.per_item_seconds,
        max_batch=LAW.max_batch,
        latency=f"{1e3 * SLO_SECONDS:g}ms",
    )
    spec["model"]["name"] = MODEL
    return specs.service(MODEL, spec)


def _hardware_class(instances: int) -> HardwareClass:
    raw = sleeper.hardware_class("triton:1", instances=instances)
    return specs.hardware_class(raw["metadata"]["name"], raw["spec"])


if __name__ == "__main__":
    sys.exit(main())
