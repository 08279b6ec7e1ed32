"""The status of an InferenceService as the CustomResourceDefinition describes it.

Two loops write it, each with its own field manager: reconcile (observedGeneration, the conditions Ready, Reconciling,
Stalled and ModelLoaded, url, replicas, readyReplicas) and autoscale (all else).
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from foretide.api.conditions import MAX_MESSAGE_LENGTH
from foretide.api.fields import Fields
from foretide.api.rules import KeyedBy

MAX_DECISIONS: Final = 10
MAX_MEMORY_BYTES: Final = 4096

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
# format: date-time is Kubernetes' own word for RFC 3339.
Time = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
Rate = Annotated[str, Field(max_length=32)]
Span = Annotated[str, Field(max_length=32)]
Word = Annotated[str, Field(max_length=64)]


class ConditionEntry(Fields):
    """One statement about the service."""

    type: Annotated[str, Field(min_length=1, max_length=64)]
    """What the statement is about."""
    status: Literal["True", "False", "Unknown"]
    """Yes, no, or not known."""
    reason: Annotated[str, Field(min_length=1, max_length=64)]
    """One word from a fixed list; for machines."""
    message: Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH)]
    """The same in sentences, with numbers; for people."""
    last_transition_time: Time
    """When the status last changed."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that the statement is about."""


class BatchTime(Fields):
    """How long Triton works on a batch of b items: fixed + b · perItem."""

    per_item: Span
    """Duration that each item adds."""
    fixed: Span
    """Duration of a batch apart from its items."""


class Capacity(Fields):
    """What one replica can do within the latency."""

    per_replica: Rate
    """Items per second that one replica answers within the latency."""
    batch_time: BatchTime
    """The law behind it."""
    source: Literal["Prior", "Measured"]
    """Prior: assumed, because nothing has been measured yet. Measured: learned from Triton's own statistics."""


class DecisionEntry(Fields):
    """One change of the number of replicas, or the reason why there was none."""

    time: Time
    """When it was decided."""
    from_: Count = Field(alias="from")
    """Replicas before."""
    to: Count
    """Replicas after."""
    demand: Rate | None = None
    """Items per second asked for at that time; left out where it was not known."""
    bound: Word
    """What decided the number: the demand, or a limit."""
    reason: Word
    """One word from a fixed list; for machines."""
    text: Annotated[str, Field(max_length=1024)]
    """The same in a sentence, with numbers; for people."""


class InferenceServiceStatus(Fields):
    """What Foretide found and did."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that this status is about."""
    conditions: Annotated[tuple[ConditionEntry, ...], Field(max_length=16), KeyedBy("type")] = ()
    """Ready, Reconciling and Stalled by the rules of kstatus, and what is behind them."""
    url: Annotated[str, Field(max_length=512)] | None = None
    """Where the service answers inside the cluster: the KServe v2 protocol over HTTP."""
    replicas: Count | None = None
    """Replicas that exist."""
    ready_replicas: Count | None = None
    """Replicas that answer."""
    desired_replicas: Count | None = None
    """Replicas the autoscaler wants."""
    capacity: Capacity | None = None
    """What one replica can do within the latency."""
    decisions: Annotated[
        tuple[DecisionEntry, ...],
        Field(max_length=MAX_DECISIONS, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """The last decisions of the autoscaler, the newest last."""
    memory: Annotated[str, Field(max_length=MAX_MEMORY_BYTES)] | None = None
    """What the autoscaler remembers across restarts; for itself only."""
