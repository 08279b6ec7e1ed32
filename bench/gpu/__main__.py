"""Foretide's GPU path on a real GPU: `python -m bench.gpu --triton /opt/tritonserver`, some six minutes."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench import specs
from bench.gpu import imagined
from bench.gpu.known import OBJECTIVE, Known
from bench.gpu.replica import Replica
from e2e.load import Plan, Result, arrivals, request, run, steady
from e2e.load.infer import infer_body
from e2e.load.report import quantile, within
from e2e.load.result import Outcome
from e2e.local_triton import Server, model_repository, serving
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.scaling.policy import Quantity
from foretide.serving.model_config import model_config

HERE: Final = Path(__file__).resolve().parent
MODEL: Final = "encoder"
# Of 256 a GPU is done before Python has sent the next batch; 1,024 keep it busy.
TOKENS: Final = (256, 1024)
MAX_BATCH: Final = 16
SLO_SECONDS: Final = 0.1
# Some 680 million weights: 0.35 TFLOP for 256 tokens.
PARAMETERS: Final = {"width": "1536", "heads": "16", "layers": "24"}
# Of the class: its default, Auto, which is two on a GPU, and more than that.
INSTANCES: Final = ("1", "Auto", "4")
FIRST_RPS: Final = 20.0
# Loads at what it is counted on for, as known by then; a fleet begins like that, too.
ROUNDS: Final = 5
# Then of what it is counted on for.
SHARES: Final = (0.8, 0.9, 1.0, 1.1, 1.2, 1.4)
SECONDS: Final = 8.0
MOST_RPS: Final = 1_500.0  # that the sender keeps up with
SEED: Final = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the configuration loads, every request is counted and what was promised is kept; else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu",
        description="A transformer encoder on a real GPU, under config.pbtxt as Foretide renders it for a class of "
        "family GPU: loads at what a replica is counted on for, by the operator's own readers and law, then below and "
        "above that. Needs a GPU, PyTorch in the Python of PATH, and a Triton.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--triton", type=Path, help="folder with bin/tritonserver and backends/python")
    where.add_argument("--imagined", action="store_true", help="no GPU: one that is simulated, by its law; a minute")
    parser.add_argument(
        "--tokens", type=int, choices=TOKENS, default=TOKENS[0], help="length of the texts (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    if given.imagined:
        for line in imagined.lines():
            _say(line)
        return 0
    if not (given.triton / "bin" / "tritonserver").is_file():
        parser.error(f"--triton {given.triton}: there is no bin/tritonserver in it")
    _say(
        "| instances | requests/s | of what is counted on | in time | p99 of those answered, ms | refused |",
        "|---" * 6 + "|",
    )
    kept = [_measured(given.triton, instances, given.tokens) for instances in INSTANCES]
    return 0 if all(kept) else 1


def _measured(root: Path, instances: str, tokens: int) -> bool:
    """Whether the objective was kept at what the replica is counted on for, and every request was counted."""
    text = config(instances, tokens)
    count = int(re.findall(r"count: (\d+)", text)[0])
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(root, model_repository(Path(folder), MODEL, text, HERE / MODEL / "model.py"), gpu=True) as server,
    ):
        replica = Replica(server, MODEL, Known(MAX_BATCH, count, SLO_SECONDS))
        sent, rate = 0, FIRST_RPS
        for _ in range(1 + ROUNDS):
            result = _load(server, rate, tokens)
            replica.look(seconds=SECONDS)
            _say(_line(f"{instances}, learning", result, rate))
            sent, rate = sent + len(result), replica.known.rate_rps
        known, kept = replica.known, False
        for share in SHARES:
            result = _load(server, share * known.rate_rps, tokens)
            _say(_line(instances, result, known.rate_rps))
            sent += len(result)
            if share == 1.0:
                kept = known.rate_rps <= MOST_RPS and float(within(result, slo_seconds=SLO_SECONDS).mean()) >= OBJECTIVE
        replica.look(seconds=len(SHARES) * SECONDS)
        counted = replica.told[Quantity.SUCCESS] + replica.told[Quantity.FAILURE]
        _say(
            f"{instances}: a batch of b takes {1e3 * known.law.fixed_seconds[0]:.1f} + "
            f"{1e3 * known.law.per_item_seconds[0]:.2f} b ms; latencies are {known.kappa[0]:.2f} times the table's; "
            f"counted on for {known.rate_rps:.0f} requests/s, {known.capacity.utilisation[0]:.0%} of full batches; "
            f"sent {sent}, counted {counted:.0f}."
        )
        return kept and counted == sent


def _load(server: Server, rps: float, tokens: int) -> Result:
    random, target = np.random.default_rng(SEED), server.infer(MODEL)
    text = random.integers(0, 30_000, (1, tokens), dtype=np.int32)
    plan = Plan(
        target=target,
        arrivals=arrivals(steady(min(rps, MOST_RPS), seconds=SECONDS), seed=SEED),
        payloads=(request(target, *infer_body({"TOKENS": text}, ["CLASSES"])),),
        max_in_flight=10_000,
    )
    result = run(plan)
    server.until_idle()
    return result


def _line(instances: str, result: Result, counted_on_rps: float) -> str:
    answered, rps = result.outcome == Outcome.OK, len(result) / SECONDS
    in_time = within(result, slo_seconds=SLO_SECONDS).mean()
    p99 = 1e3 * quantile(result.latency_seconds[answered], 0.99)
    refused = (result.outcome == Outcome.HTTP_STATUS).mean()
    return f"| {instances} | {rps:.0f} | {rps / counted_on_rps:.0%} | {in_time:.2%} | {p99:.0f} | {refused:.1%} |"


def config(instances: str, tokens: int) -> str:
    """config.pbtxt as Foretide renders it for a class of GPUs."""
    return model_config(_service(tokens), _hardware_class(instances))


def _service(tokens: int) -> InferenceService:
    spec = {
        "model": {
            "name": MODEL,
            "backend": "python",
            "source": {"configMap": {"name": MODEL}},
            "inputs": [{"name": "TOKENS", "dataType": "INT32", "shape": [tokens]}],
            "outputs": [{"name": "CLASSES", "dataType": "FP32", "shape": [8]}],
            "maxBatchSize": MAX_BATCH,
            "parameters": PARAMETERS,
        },
        "hardware": {"classes": ["gpu"]},
        "slo": {"objective": f"{100 * OBJECTIVE:g}", "latency": f"{1e3 * SLO_SECONDS:g}ms"},
    }
    return specs.service(MODEL, spec)


def _hardware_class(instances: str) -> HardwareClass:
    resources = {"limits": {"nvidia.com/gpu": "1", "memory": "16Gi"}, "requests": {"cpu": "2", "memory": "16Gi"}}
    spec = {"family": "GPU", "resources": resources, "triton": {"image": "triton:1", "instances": instances}}
    return specs.hardware_class("gpu", spec)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
