"""The model's config.pbtxt: every string of a user is quoted by one filter, so it stays text."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.latency_metrics import HISTOGRAM_FAMILY, histogram_bounds_ms

INSTANCE_KIND: Final = {
    Family.GPU: "KIND_GPU",
    Family.CPU: "KIND_CPU",
    Family.INFERENTIA: "KIND_MODEL",  # the Neuron runtime, not Triton, places the model on cores
}


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


def model_config(service: InferenceService, hardware_class: HardwareClass) -> str:
    """The text of config.pbtxt.

    No queue policy: any of its limits (timeout, its override, size) switches Triton's prefetching off, and then a
    request that finds the instance busy waits for the *next arrival*, or 500 ms, although the instance is long free
    (the batcher is woken when a batch starts, not when it ends). Three requests 6 ms apart to a 20 ms model: 9 to 25
    of 40 rounds took 0.5-1 s with a policy, none over 56 ms without. Overload shows in the growth of the queue.
    """
    model = service.spec.model
    return _TEMPLATE.render(
        name=service.model_name,
        backend=model.backend,
        version=model.version,
        max_batch_size=model.max_batch_size,
        inputs=model.inputs,
        outputs=model.outputs,
        instances=hardware_class.spec.triton.instances,
        instance_kind=INSTANCE_KIND[hardware_class.spec.family],
        batching=model.max_batch_size > 1,
        histogram=HISTOGRAM_FAMILY,
        bounds_ms=histogram_bounds_ms(service, hardware_class),
        parameters=sorted(model.parameters.items()),
    )
