"""A second policy, decided in the shadow on the same observations: what it would run, and what would be late.

The challenger has a memory of its own of what follows from its decisions (hold, risk, how its forecasts did), and
shares all that is learned of the service with the policy that acts. Its fleet is imagined: replicas are ready a lead
time after it asked for them, or with the real ones that were asked for no sooner, and are gone at once. Both policies
are scored by the same estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.brain import Brain
from foretide.scaling.budget import LONGEST_SECONDS
from foretide.scaling.decision import Bound, Decisions
from foretide.scaling.forecast.calibration import Calibration
from foretide.scaling.memory import Memory
from foretide.scaling.policy import Observation
from foretide.scaling.risk import Risk, late_rps
from foretide.scaling.tuning import Tuning
from foretide.scaling.window import Window

# Of a lead time: replicas are ready by a sixteenth of it too late.
SLOTS: Final = 17
SHORTEST_LEAD_SECONDS: Final = 1.0
# A lead time that is learned changes a little with each start; the slots are cut anew for one that changed by more.
LEAD_CHANGE: Final = 0.1
NO_LIMIT: Final = 2**31


class Side(IntEnum):
    """The columns of a tally."""

    CHAMPION = 0  # the policy that acts
    CHALLENGER = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """Sums over the time in which load and capacity were known; one row per service."""

    since_seconds: Floats  # Unix time at which the comparison began
    judged_seconds: Floats
    asked: Floats  # items
    late: Floats  # [services, sides], items
    replica_seconds: Floats  # [services, sides]

    @classmethod
    def begun(cls, services: int, *, now_seconds: float) -> Tally:
        """Nothing is compared yet."""
        nothing, both = np.zeros(services), np.zeros((services, len(Side)))
        since = np.full(services, now_seconds)
        return cls(since_seconds=since, judged_seconds=nothing, asked=nothing, late=both, replica_seconds=both)

    def after(
        self, asked_rps: Floats, late: Floats, replicas: Floats, *, known: Bools, elapsed_seconds: Floats
    ) -> Tally:
        """With what was asked, was late (a second) and ran since the last look, the latter two [services, sides]."""
        seconds = np.where(known, np.clip(elapsed_seconds, 0.0, LONGEST_SECONDS), 0.0)
        asked = np.where(known, np.maximum(asked_rps, 0.0), 0.0)
        return replace(
            self,
            judged_seconds=self.judged_seconds + seconds,
            asked=self.asked + asked * seconds,
            late=self.late + np.where(known[:, None], np.clip(late, 0.0, asked[:, None]), 0.0) * seconds[:, None],
            replica_seconds=self.replica_seconds + replicas * seconds[:, None],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Starts:
    """The fewest replicas in each slot of the last lead time, the oldest slot first; one row per service."""

    slot: Ints  # number of the newest one since the epoch
    slot_seconds: Floats
    # [services, SLOTS, 3]: of the challenger; of it where the champion had more; of the champion
    fewest: Ints

    @classmethod
    def begun(cls, challenger: Ints, champion: Ints) -> Starts:
        """As if they had been there for long."""
        services = len(challenger)
        return cls(
            slot=np.zeros(services, dtype=np.int64),
            slot_seconds=np.zeros(services),
            fewest=np.repeat(_columns(challenger, champion)[:, None], SLOTS, axis=1),
        )

    def after(
        self, challenger: Ints, champion: Ints, *, anew: Bools, now_seconds: float, lead_seconds: Floats
    ) -> Starts:
        """With the replicas since the last look. Where the lead time is another, or the clock went back, all slots have
        the fewest of any; `anew` forgets what was."""
        lead = np.maximum(lead_seconds, SHORTEST_LEAD_SECONDS)
        changed = np.abs(self.slot_seconds * (SLOTS - 1) - lead) > LEAD_CHANGE * lead
        slot_seconds = np.where(changed, lead / (SLOTS - 1), self.slot_seconds)
        slot = np.floor(now_seconds / slot_seconds).astype(np.int64)
        changed |= slot < self.slot
        columns = _columns(challenger, champion)[:, None]
        passed = np.where(changed, 0, np.minimum(slot - self.slot, SLOTS))
        source = (np.arange(SLOTS) + passed[:, None])[..., None]
        shifted = np.take_along_axis(self.fewest, np.minimum(source, SLOTS - 1), axis=1)
        fewest = np.where(changed[:, None, None], self.fewest.min(axis=1, keepdims=True), shifted)
        fewest = np.where(anew[:, None, None] | (source >= SLOTS), columns, fewest)
        fewest[:, -1] = np.minimum(fewest[:, -1], columns[:, 0])
        return Starts(slot=slot, slot_seconds=slot_seconds, fewest=fewest)

    def ready(self, challenger: Ints, really: Ints) -> Ints:
        """Replicas of the challenger that are ready, where of the champion's `really` are.

        Those that it had throughout the last lead time; and as many as are really ready of those for which it asked no
        later than the champion. Those that should really be ready and are not (crashed, or nowhere to go) are not here
        either. So a challenger that asks for the same has the same.
        """
        own, behind, champion = self.fewest.min(axis=1).T
        missing = np.maximum(champion - really, 0)
        found: Ints = np.minimum(challenger, np.maximum(np.maximum(own - missing, 0), np.minimum(really, behind)))
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shadow:
    """What a challenger remembers; one row per service that has one."""

    replicas: Ints
    starts: Starts
    window: Window
    risk: Risk
    calibration: Calibration
    tally: Tally

    def __len__(self) -> int:
        return len(self.replicas)

    @classmethod
    def begun(cls, memory: Memory, replicas: Ints, *, really: Ints, tally: Tally) -> Shadow:
        """With the memory of the policy that acts, and so many replicas where there are `really` so many."""
        return cls(
            replicas=replicas,
            starts=Starts.begun(replicas, really),
            window=memory.window,
            risk=memory.risk,
            calibration=memory.sight.calibration,
            tally=tally,
        )

    @classmethod
    def none(cls) -> Shadow:
        """Of no service."""
        nobody = np.zeros(0, dtype=np.int64)
        return cls.begun(Memory.fresh(0), nobody, really=nobody, tally=Tally.begun(0, now_seconds=0.0))

    @classmethod
    def concatenate(cls, shadows: Sequence[Shadow]) -> Shadow:
        """All rows of all, in order."""
        columns = {field.name: [getattr(shadow, field.name) for shadow in shadows] for field in fields(cls)}
        calibrations = columns.pop("calibration")
        return cls(
            calibration=Calibration.concatenate(calibrations),
            **{name: rows.concatenate(column) for name, column in columns.items()},
        )


def judge(
    brain: Brain,
    seen: Observation,
    memory: Memory,
    made: Decisions,
    shadow: Shadow,
    *,
    challenged: Ints,
    tuning: Tuning,
) -> Shadow:
    """Decides for the challengers and scores the time since the last look.

    `seen`, `memory` (as it was before them) and `made` are of all services; those of the rows `challenged` have a
    challenger, with the `tuning` and the `shadow`. Nothing of the three is changed. A paused or pinned service is not
    the policy's: the challenger has what is there, and nothing is scored.
    """
    mine, before = seen.take(challenged), memory.take(challenged)
    capacity, lead_seconds = rows.take(made.capacity, challenged), made.plan.lead_seconds[challenged]
    demand, really = rows.take(made.seen.demand, challenged), made.seen.ready[challenged]
    ordered = mine.bounds.paused | mine.bounds.is_pinned
    replicas = np.where(ordered, mine.fleet.replicas, shadow.replicas)
    starts = shadow.starts.after(
        replicas, mine.fleet.replicas, anew=ordered, now_seconds=seen.now_seconds, lead_seconds=lead_seconds
    )
    ready = starts.ready(replicas, really)
    answer = brain.decide(
        replace(
            mine,
            fleet=replace(mine.fleet, replicas=replicas),
            # As if it acted, whatever its mode is.
            tuning=replace(tuning, advisory=np.zeros(len(mine), dtype=np.bool_)),
        ),
        replace(
            before,
            window=shadow.window,
            risk=shadow.risk,
            sight=replace(before.sight, calibration=shadow.calibration),
        ),
        ready=ready,
    )
    both = np.stack([mine.fleet.replicas, replicas], axis=1).astype(np.float64)
    late = [late_rps(demand.value, count.astype(np.float64), capacity) for count in (really, ready)]
    # Not before the comparison began.
    looked = np.where(before.looked_seconds > 0.0, before.looked_seconds, seen.now_seconds)
    looked = np.maximum(looked, shadow.tally.since_seconds)
    tally = shadow.tally.after(
        demand.value,
        np.stack(late, axis=1),
        both,
        known=demand.known & capacity.known & (made.seen.expected[challenged] > 0) & ~ordered,
        elapsed_seconds=seen.now_seconds - looked,
    )
    # What a quota leaves the one, it leaves the other.
    granted, cut = made.desired[challenged], made.bound[challenged] == Bound.QUOTA
    return Shadow(
        replicas=np.where(cut, np.minimum(answer.desired, granted), answer.desired),
        starts=starts,
        window=answer.memory.window,
        risk=answer.memory.risk,
        calibration=answer.memory.sight.calibration,
        tally=tally,
    )


def _columns(challenger: Ints, champion: Ints) -> Ints:
    """[services, 3], as `Starts.fewest` has them."""
    behind = np.where(challenger < champion, challenger, NO_LIMIT)
    return np.stack([challenger, behind, champion], axis=1)
