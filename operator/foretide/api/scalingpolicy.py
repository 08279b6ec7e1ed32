"""ScalingPolicy: what an SRE tunes, if anything. How far the autoscaler foresees, dares, grows and holds."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from foretide.api.durations import DurationText, between, parse_seconds
from foretide.api.fields import Fields
from foretide.api.names import ObjectName
from foretide.api.percentages import GrowthStep, ShrinkStep, parse_step
from foretide.api.rules import Rule, matching

FROM_ERROR_BUDGET: Final = "FromErrorBudget"
AUTO: Final = "Auto"

History = Annotated[DurationText, between("1h", "14d", fix='write it like "36h" or "14d"')]
# 4 minutes are 16 ticks; of a season longer than a week the longest history does not hold two.
Season = Annotated[DurationText, between("4m", "7d", fix='write it like "90m" or "3d"')]
Hold = Annotated[DurationText, between("1s", "24h", fix='write it like "5m", or Auto', word=AUTO)]
BlindHold = Annotated[DurationText, between("1m", "24h", fix='write it like "30m"')]

Risk = Annotated[
    str,
    Field(min_length=1, max_length=15),
    matching(
        f"{FROM_ERROR_BUDGET}|0[.][5-9][0-9]{{0,4}}",
        f"must be {FROM_ERROR_BUDGET} or a quantile from 0.5 to below 1, with at most 5 decimals",
        f'write {FROM_ERROR_BUDGET}, or a number in quotes like "0.95"',
    ),
]


class PolicyRef(Fields):
    """A ScalingPolicy of the same namespace."""

    name: ObjectName = Field(examples=["web"])
    """Name of the ScalingPolicy, in the namespace of the object that names it."""


class Forecast(Fields):
    """How the load to come is foreseen."""

    mode: Literal["Auto", "Reactive"] = "Auto"
    """Auto: a forecast that can be trusted adds replicas. Reactive: the load of now alone decides."""
    history: History = "14d"
    """How much of the past is read from Prometheus, as a duration from 1h to 14d."""
    risk: Risk = FROM_ERROR_BUDGET
    """Quantile of the load that is provided for: a fixed one like "0.95", or what the error budget allows."""
    season: Season | None = None
    """Time after which the load repeats, from 4m to 7d, beside hours, days and weeks, which are known anyway."""

    @property
    def history_seconds(self) -> float:
        return parse_seconds(self.history)

    @property
    def quantile(self) -> float | None:
        """The fixed quantile; None where the error budget decides."""
        return None if self.risk == FROM_ERROR_BUDGET else float(self.risk)

    @property
    def season_seconds(self) -> float | None:
        return None if self.season is None else parse_seconds(self.season)


class ScaleUp(Fields):
    """How replicas are added."""

    max_step: GrowthStep | None = None
    """Most that one decision adds, of the present replicas, but at least one; without it all that is needed."""

    # No default: a limit would answer a jump of the load one tick at a time.
    @property
    def max_step_fraction(self) -> float | None:
        """The step as a fraction of the present replicas; None where nothing limits it."""
        return None if self.max_step is None else parse_step(self.max_step)


class ScaleDown(Fields):
    """How replicas are taken away."""

    hold: Hold = AUTO
    """How long fewer replicas must have been enough before any goes, from 1s to 24h. Auto: the operator finds it."""
    max_step: ShrinkStep = "20%"
    """Most that one decision takes away, of the present replicas, but at least one."""

    @property
    def hold_seconds(self) -> float | None:
        """The hold; None where the operator finds it."""
        return None if self.hold == AUTO else parse_seconds(self.hold)

    @property
    def max_step_fraction(self) -> float:
        """The step as a fraction of the present replicas."""
        return parse_step(self.max_step)


class MetricsFailure(Fields):
    """What happens while the load is not known. Nothing ever shrinks then."""

    hold: BlindHold = "30m"
    """How long replicas stay as they are, from 1m to 24h."""
    then: Literal["Hold", "Grow"] = "Hold"
    """What follows. Hold: replicas stay on. Grow: as many as the last day needed at most."""

    @property
    def hold_seconds(self) -> float:
        return parse_seconds(self.hold)


class Challenger(Fields):
    """A second policy that is decided beside this one and scored against it, and never acts."""

    policy_ref: PolicyRef = Field(examples=["{name: web-next}"])
    """The policy that is tried; its own challenger, mode, priority and forecast.history have no say."""


class ScalingPolicySpec(Fields):
    """How services are scaled. All has a default, and a service without a policy has the defaults."""

    mode: Literal["Active", "Advisory"] = "Active"
    """Active: replicas are written. Advisory: decisions are made and told, and no replicas are written."""
    forecast: Forecast = Forecast()
    """How the load to come is foreseen."""
    scale_up: ScaleUp = ScaleUp()
    """How replicas are added."""
    scale_down: ScaleDown = ScaleDown()
    """How replicas are taken away."""
    metrics_failure: MetricsFailure = MetricsFailure()
    """What happens while the load is not known. Nothing ever shrinks then."""
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """Who is served first where a quota is too small for all: the larger number."""
    challenger: Challenger | None = None
    """A second policy that is decided beside this one and scored against it, and never acts."""


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """A ScalingPolicy that keeps every rule, with its defaults filled in. Only parse() makes one from raw input."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: ScalingPolicySpec


NOT_ITS_OWN_CHALLENGER: Final = Rule(
    cel="!has(self.spec.challenger) || self.spec.challenger.policyRef.name != self.metadata.name",
    holds=lambda policy: policy.spec.challenger is None or policy.spec.challenger.policy_ref.name != policy.name,
    rule="must be another ScalingPolicy",
    fix="name the one to try, or leave challenger out",
    cel_values=("self.spec.challenger.policyRef.name",),
    values=lambda policy: (policy.spec.challenger.policy_ref.name,),
    field="spec.challenger.policyRef.name",
)
