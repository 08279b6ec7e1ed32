"""HardwareClass: what a platform team owns. The resources, place and Triton image of one kind of hardware."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from foretide.api.cost import Cost, Power, Quota
from foretide.api.fields import Fields
from foretide.api.instances import Instances
from foretide.api.names import ImageReference
from foretide.api.quantities import Quantity, parse_quantity
from foretide.api.rules import Rule


class Family(StrEnum):
    """Kind of processor that runs the model; it decides Triton's instance kind."""

    GPU = "GPU"
    CPU = "CPU"
    INFERENTIA = "Inferentia"


_PLAIN_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_KNOWN: Final = "name in ['cpu', 'memory', 'ephemeral-storage'] || name.contains('/') || name.startsWith('hugepages-')"


def _is_device(name: str) -> bool:
    return "/" in name


def _unknown(resources: Mapping[str, str]) -> list[str]:
    return [
        name
        for name in resources
        if name not in _PLAIN_RESOURCES and not _is_device(name) and not name.startswith("hugepages-")
    ]


ResourceList = Annotated[
    dict[str, Quantity],
    Field(max_length=16),
    # A name without a domain that Kubernetes does not define is the usual slip (`gpu: 1`), and it would only show as a
    # pod that never comes.
    Rule(
        cel=f"self.all(name, {_KNOWN})",
        holds=lambda resources: not _unknown(resources),
        rule="must be cpu, memory, ephemeral-storage, hugepages-<size> or a device with its domain",
        fix='write the full name, like "nvidia.com/gpu"',
        cel_values=(f"self.filter(name, !({_KNOWN}))[0]",),
        values=lambda resources: (_unknown(resources)[0],),
    ),
]


def _over_limit(resources: "Resources") -> list[str]:
    return [
        name
        for name, requested in resources.requests.items()
        if name in resources.limits and parse_quantity(requested) > parse_quantity(resources.limits[name])
    ]


def _device_without_limit(resources: "Resources") -> list[str]:
    return [name for name in resources.requests if _is_device(name) and name not in resources.limits]


_OVER_LIMIT: Final = (
    "name in self.limits && "
    "isQuantity(string(self.requests[name])) && isQuantity(string(self.limits[name])) && "
    "quantity(string(self.requests[name])).isGreaterThan(quantity(string(self.limits[name])))"
)


class Resources(Fields):
    """What one replica takes of a node."""

    requests: ResourceList = Field(default={})
    """What the scheduler keeps free for a replica, by resource name."""
    limits: ResourceList = Field(default={})
    """What a replica may use at most, by resource name."""

    # Kubernetes refuses pods that break these, one by one and out of the user's sight.
    rules = (
        Rule(
            cel=f"!self.requests.exists(name, {_OVER_LIMIT})",
            holds=lambda resources: not _over_limit(resources),
            rule="must not be requested above its limit",
            fix="raise the limit or lower the request",
            cel_values=(f"self.requests.filter(name, {_OVER_LIMIT})[0]",),
            values=lambda resources: (_over_limit(resources)[0],),
            field="requests",
        ),
        Rule(
            cel="self.requests.all(name, !name.contains('/') || name in self.limits)",
            holds=lambda resources: not _device_without_limit(resources),
            rule="must be under limits, because Kubernetes does not share devices",
            fix="move it from requests to limits",
            cel_values=("self.requests.filter(name, name.contains('/') && !(name in self.limits))[0]",),
            values=lambda resources: (_device_without_limit(resources)[0],),
            field="requests",
        ),
    )


class Toleration(Fields):
    """A taint of a node that the replicas tolerate, as in a pod."""

    key: Annotated[str, Field(min_length=1, max_length=317)] | None = None
    """Key of the taint; without it all taints are tolerated."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How value is compared; Exists ignores the value."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; without it all effects are tolerated."""
    toleration_seconds: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """How long, in seconds, a replica stays on a node that gets a NoExecute taint; without it for ever."""

    rules = (
        Rule(
            cel="has(self.key) || self.operator == 'Exists'",
            holds=lambda toleration: toleration.key is not None or toleration.operator == "Exists",
            rule="must be Exists where there is no key",
            fix="add the key of the taint, or write operator: Exists to tolerate every taint",
            cel_values=("self.operator",),
            values=lambda toleration: (toleration.operator,),
            field="operator",
        ),
        Rule(
            cel="!has(self.value) || self.value == '' || self.operator == 'Equal'",
            holds=lambda toleration: not toleration.value or toleration.operator == "Equal",
            rule="must be empty with operator Exists",
            fix="remove value, or write operator: Equal",
            cel_values=("self.value",),
            values=lambda toleration: (toleration.value,),
            field="value",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            holds=lambda toleration: toleration.toleration_seconds is None or toleration.effect == "NoExecute",
            rule="must be left out unless effect is NoExecute",
            fix="remove tolerationSeconds, or write effect: NoExecute",
            shown="%s",
            cel_values=("self.tolerationSeconds",),
            values=lambda toleration: (toleration.toleration_seconds,),
            field="tolerationSeconds",
        ),
    )


class Placement(Fields):
    """Which nodes the replicas run on."""

    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = Field(default={})
    """Labels that a node must have."""
    tolerations: Annotated[
        tuple[Toleration, ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Taints that the replicas tolerate."""
    priority_class_name: Annotated[str, Field(max_length=253)] = ""
    """Name of the PriorityClass of the replicas."""


class Triton(Fields):
    """The Triton server of this class."""

    image: ImageReference = Field(examples=["nvcr.io/nvidia/tritonserver:26.07-py3"])
    """Image of the Triton server, with the backends that the models of this class need."""
    instances: Instances = "1"
    """Copies of the model in one replica that run batches at the same time: a number from 1 to 64, or Auto for one on
    each whole CPU of the class, two on a GPU. Each holds the whole model in memory. With two or more, a model whose
    requests are batched refuses what has waited for half of the SLO; with one, an overload makes all requests late."""


class HardwareClassSpec(Fields):
    """One kind of hardware."""

    family: Annotated[Family, Field(strict=False)] = Field(examples=["CPU"])
    """Kind of processor that runs the model."""
    resources: Resources = Resources()
    """What one replica takes of a node."""
    placement: Placement = Placement()
    """Which nodes the replicas run on."""
    triton: Triton = Field(examples=["{image: 'nvcr.io/nvidia/tritonserver:26.07-py3'}"])
    """The Triton server of this class."""
    cost: Cost | None = None
    """What one replica costs; without it no cost is reported."""
    power: Power | None = None
    """What one replica draws of electric power; without it no energy is reported."""
    quota: Quota | None = None
    """How many replicas of the class there may be; without it as many as the nodes hold."""


@dataclass(frozen=True, slots=True)
class HardwareClass:
    """A HardwareClass that keeps every rule, with its defaults filled in. Only parse() makes one from raw input."""

    name: str
    uid: str
    generation: int
    spec: HardwareClassSpec
