"""Who is tried: a policy of the simulator by its name, or Foretide under a ScalingPolicy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from foretide.api.scalingpolicy import ScalingPolicySpec
from foretide.cli.exits import Stop
from foretide.control.policies import tuning
from foretide.scaling.arrays import Ints
from foretide.scaling.brain import Brain
from foretide.scaling.decision import Bounds, Decisions
from foretide.scaling.memory import Memory
from foretide.scaling.policy import AnyPolicy, Observation, Past, Query
from foretide.scaling.tuning import Told, Tuning
from foretide.simulate.command import values
from foretide.simulate.divided import DividedBrain
from foretide.simulate.observe import profile, promise
from foretide.simulate.policies import POLICIES
from foretide.simulate.scenario import Lane

OURS: Final = "foretide"
# They know nothing of the hour or the day: parts of a load may be replayed side by side, whenever each of them was.
CLOCKLESS: Final = frozenset(
    {
        OURS,
        "static",
        "hpa",
        "hpa-rejected",
        "hpa-utilisation",
        "keda",
        "kpa",
        "kpa-rps",
        "wva",
        "inferno",
        "aiad",
        "one-shot",
    }
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of those that are compared."""

    label: str
    policy: str = OURS
    knobs: Mapping[str, float] = field(default_factory=dict)
    spec: ScalingPolicySpec = field(default_factory=ScalingPolicySpec)  # of use for Foretide alone

    @property
    def is_clockless(self) -> bool:
        return self.policy in CLOCKLESS

    @property
    def scrape_seconds(self) -> float:
        return POLICIES[self.policy].scrape_seconds

    @property
    def divides_classes(self) -> bool:
        """Whether it knows of several hardware classes; others run on one."""
        return self.policy == OURS

    def for_lanes(self, lanes: Sequence[Lane], fleets: Fleets) -> AnyPolicy:
        """Raises ValueError for a knob that is out of its range."""
        made = POLICIES[self.policy].policy(profile(lanes), promise(lanes), self.knobs)
        if not isinstance(made, Brain):
            return made
        services = len(fleets.bounds.minimum)
        orders = _orders(self.spec, services)
        if services == len(lanes):
            return Tuned(made, orders, _told(lanes))
        return DividedBrain(
            brain=made,
            service=fleets.service,
            bounds=fleets.bounds,
            quota=fleets.quota,
            tuning=orders,
            told=_told(lanes),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Fleets:
    """What lanes are together: services, each on one hardware class or several."""

    service: Ints  # [lanes]: its row, ascending
    bounds: Bounds  # of the services
    quota: Ints  # [lanes]: NO_QUOTA for none


@dataclass(frozen=True, slots=True)
class Tuned:
    """The brain with a ScalingPolicy, knowing of the model what the operator knows by now; a `Policy[Memory]`."""

    brain: Brain
    orders: Tuning
    told: Told

    @property
    def tick_seconds(self) -> float:
        return self.brain.tick_seconds

    @property
    def queries(self) -> tuple[Query, ...]:
        return self.brain.queries

    def start(self, past: Past) -> Memory:
        return self.brain.start(past)

    def decide(self, seen: Observation, memory: Memory) -> Decisions:
        return self.brain.decide(replace(seen, tuning=self.orders, told=self.told), memory)


def _orders(spec: ScalingPolicySpec, services: int) -> Tuning:
    """What is only advised is not judged by what somebody else runs: it acts, too."""
    return replace(tuning([spec] * services), advisory=np.zeros(services, dtype=np.bool_))


def _told(lanes: Sequence[Lane]) -> Told:
    return Told(
        per_item_seconds=np.array([lane.law.per_item_seconds for lane in lanes]),
        fixed_seconds=np.array([lane.law.fixed_seconds for lane in lanes]),
        largest=np.array([float(lane.law.max_batch) for lane in lanes]),
        cold_start_seconds=np.array([lane.cold_start.quantiles_seconds[90] for lane in lanes]),
    )


def listed(text: str) -> Candidate | None:
    """`hpa` or `hpa:target=0.6,...`; None for a name that is no policy of the simulator. Raises Stop and Refused."""
    name, _, knobs = text.partition(":")
    entry = POLICIES.get(name)
    if entry is None:
        return None
    if entry.divides:
        raise Stop(
            f"--policy: {name} shares a quota among several services, and a backtest replays each alone; name another"
        )
    given = dict(values.knob("--policy", part) for part in knobs.split(",") if part)
    try:
        entry.settings(given)
    except ValueError as error:
        raise Stop(f"--policy: {text} is refused: {error}") from error
    return Candidate(text, name, given)
