"""How Triton makes batches of single requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from foretide.api.durations import DurationText, between, is_spelled, parse_nanoseconds
from foretide.api.fields import Fields
from foretide.api.rules import Rule

if TYPE_CHECKING:
    from foretide.api.inferenceservice import InferenceServiceSpec

QueueDelay = Annotated[DurationText, between("0s", "1m", fix='write it like "2ms" or "500us"')]
BatchSize = Annotated[int, Field(ge=1, le=4096)]


class Batching(Fields):
    """How requests that wait for an instance are put together."""

    mode: Literal["Auto", "Manual", "None"] = "Auto"
    """Auto: what waits when an instance gets free is one batch, and nothing waits for others. Manual: as the other
    members say. None: each request runs by itself, and only batches that clients send are larger than one item."""
    max_queue_delay: QueueDelay | None = None
    """How long, at most, a request waits for others beside a free instance, as a Go duration; with mode Manual."""
    preferred_sizes: Annotated[
        tuple[BatchSize, ...],
        Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Sizes of batches, in items, that are run at once without waiting for more; with mode Manual. For TensorRT plans
    with a profile for each of a few sizes; other models gain nothing by it."""

    rules = (
        Rule(
            cel="self.mode == 'Manual' || (!has(self.maxQueueDelay) && !has(self.preferredSizes))",
            holds=lambda batching: (
                batching.mode == "Manual" or (batching.max_queue_delay is None and not batching.preferred_sizes)
            ),
            rule="must be Manual where maxQueueDelay or preferredSizes are given",
            fix="write mode: Manual, or remove the other members",
            cel_values=("self.mode",),
            values=lambda batching: (batching.mode,),
            field="mode",
        ),
    )

    @property
    def max_queue_delay_microseconds(self) -> int:
        """0: nothing waits for others."""
        return 0 if self.max_queue_delay is None else parse_nanoseconds(self.max_queue_delay) // 1_000


def _too_large(spec: InferenceServiceSpec) -> list[int]:
    return [size for size in spec.batching.preferred_sizes if size > spec.model.largest_batch]


def _outlasts_slo(spec: InferenceServiceSpec) -> bool:
    delay = spec.batching.max_queue_delay
    return delay is not None and parse_nanoseconds(delay) >= parse_nanoseconds(spec.slo.latency)


_LARGEST: Final = "(has(self.model.maxBatchSize) ? self.model.maxBatchSize : (self.model.backend == 'vllm' ? 0 : 1))"

# What batching must keep to of the rest of the spec.
BATCHING_RULES: Final = (
    Rule(
        cel=f"self.batching.mode != 'Manual' || {_LARGEST} > 1",
        holds=lambda spec: spec.batching.mode != "Manual" or spec.model.largest_batch > 1,
        rule="must not be Manual unless spec.model.maxBatchSize is above 1",
        fix="raise maxBatchSize to the largest batch that the model takes, or remove batching",
        cel_values=("self.batching.mode",),
        values=lambda spec: (spec.batching.mode,),
        field="batching.mode",
    ),
    Rule(
        cel=f"!has(self.batching.preferredSizes) || self.batching.preferredSizes.all(batch, batch <= {_LARGEST})",
        holds=lambda spec: not _too_large(spec),
        rule="must not be above spec.model.maxBatchSize",
        fix="lower it, or raise maxBatchSize",
        shown="%s",
        cel_values=(f"self.batching.preferredSizes.filter(batch, batch > {_LARGEST})[0]",),
        values=lambda spec: (_too_large(spec)[0],),
        field="batching.preferredSizes",
    ),
    Rule(
        cel=f"!has(self.batching.maxQueueDelay) || !{is_spelled('self.batching.maxQueueDelay')} || "
        f"!{is_spelled('self.slo.latency')} || duration(self.batching.maxQueueDelay) < duration(self.slo.latency)",
        holds=lambda spec: not _outlasts_slo(spec),
        rule="must be below spec.slo.latency, or requests are late before they begin",
        fix="lower it to a quarter of the latency or less",
        cel_values=("self.batching.maxQueueDelay",),
        values=lambda spec: (spec.batching.max_queue_delay,),
        field="batching.maxQueueDelay",
    ),
    # Backends that complete a configuration from the model turn batching on where it has none.
    Rule(
        cel=f"self.batching.mode != 'None' || has(self.model.inputs) || {_LARGEST} <= 1",
        holds=lambda spec: spec.batching.mode != "None" or bool(spec.model.inputs) or spec.model.largest_batch <= 1,
        rule="must not be None where Triton reads the inputs from the model, because it turns batching on then",
        fix="give spec.model.inputs and outputs, or lower maxBatchSize to 1",
        cel_values=("self.batching.mode",),
        values=lambda spec: (spec.batching.mode,),
        field="batching.mode",
    ),
)
