"""Quotas, and the replicas of services that list several hardware classes divided among these."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from foretide.scaling.arbitrate import NO_QUOTA, Claims, Need, Room, Split, Why, grant, hand_over, in_order
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.classes import Classes
from foretide.scaling.decision import Bound, Decisions, Divided, Hindrance, Quotas, Stuck
from foretide.scaling.forecast.foresight import Foresight
from foretide.scaling.ration import ration
from foretide.scaling.stuck import BOUNDS


def spread(
    made: Decisions, classes: Classes | None, quotas: Quotas, foresight: Foresight, *, may_shrink: bool = True
) -> Decisions:
    """The decisions within the quotas; where several classes are listed `desired` is what they are counted on for.

    What was decided is a number of replicas at the rate of the slowest class in use: so much is to be carried by
    whatever classes do it best (`arbitrate.in_order`). Of a quota those services come first that list the class first,
    by priority and by what a replica saves them (`ration`); what they leave goes to those that list it second, by
    priority, and so on. Their minimum is no claim on one of several classes. Paused services keep what they have.
    """
    if classes is None or not len(classes):
        return ration(made, quotas, foresight, may_shrink=may_shrink)
    held = made.bounds.paused[classes.service]
    kept = np.bincount(
        classes.group[held & (classes.group >= 0)],
        weights=classes.running[held & (classes.group >= 0)],
        minlength=len(quotas.limit),
    ).astype(np.int64)
    quotas = replace(quotas, limit=np.maximum(quotas.limit - kept, 0))
    need, room = _need(made, classes), _room(made, classes)
    rationing = _Rationing(made, classes, quotas, foresight, may_shrink)
    split = in_order(need, room, rationing)
    return _divided(rationing.singles(), classes, need, room, split, held)


@dataclass(slots=True)
class _Rationing:
    """Gives out quotas place by place; an `arbitrate.in_order.Grant`."""

    made: Decisions
    classes: Classes
    quotas: Quotas
    foresight: Foresight
    may_shrink: bool
    _first: Decisions | None = None
    _left: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __call__(self, place: int, wanted: Ints) -> Ints:
        """Of the classes that services list at this place."""
        owners, at = self.classes.owners, self.classes.table[:, place]
        group = np.where(at >= 0, self.classes.group[at], NO_QUOTA)
        group = np.where(self.made.bounds.paused[owners], NO_QUOTA, group)
        if place == 0:
            return self._begin(owners, group, wanted)
        claims = Claims(
            group=group,
            priority=self.quotas.priority[owners] if len(self._left) else np.zeros(len(owners), dtype=np.int64),
            desired=wanted,
            minimum=np.zeros(len(owners), dtype=np.int64),
            running=np.where(at >= 0, self.classes.running[at], 0),
        )
        granted = grant(claims, _Alike(np.ones(len(owners), dtype=np.bool_)), quota=self._left)
        self._left = np.maximum(self._left - _summed(group, granted, len(self._left)), 0)
        return granted

    def singles(self) -> Decisions:
        """The decisions of the services that list one class."""
        return self.made if self._first is None else self._first

    def _begin(self, owners: Ints, group: Ints, wanted: Ints) -> Ints:
        several = np.zeros(len(self.made), dtype=np.bool_)
        several[owners] = (self.classes.table >= 0).sum(axis=1) > 1
        groups, desired = self.quotas.group, self.made.desired.copy()
        desired[owners] = wanted
        if len(self.quotas.limit):
            groups = groups.copy()
            groups[owners] = group
        bounds = self.made.bounds
        claimed = replace(
            self.made,
            desired=desired,
            bounds=replace(
                bounds,
                minimum=np.where(several, 0, bounds.minimum),
                is_pinned=bounds.is_pinned & ~several,
            ),
        )
        rationed = ration(claimed, replace(self.quotas, group=groups), self.foresight, may_shrink=self.may_shrink)
        ours = np.isin(np.arange(len(self.made)), owners)
        self._first = replace(rationed, bounds=bounds, bound=np.where(ours, self.made.bound, rationed.bound))
        self._left = self.quotas.limit
        if len(self._left):
            self._left = np.maximum(self._left - _summed(groups, rationed.desired, len(self._left)), 0)
        granted: Ints = rationed.desired[owners]
        return granted


@dataclass(frozen=True, slots=True)
class _Alike:
    """Nobody saves more than another: those that run stay, then the first ones come."""

    known: Bools

    def saved(self, row: Ints, number: Ints) -> Floats:
        return np.zeros(len(row))


def _summed(group: Ints, replicas: Ints, length: int) -> Ints:
    """Per group that there is."""
    theirs = group >= 0
    return np.bincount(group[theirs], weights=replicas[theirs], minlength=length).astype(np.int64)


def _need(made: Decisions, classes: Classes) -> Need:
    """Where the maximum bound the number, what it was bound from: at the rate of a faster class it may be within."""
    owners, bounds = classes.owners, made.bounds
    asked = np.maximum(made.desired, np.maximum(made.asked, made.foreseen))
    cut = (made.desired >= bounds.maximum) & made.seen.demand.known & ~bounds.is_pinned & ~bounds.paused
    return Need(
        replicas=np.where(cut, asked, made.desired)[owners],
        rate_rps=made.capacity.rate_rps[owners],
        minimum=bounds.minimum[owners],
        maximum=bounds.maximum[owners],
        is_pinned=bounds.is_pinned[owners],
    )


def _room(made: Decisions, classes: Classes) -> Room:
    table = classes.table
    there, stuck = table >= 0, classes.stuck
    return Room(
        there=there,
        rate_rps=np.where(there, classes.rate_rps[table], 1.0),
        feasible=classes.capacity.feasible[table],
        gone=there & classes.gone[table],
        stuck=there & (stuck.cause != Hindrance.NONE)[table],
        going=stuck.going[table],
        asking=stuck.most(classes.running)[table],
    )


def _divided(made: Decisions, classes: Classes, need: Need, room: Room, split: Split, held: Bools) -> Decisions:
    """The decisions with what each class is to have; what is paused stays as it is."""
    owners, table = classes.owners, classes.table
    there = table >= 0
    at = table[there]
    replicas, counted, why = classes.running.copy(), classes.counted.copy(), np.zeros(len(classes), dtype=np.int64)
    moved = hand_over(
        split,
        need,
        room,
        running=np.where(there, classes.running[table], 0),
        ready=np.where(there, classes.ready[table], 0),
    )
    replicas[at] = np.where(held[at], replicas[at], moved[there])
    counted[at] = np.where(held[at], counted[at], split.counted[there])
    why[at] = split.why[there]

    free = ~made.bounds.paused[owners]
    short = free & ~split.carried
    bound, quota, desired = made.bound.copy(), made.quota.copy(), made.desired.copy()
    desired[owners] = np.where(free, split.total, made.fleet.replicas[owners])
    rationed = short & (split.why == Why.QUOTA).any(axis=1)
    hindered = short & ~rationed & (split.why == Why.HINDERED).any(axis=1)
    stuck = _hindered(made, classes, owners[hindered], table[hindered])
    bound[owners[rationed]], quota[owners[rationed]] = int(Bound.QUOTA), split.total[rationed]
    causes = np.select([stuck.cause == cause for cause in BOUNDS], [int(one) for one in BOUNDS.values()])
    bound[owners[hindered]] = causes[owners[hindered]]
    return replace(
        made,
        desired=desired,
        bound=bound,
        quota=quota,
        stuck=stuck,
        divided=Divided(replicas=replicas, counted=counted, why=why),
    )


def _hindered(made: Decisions, classes: Classes, owners: Ints, table: Ints) -> Stuck:
    """With what keeps these services from having what they need, of all their classes together."""
    there = table >= 0
    cause, count, going = made.stuck.cause.copy(), made.stuck.count.copy(), made.stuck.going.copy()
    causes = np.where(there, classes.stuck.cause[table], int(Hindrance.NONE))
    first = (causes != Hindrance.NONE).argmax(axis=1)
    cause[owners] = causes[np.arange(len(table)), first]
    count[owners] = np.where(there, classes.stuck.count[table], 0).sum(axis=1)
    going[owners] = np.where(there, classes.stuck.going[table], 0).sum(axis=1)
    return Stuck(cause=cause, count=count, going=going)
