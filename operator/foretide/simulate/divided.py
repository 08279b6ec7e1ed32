"""Foretide over services that list several hardware classes: a lane for each class, as `sharing` runs them.

What the operator does for them (`control.divided`): each class is learned of by itself, and what the brain decides for
the service is divided among them in their order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arbitrate import NO_QUOTA
from foretide.scaling.arrays import Floats, Ints, total
from foretide.scaling.brain import Brain
from foretide.scaling.classes import Classes
from foretide.scaling.decision import Bounds, Decisions, Fleet, Quotas, Stuck
from foretide.scaling.learned import Learned
from foretide.scaling.memory import Memory
from foretide.scaling.policy import Observation, Past, Query
from foretide.scaling.tuning import Told, Tuning


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Remembered:
    """Of the services, and of each class of those that list several."""

    brain: Memory
    learned: Learned
    counted: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """An `Answer` of one row per lane."""

    desired: Ints
    memory: Remembered
    made: Decisions
    service: Ints

    def reason(self, service: int) -> str:
        """That of the service of the lane."""
        return self.made.reason(int(self.service[service]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DividedBrain:
    """A `Policy[Remembered]` of one row per lane; its past has one row per service."""

    brain: Brain
    service: Ints  # [lanes]: the row of its service, ascending; all classes of one are together, in its order
    bounds: Bounds  # of the services, all classes together
    quota: Ints  # [lanes]: replicas of the class at most, NO_QUOTA for none
    tuning: Tuning  # of the services
    told: Told  # of the lanes

    @property
    def tick_seconds(self) -> float:
        return self.brain.tick_seconds

    @property
    def queries(self) -> tuple[Query, ...]:
        return self.brain.queries

    @property
    def _first(self) -> Ints:
        """[services]: the lane of its first class."""
        first: Ints = np.unique(self.service, return_index=True)[1]
        return first

    @property
    def _units(self) -> Ints:
        """The lanes of services that list several classes."""
        units: Ints = np.flatnonzero(np.bincount(self.service)[self.service] > 1)
        return units

    def start(self, past: Past) -> Remembered:
        units = len(self._units)
        return Remembered(
            brain=self.brain.start(past), learned=Learned.fresh(units), counted=np.zeros(units, dtype=np.int64)
        )

    def decide(self, seen: Observation, memory: Remembered) -> Answered:
        units = self._units
        of, before = self.service[units], memory.brain
        elapsed = np.where(before.looked_seconds > 0.0, np.maximum(seen.now_seconds - before.looked_seconds, 0.0), 0.0)
        theirs = replace(seen.take(units), told=rows.take(self.told, units))
        known = self.brain.know(
            theirs, memory.learned, elapsed_seconds=elapsed[of], items_per_request=before.items_per_request[of]
        )
        bounded = np.flatnonzero(self.quota[units] != NO_QUOTA)
        group = np.full(len(units), NO_QUOTA)
        group[bounded] = np.arange(len(bounded))
        classes = Classes(
            service=of,
            capacity=known.capacity,
            lead_seconds=known.lead_seconds,
            running=theirs.fleet.replicas,
            counted=memory.counted,
            ready=theirs.pods.count(theirs.pods.ready, services=len(units)),
            stuck=Stuck.none(len(units)),
            gone=np.zeros(len(units), dtype=np.bool_),
            group=group,
        )
        made = self.brain.decide(self._together(seen, classes, self.quota[units][bounded]), before)
        desired = made.desired[self.service].copy()
        counted = memory.counted
        if made.divided is not None:
            desired[units], counted = made.divided.replicas, made.divided.counted
        remembered = Remembered(brain=made.memory, learned=known.learned, counted=counted)
        return Answered(desired, remembered, made, self.service)

    def _together(self, seen: Observation, classes: Classes, limits: Ints) -> Observation:
        """One row per service, as the operator sees it."""
        services, first = len(self.bounds.minimum), self._first
        nobody = np.full(services, NO_QUOTA)

        # Of several classes each is learned of by itself.
        alone = np.flatnonzero(~np.isin(seen.batches.service, self._units))
        batches = rows.take(seen.batches, alone)

        def summed(values: Floats) -> Floats:
            return total(self.service, values, length=services)

        return replace(
            seen,
            pods=replace(seen.pods, service=self.service[seen.pods.service]),
            batches=replace(batches, service=self.service[batches.service]),
            fleet=Fleet(
                replicas=summed(seen.fleet.replicas.astype(np.float64)).astype(np.int64),
                rolling=np.zeros(services, dtype=np.bool_),
            ),
            bounds=self.bounds,
            promise=rows.take(seen.promise, first),
            tuning=self.tuning,
            told=rows.take(self.told, first),
            ended={query: summed(values) for query, values in seen.ended.items()},
            quotas=Quotas(group=nobody, priority=np.zeros(services, dtype=np.int64), limit=limits)
            if len(limits)
            else Quotas.none(),
            classes=classes if len(classes) else None,
        )
