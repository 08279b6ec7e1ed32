"""InferenceService: what a team writes. A model, the hardware it may use, and the latency it must keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from foretide.api.batching import BATCHING_RULES, Batching
from foretide.api.durations import DurationText, Latency, between, parse_seconds
from foretide.api.fields import Fields
from foretide.api.model import Model
from foretide.api.names import HardwareClassName
from foretide.api.percentages import Objective, parse_fraction
from foretide.api.response_cache import CACHE_RULES, ResponseCache
from foretide.api.rules import Rule, ordered
from foretide.api.scalingpolicy import PolicyRef

MAX_REPLICAS: Final = 10_000
MAX_CLASSES: Final = 8

Replicas = Annotated[int, Field(ge=1, le=MAX_REPLICAS)]
SloWindow = Annotated[DurationText, between("1h", "90d", fix='write it like "28d" or "12h"')]


def _twice(names: Sequence[str]) -> list[str]:
    return [name for name in names if names.count(name) > 1]


# A list of type `set` would be merged by server-side apply, and its order is the order of choice.
_EACH_ONCE: Final = Rule(
    cel="self.all(name, self.exists_one(other, other == name))",
    holds=lambda names: not _twice(names),
    rule="must be listed once only",
    fix="remove the others",
    cel_values=("self.filter(name, !self.exists_one(other, other == name))[0]",),
    values=lambda names: (_twice(names)[0],),
)


class Hardware(Fields):
    """The hardware the service may use."""

    classes: Annotated[
        tuple[HardwareClassName, ...],
        Field(
            min_length=1,
            max_length=MAX_CLASSES,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
        _EACH_ONCE,
    ] = Field(examples=["[cpu-16]"])
    """Names of HardwareClasses, the preferred one first; at most eight."""
    choose: Literal["InOrder"] = "InOrder"
    """How replicas are divided. InOrder: each class takes what the ones before it cannot: quota, no room, too slow."""


class Slo(Fields):
    """What the service promises its callers."""

    objective: Objective = Field(examples=['"99"'])
    """Share of requests, in percent, that must be answered correctly within the latency."""
    latency: Latency = Field(examples=["100ms"])
    """Time from a request's arrival at Triton to its answer, as a Go duration."""
    window: SloWindow = "28d"
    """Time over which the error budget counts, from 1h to 90d: the requests that may miss the objective in it."""

    @property
    def latency_seconds(self) -> float:
        return parse_seconds(self.latency)

    @property
    def window_seconds(self) -> float:
        return parse_seconds(self.window)

    @property
    def objective_fraction(self) -> float:
        return parse_fraction(self.objective)


class Scaling(Fields):
    """The bounds of the autoscaler."""

    min_replicas: Replicas = 1
    """Fewest replicas that the autoscaler may choose."""
    max_replicas: Replicas = 10
    """Most replicas that the autoscaler may choose."""
    replicas: Replicas | None = None
    """Pins the number of replicas; minReplicas and maxReplicas do not count while it is set."""
    policy_ref: PolicyRef | None = None
    """The ScalingPolicy of this service. Without it the defaults of a ScalingPolicy hold."""
    paused: bool = False
    """Stops the autoscaler from changing the number of replicas; it keeps reporting."""

    rules = (ordered("minReplicas", "maxReplicas"),)

    @property
    def bounds(self) -> tuple[int, int]:
        """The fewest and the most replicas, both the pinned number where there is one."""
        if self.replicas is not None:
            return self.replicas, self.replicas
        return self.min_replicas, self.max_replicas


def _strangers(spec: "InferenceServiceSpec") -> list[str]:
    """Variants of classes that the service may not use."""
    named = [variant.hardware_class for variant in spec.model.variants]
    return [name for name in named if name not in spec.hardware.classes]


_IS_LISTED: Final = "v.hardwareClass in self.hardware.classes"


class InferenceServiceSpec(Fields):
    """What to serve, on which hardware, how fast, and with how many replicas."""

    model: Model = Field(examples=["{backend: onnxruntime, source: {configMap: {name: model-files}}}"])
    """What is served."""
    hardware: Hardware = Field(examples=["{classes: [cpu-16]}"])
    """The hardware the service may use."""
    slo: Slo = Field(examples=['{objective: "99", latency: 100ms}'])
    """What the service promises its callers."""
    scaling: Scaling = Scaling()
    """The bounds of the autoscaler."""
    batching: Batching = Batching()
    """How Triton makes batches of single requests."""
    response_cache: ResponseCache | None = None
    """Keeps answers in each replica, for models that answer the same request the same. Default: none are kept."""

    rules = (
        *BATCHING_RULES,
        *CACHE_RULES,
        Rule(
            cel=f"!has(self.model.variants) || self.model.variants.all(v, {_IS_LISTED})",
            holds=lambda spec: not _strangers(spec),
            rule="must be one of spec.hardware.classes",
            fix="add it there, or remove the variant",
            cel_values=(f"self.model.variants.filter(v, !({_IS_LISTED}))[0].hardwareClass",),
            values=lambda spec: (_strangers(spec)[0],),
            field="model.variants",
        ),
    )


@dataclass(frozen=True, slots=True)
class InferenceService:
    """An InferenceService that keeps every rule, with its defaults filled in. Only parse() makes one from raw input."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: InferenceServiceSpec

    @property
    def model_name(self) -> str:
        return self.spec.model.name or self.name

    @property
    def hardware_classes(self) -> tuple[str, ...]:
        """The hardware classes that it may use, in the order of choice."""
        return self.spec.hardware.classes

    def model_on(self, hardware_class: str) -> Model:
        """The model as the replicas of that class run it."""
        return self.spec.model.on(hardware_class)

    def is_batched_on(self, hardware_class: str) -> bool:
        """Whether Triton makes batches of the requests to its replicas of that class."""
        return self.model_on(hardware_class).largest_batch > 1 and self.spec.batching.mode != "None"

    @property
    def policy_name(self) -> str | None:
        """The name of its ScalingPolicy; None where the defaults of one hold."""
        return None if self.spec.scaling.policy_ref is None else self.spec.scaling.policy_ref.name

    @property
    def latency_seconds(self) -> float:
        return self.spec.slo.latency_seconds

    @property
    def objective(self) -> float:
        """Share of requests that must be answered within the latency, as a fraction of one."""
        return self.spec.slo.objective_fraction

    @property
    def min_replicas(self) -> int:
        return self.spec.scaling.bounds[0]

    @property
    def max_replicas(self) -> int:
        return self.spec.scaling.bounds[1]
