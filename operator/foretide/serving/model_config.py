"""The model's config.pbtxt: every string of a user is quoted by one filter, so it stays text."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.queueing import queue_policy

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

    Triton has queue limits only inside dynamic batching, which a model without a batch dimension cannot use.
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
        queue=queue_policy(slo_latency_seconds=service.latency_seconds) if model.max_batch_size else None,
        parameters=sorted(model.parameters.items()),
    )
