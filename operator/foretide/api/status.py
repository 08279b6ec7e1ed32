"""The status of an InferenceService as the CustomResourceDefinition describes it.

Two loops write it, each with its own field manager: reconcile (observedGeneration, the conditions Ready, Reconciling,
Stalled and ModelLoaded, url, replicas, readyReplicas) and autoscale (all else).
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from foretide.api.conditions import MAX_MESSAGE_LENGTH
from foretide.api.fields import Fields
from foretide.api.inferenceservice import MAX_CLASSES
from foretide.api.rules import KeyedBy

MAX_DECISIONS: Final = 10
# Of a service of one hardware class at most 4 KiB.
MAX_MEMORY_BYTES: Final = 16_384

MOST_COUNT: Final = 2**31 - 1

Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
# format: date-time is Kubernetes' own word for RFC 3339.
Time = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
Rate = Annotated[str, Field(max_length=32)]
Span = Annotated[str, Field(max_length=32)]
Word = Annotated[str, Field(max_length=64)]
# A plain decimal number, as all numbers of the API that are not whole.
Amount = Annotated[str, Field(max_length=32)]
Percentage = Annotated[str, Field(max_length=16)]


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
    source: Literal["Prior", "Profile", "Measured"]
    """Prior: assumed, as nothing is measured yet. Profile: a ModelProfile's. Measured: from Triton's own statistics."""


class HardwareStatus(Fields):
    """What the service has of one hardware class, and why it is not more or less."""

    class_: Annotated[str, Field(min_length=1, max_length=253)] = Field(alias="class")
    """Name of the HardwareClass."""
    replicas: Count
    """Replicas asked for."""
    counted: Count
    """Those counted on: without what waits for room, and without what only serves until other classes are ready."""
    ready: Count
    """Replicas that answer."""
    cost_per_hour: Amount | None = None
    """Price of the replicas for an hour; left out where the class has no price."""
    reason: Word
    """Why it is so many, in one word from a fixed list; for machines."""
    message: Annotated[str, Field(max_length=1024)]
    """The same in a sentence, with numbers; for people."""


class ColdStart(Fields):
    """How long a replica takes from its creation until it answers, learned from each start."""

    p50: Span
    """Duration that half of the starts keep."""
    p90: Span
    """Duration that nine of ten starts keep: how far ahead the load is foreseen."""
    starts: Count
    """How many starts were seen."""


class BurnRate(Fields):
    """How fast the error budget was spent in one window."""

    window: Span
    """The last how long."""
    rate: Rate
    """Times the rate at which the budget lasts just for its own window: at 1 it does, at 2 for half of it."""


class SloStatus(Fields):
    """What came of the objective, over spec.slo.window."""

    attainment: Percentage | None = None
    """Share of requests, in percent, that were answered correctly within the latency."""
    budget_left: Percentage | None = None
    """Share of the error budget, in percent, that is left; negative once more is spent than there was."""
    burn_rates: Annotated[tuple[BurnRate, ...], Field(max_length=8), KeyedBy("window")] = ()
    """How fast the error budget was spent, in windows of several lengths."""
    source: Literal["Histogram", "Summary", "Estimated"]
    """What told most of it lately. Histogram, Summary: latencies that Triton measured. Estimated: by capacity."""


class CostStatus(Fields):
    """What the service costs now, by spec.cost and spec.power of its hardware class."""

    per_hour: Amount
    """Price of all its replicas for an hour."""
    per_thousand_inferences: Amount | None = None
    """Price of a thousand inferences at the load of the last 20 minutes; left out where nothing is asked."""
    currency: Annotated[str, Field(max_length=3)]
    """Currency of the prices, by its three letters in ISO 4217."""
    watt_hours_per_thousand_inferences: Amount | None = None
    """Electric energy of a thousand inferences, in watt-hours; left out where power or load are not known."""


class ChallengerScore(Fields):
    """What came, or would have come, of one of the two policies over the hours that are compared."""

    attainment: Percentage | None = None
    """Share of inferences, in percent, in time by what the ready replicas can do; left out before any was asked."""
    late: Amount
    """Inferences that were late by that estimate."""
    replica_hours: Amount
    """Replicas times hours, those that were starting included."""
    cost_per_hour: Amount | None = None
    """Mean price of the replicas for an hour; left out where the hardware class has no price."""


class ChallengerStatus(Fields):
    """How the policy that is tried in the shadow does against the one that acts."""

    policy: Annotated[str, Field(max_length=253)]
    """Name of the ScalingPolicy that is tried."""
    reason: Word | None = None
    """Why nothing is compared now, in one word; left out while it is."""
    message: Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH)] | None = None
    """The same in a sentence."""
    compared: Annotated[str, Field(max_length=256)] | None = None
    """Which two policies, by uid and generation; when either changes, the comparison begins anew."""
    since: Time | None = None
    """When the comparison began."""
    hours: Amount | None = None
    """Hours that are compared: those in which the load and what a replica can do were known."""
    inferences: Amount | None = None
    """Inferences asked for in those hours."""
    replicas: Count | None = None
    """Replicas that the challenger would run."""
    score: ChallengerScore | None = None
    """What would have come of the challenger."""
    champion_score: ChallengerScore | None = None
    """What came of the policy that acts, by the same estimate."""


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
    forecast: Rate | None = None
    """Items per second foreseen; left out where no forecast was trusted."""
    quantile: Annotated[str, Field(max_length=16)] | None = None
    """The quantile of the load, from 0 to 1, for which the forecast stands."""
    horizon: Span | None = None
    """How far ahead it was foreseen."""
    per_replica: Rate | None = None
    """Items per second that one replica was counted on for; left out where the demand was not known."""
    for_demand: Count | None = None
    """Replicas for the demand of that time, what waited included."""
    for_forecast: Count | None = None
    """Replicas for what was foreseen; left out where no forecast was trusted."""
    hpa: Count | None = None
    """Replicas that the HorizontalPodAutoscaler of Kubernetes would have run at 70 % of utilization."""
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
    """Replicas the autoscaler wants and counts on, over all hardware classes."""
    hardware: Annotated[tuple[HardwareStatus, ...], Field(max_length=MAX_CLASSES), KeyedBy("class")] = ()
    """The replicas of each hardware class of spec.hardware.classes, in that order."""
    capacity: Capacity | None = None
    """What one replica can do within the latency; where several hardware classes serve, one of the slowest."""
    cold_start: ColdStart | None = None
    """How long a replica takes until it answers."""
    slo: SloStatus | None = None
    """What came of the objective, over spec.slo.window."""
    cost: CostStatus | None = None
    """What the service costs now."""
    challenger: ChallengerStatus | None = None
    """How the policy that is tried in the shadow does against the one that acts."""
    decisions: Annotated[
        tuple[DecisionEntry, ...],
        Field(max_length=MAX_DECISIONS, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """The last decisions of the autoscaler, the newest last."""
    memory: Annotated[str, Field(max_length=MAX_MEMORY_BYTES)] | None = None
    """What the autoscaler remembers across restarts; for itself only."""
