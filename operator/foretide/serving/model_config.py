"""The model's config.pbtxt: every string of a user is quoted by one filter, so it stays text."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.model import Model
from foretide.serving import tensorrtllm
from foretide.serving.backends import RUNS, instance_kind
from foretide.serving.latency_metrics import HISTOGRAM_FAMILY, histogram_bounds_ms
from foretide.serving.naming import version_folder
from foretide.serving.parallelism import instances
from foretide.serving.parameters import parameters, tensorrt
from foretide.serving.queue_policy import timeout_microseconds


def quoted(text: str) -> str:
    """A protobuf text-format string literal: printable ASCII as it is, every other byte as an octal escape."""
    return '"' + "".join(_escaped(byte) for byte in text.encode()) + '"'


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("foretide.serving"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - protobuf text, not HTML: the filter `text` is its escape
    )
    environment.filters["text"] = quoted
    return environment


_TEMPLATE: Final = _environment().get_template("config.pbtxt.j2")


def model_config(service: InferenceService, hardware_class: HardwareClass, *, refuses: bool = True) -> str:
    """The text of config.pbtxt; only for a class that can run the model (`backends.unfit`). Without `refuses` nobody is
    refused, however long the queue (`queue_policy`).

    Batching is Auto unless the spec says otherwise: a free instance takes what waits, up to the largest batch. Nothing
    waits for others: a delay adds itself to every request at low load (service 8 ms + 1 ms an item, 40 requests/s: p99
    20.8 ms without, 35.2 ms with one of 20 ms) and pays only near saturation, where no replica is kept. The largest
    batch stays the model's, whatever the SLO. In the simulated table of rates a larger one than the best loses 14 % of
    the rate at p99 at worst (2 ms an item + 0.5 ms, an SLO of three single items), 4 % from eight on, and one that is
    too small loses most of it (8 ms + 1 ms an item: 62 a second with 1, 515 with 16 and more); and to cut it would roll
    all pods each time more is learned of the law.
    """
    model, batching = service.model_on(hardware_class.name), service.spec.batching
    folder = version_folder(service.model_name, model.version)
    brings_tokens = model.backend == "tensorrtllm"
    return _TEMPLATE.render(
        name=service.model_name,
        backend=model.backend,
        platform=RUNS[model.backend].platform,
        file_name=model.file_name,
        version=model.version,
        max_batch_size=model.largest_batch,
        inputs=tensorrtllm.INPUTS if brings_tokens else model.inputs,
        outputs=tensorrtllm.OUTPUTS if brings_tokens else model.outputs,
        instances=instances(model, hardware_class),
        instance_kind=instance_kind(model, hardware_class),
        decoupled=model.is_decoupled,
        batching=service.is_batched_on(hardware_class.name),
        preferred_sizes=batching.preferred_sizes,
        delay_us=batching.max_queue_delay_microseconds,
        timeout_us=timeout_microseconds(service, hardware_class) if refuses else None,
        caches=service.spec.response_cache is not None,
        warmup_batches=_warmup_batches(model),
        tensorrt=sorted(tensorrt(model).items()),
        histogram=HISTOGRAM_FAMILY,
        bounds_ms=histogram_bounds_ms(service, hardware_class),
        parameters=sorted(parameters(model, hardware_class, folder=folder).items()),
    )


def _warmup_batches(model: Model) -> list[int]:
    """Sizes of the batches that are run before a replica is ready: the first of a size pays for what is built for it.

    Of zeros, because a random number may be an index that the model does not have. A cold first request took 43.1 ms, a
    warmed one 11.9 ms. Triton counts these batches like any other.
    """
    return sorted({1, max(model.largest_batch, 1)}) if model.warmup else []
