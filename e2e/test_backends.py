"""Every backend that the local Triton has loads what the operator renders for it, and answers rightly.

No cluster: the server runs as a process, with the very files of the ConfigMap and the very flags of the container.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from e2e.cluster.progress import Progress
from e2e.demo.model import INPUT, OUTPUT, model_file
from e2e.load import Plan, run
from e2e.load.infer import infer_body
from e2e.load.wire import Answer, request
from e2e.local_triton import Server, install, model_repository, serving
from e2e.scenarios import sleeper
from e2e.scenarios.waiting import until
from foretide.adapters.scrape import quantities
from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.scaling.policy import Quantity
from foretide.serving.manifests import ServingSettings, build

ROW: Final = {"dataType": "FP32", "shape": [sleeper.WIDTH]}
SLEEPER: Final[dict[str, Any]] = {
    "backend": "python",
    "inputs": [{"name": "X", **ROW}],
    "outputs": [{"name": "Y", **ROW}],
    "maxBatchSize": 8,
    "parameters": {"offset": "3"},
}
FILETYPE: Final[dict[str, Any]] = {
    "backend": "onnxruntime",
    "inputs": [{"name": INPUT, "dataType": "INT32", "shape": [2048]}],
    "outputs": [{"name": OUTPUT, "dataType": "FP32", "shape": [214]}],
    "maxBatchSize": 4,
}


@dataclass(frozen=True)
class Case:
    """What a team writes, and the file that it has."""

    model: dict[str, Any]
    file: Path
    named: str = ""  # the file in the version's folder, where it is not the one on disk
    batching: dict[str, Any] = field(default_factory=dict)
    cache: str = ""  # its size


PYTHON_FILE: Final = sleeper.MODELS / "sleeper" / "model.py"
CASES: Final = {
    "python": Case(SLEEPER, PYTHON_FILE),
    "python, warmed up": Case({**SLEEPER, "warmup": True}, PYTHON_FILE),
    "python, another file name": Case({**SLEEPER, "fileName": "sleep_v2.py"}, PYTHON_FILE, named="sleep_v2.py"),
    "python, a delay": Case(
        SLEEPER, PYTHON_FILE, batching={"mode": "Manual", "maxQueueDelay": "1ms", "preferredSizes": [4, 8]}
    ),
    "python, cached": Case(SLEEPER, PYTHON_FILE, cache="1Mi"),
    "python, no batching, cached": Case(SLEEPER, PYTHON_FILE, batching={"mode": "None"}, cache="64Mi"),
    "onnxruntime, cached": Case({**FILETYPE, "warmup": True}, model_file(), cache="1Gi"),
    "python, no batching": Case(SLEEPER, PYTHON_FILE, batching={"mode": "None"}),
    "onnxruntime": Case(FILETYPE, model_file()),
    "onnxruntime, warmed up": Case({**FILETYPE, "warmup": True}, model_file()),
    "onnxruntime, tensors from the model": Case({"backend": "onnxruntime", "maxBatchSize": 4}, model_file()),
}


@pytest.fixture(scope="session")
def root() -> Path:
    """The server, unpacked once."""
    return install(Progress())


def rendered(case: Case) -> tuple[str, dict[str, Any]]:
    """config.pbtxt and the container, as the operator makes them on a class of two CPUs."""
    spec = {
        "model": {"source": {"configMap": {"name": "files"}}, **case.model},
        "hardware": {"classes": ["cpu-2"]},
        "slo": {"objective": "99", "latency": "1s"},
        "batching": case.batching,
        **({"responseCache": {"size": case.cache}} if case.cache else {}),
    }
    triton = {"image": "tritonserver:2.51", "instances": "Auto"}
    of_class = {"family": "CPU", "resources": {"limits": {"cpu": "2"}}, "triton": triton}
    service = parse.inference_service({"kind": group.INFERENCE_SERVICE_KIND, "metadata": {"name": "m"}, "spec": spec})
    hardware = parse.hardware_class({"metadata": {"name": "cpu-2"}, "spec": of_class})
    assert isinstance(service, InferenceService), service
    assert isinstance(hardware, HardwareClass), hardware
    children: dict[str, Any] = {one["kind"]: one for one in build(service, hardware, settings=ServingSettings())}
    (container,) = children["Deployment"]["spec"]["template"]["spec"]["containers"]
    return children["ConfigMap"]["data"]["config.pbtxt"], container


@contextmanager
def loaded(root: Path, case: Case, folder: Path) -> Iterator[Server]:
    config, container = rendered(case)
    repository = model_repository(folder, "m", config, case.file, named=case.named)
    flags = [flag for flag in container["args"] if not flag.startswith("--model-repository=")]
    environment = {one["name"]: one["value"] for one in container["env"]}
    with serving(root, repository, flags=flags, environment=environment) as server:
        yield server


def ask(server: Server, tensors: dict[str, np.ndarray[Any, np.dtype[Any]]], output: str) -> Answer:
    """The answer to one request."""
    answers: list[Answer] = []

    def keep(_: int, answer: Answer) -> bool:
        answers.append(answer)
        return True

    target = server.infer("m")
    body, headers = infer_body(tensors, [output])
    plan = Plan(
        target=target,
        arrivals=np.zeros(1),
        payloads=(request(target, body, headers),),
        check=keep,
    )
    run(plan)
    assert len(answers) == 1
    return answers[0]


@pytest.mark.parametrize("name", CASES)
def test_triton_loads_what_is_rendered_and_answers(name: str, root: Path, tmp_path: Path) -> None:
    case = CASES[name]
    with loaded(root, case, tmp_path) as server:
        config = json.loads(server.get("v2/models/m/config"))
        assert config["instance_group"][0]["count"] == 2, "one on each CPU"
        if case.model["backend"] == "python":
            answer = ask(server, {"X": sleeper.question(7)}, "Y")
            assert sleeper.RightAnswers((3.0,))(7, answer)
        else:
            answer = ask(server, {INPUT: np.full((1, 2048), 65, dtype=np.int32)}, OUTPUT)
            assert answer.status == 200, answer.body
        most = case.model["maxBatchSize"]
        sizes = {1, most} if case.model.get("warmup") else {1}
        # Triton counts a batch when its answers are on their way.
        until(f"batches of {sizes}: a warm-up runs both sizes", lambda: _sizes(server) == sizes, within_seconds=10)
        batching = config.get("dynamic_batching")
        assert (batching is None) == (case.batching.get("mode") == "None")
        if case.batching.get("mode") == "Manual":
            assert batching == {**batching, "preferred_batch_size": [4, 8], "max_queue_delay_microseconds": 1_000}


def _sizes(server: Server) -> set[int]:
    (stats,) = json.loads(server.get("v2/models/m/stats"))["model_stats"]
    return {row["batch_size"] for row in stats["batch_stats"]}


MOST: Final = 8  # as the largest batch of the model
LOADED: Final = tuple(name for name, case in CASES.items() if case.cache and case.model["backend"] == "python")


@pytest.mark.parametrize("name", LOADED)
def test_what_a_cache_answers_is_told_apart_from_what_the_model_computes(name: str, root: Path, tmp_path: Path) -> None:
    """By both ways in which the operator reads the load: answered less hits is what the model computed, and Triton's
    own count of misses is not."""
    with loaded(root, CASES[name], tmp_path) as server:
        told = partial(quantities, model="m")
        before = told(server.metrics())
        assert before[Quantity.CACHE_HITS] == 0.0, "told from the start, so that a rate counts the first hit"
        for _ in range(20):
            assert sleeper.RightAnswers((3.0,))(7, ask(server, {"X": sleeper.question(7)}, "Y"))
        assert sleeper.RightAnswers((3.0,))(8, ask(server, {"X": sleeper.question(8)}, "Y"))
        until("21 are counted", lambda: told(server.metrics())[Quantity.SUCCESS] == 21.0, within_seconds=10)
        after = told(server.metrics())
    assert after[Quantity.CACHE_HITS] == 19.0
    assert after[Quantity.INFERENCE] == after[Quantity.SUCCESS] - after[Quantity.CACHE_HITS] == 2.0
