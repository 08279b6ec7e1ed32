"""The ways to configure a model that are compared: Triton's own, the one that Foretide derives, and a sweep by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bench.serving.models import Measurable
from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.problems import Problems
from foretide.serving.manifests import ServingSettings, build
from foretide.serving.model_config import quoted

OBJECTIVE: Final = 0.99
DEFAULTS: Final = "Triton's defaults"
DERIVED: Final = "derived"


@dataclass(frozen=True, slots=True)
class Configuration:
    """One config.pbtxt, and what the container sets beside it."""

    name: str
    text: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The same for those that Triton cannot tell apart."""
        return self.text, tuple(sorted(self.environment.items()))


def defaults(model: Measurable) -> Configuration:
    """Only what Triton cannot do without; where it completes a configuration, it may.

    Threads as Triton's own onnxruntime backend has them, one for each core: what stands in for it here has one.
    """
    spec = model.model
    lines = [f"name: {quoted(model.name)}", f"backend: {quoted(spec['backend'])}"]
    lines.append(f"max_batch_size: {spec['maxBatchSize']}")
    for kind, tensors in (("input", spec["inputs"]), ("output", spec["outputs"])):
        lines += [
            f"{kind} {{ name: {quoted(one['name'])} data_type: TYPE_{one['dataType']} dims: {one['shape']} }}"
            for one in tensors
        ]
    lines += [
        f"parameters {{ key: {quoted(key)} value {{ string_value: {quoted(value)} }} }}"
        for key, value in ({"intra_op_thread_count": "0"} if spec["backend"] == "onnxruntime" else {}).items()
    ]
    return Configuration(DEFAULTS, "\n".join(lines) + "\n")


def derived(model: Measurable, *, cpus: int) -> Configuration:
    """What the operator makes of the least that a team can write, on a class with that many CPUs."""
    return _made(DERIVED, model, cpus=cpus, instances="Auto")


def sweep(model: Measurable, *, cpus: int, quick: bool = False) -> Iterator[Configuration]:
    """What somebody would try by hand: instances, threads of each, delays and largest batches.

    Threads beyond the CPUs are left out. Combinations that make the same file come once, and not at all where it is the
    derived one: to measure that again would only tell the noise.
    """
    most = model.model["maxBatchSize"]
    instances = sorted({1, cpus} if quick else {1, cpus, 2 * cpus})
    delays = ["0ms"] if quick else ["0ms", "5ms"]
    batches = [most] if quick else sorted({max(2, most // 4), most, 2 * most})
    seen = {derived(model, cpus=cpus).key}
    for count, delay, batch in itertools.product(instances, delays, batches):
        if delay != "0ms" and batch != most:
            continue  # one dimension at a time, or it takes a day
        name = f"{count} x B={batch}" + (f", delay {delay}" if delay != "0ms" else "")
        batching = {"mode": "Manual", "maxQueueDelay": delay}
        made = _made(name, model, cpus=cpus, instances=count, max_batch=batch, batching=batching)
        if made.key not in seen:
            seen.add(made.key)
            yield made
    unbatched = {"mode": "None"}
    yield _made(f"{cpus} x, no batching", model, cpus=cpus, instances=cpus, batching=unbatched)


def _made(
    name: str,
    model: Measurable,
    *,
    cpus: int,
    instances: object,
    max_batch: int | None = None,
    batching: Mapping[str, object] | None = None,
) -> Configuration:
    largest = {} if max_batch is None else {"maxBatchSize": max_batch}
    spec = {
        "model": {**model.model, **largest, "name": model.name, "source": {"configMap": {"name": "files"}}},
        "hardware": {"classes": ["here"]},
        "slo": {"objective": f"{100 * OBJECTIVE:g}", "latency": f"{1e3 * model.slo_seconds:g}ms"},
        "batching": batching or {},
    }
    service = parse.inference_service({"kind": group.INFERENCE_SERVICE_KIND, "metadata": {"name": "b"}, "spec": spec})
    hardware = parse.hardware_class(
        {
            "metadata": {"name": "here"},
            "spec": {
                "family": "CPU",
                "resources": {"limits": {"cpu": cpus}},
                "triton": {"image": "tritonserver:2.51", "instances": instances},
            },
        }
    )
    if isinstance(service, Problems) or isinstance(hardware, Problems):
        raise TypeError(f"the spec of the benchmark is wrong: {service} {hardware}")
    return _of(name, service, hardware)


def _of(name: str, service: InferenceService, hardware: HardwareClass) -> Configuration:
    children: dict[str, Any] = {one["kind"]: one for one in build(service, hardware, settings=ServingSettings())}
    (container,) = children["Deployment"]["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"] if one["name"].endswith("_THREADS")}
    return Configuration(name, children["ConfigMap"]["data"]["config.pbtxt"], environment)
