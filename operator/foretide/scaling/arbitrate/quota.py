"""Which services get the replicas of a quota that is too small for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints

NO_QUOTA: Final = -1
# Far above any cluster, and far below what an int64 holds.
MOST_REPLICAS: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claims:
    """What each service asks of its quota; one row per service."""

    group: Ints  # the quota it falls under, NO_QUOTA for none
    priority: Ints  # the higher one is served first
    desired: Ints
    minimum: Ints
    running: Ints

    def __len__(self) -> int:
        return len(self.group)


class Worth(Protocol):
    """What replicas are worth to services."""

    @property
    def known(self) -> Bools:
        """Whether all of the demand is; one row per service."""
        ...

    def saved(self, row: Ints, number: Ints) -> Floats:
        """By the replica of that number of that service: finite, not negative, and of one service never rising but
        above what is guaranteed to it. Rows follow each other, each with numbers from 1."""
        ...


def grant(claims: Claims, worth: Worth, *, quota: Ints) -> Ints:
    """Replicas of all services, at most `desired` each and `quota` [groups] a group.

    A group is one hardware class: its replicas cost the same, so that a replica is the unit of cost. Each replica is
    granted by itself, in this order: what is guaranteed to all, by priority, then evenly; what is wanted above it, by
    priority, then by what it saves. That never rises from one replica of a service to its next, hence the greedy
    order saves the most that a quota allows (Fox 1966). Ties keep what runs, then go to the lower row. More quota
    only lengthens the order's part that is granted: it never takes a replica away.

    Guaranteed are minimums and, where demand is unknown, the replicas that run: no want of another, of whatever
    priority, takes them. Among themselves they go by priority, then evenly, so that the fifth replica of a service
    with no metrics comes after the first of a neighbour, and after all minimums of a higher priority: those are orders.
    Raises ValueError for a group that has no quota. Space goes with the replicas that are asked for, of which no
    service's count above its quota.
    """
    if (claims.group >= len(quota)).any() or (claims.group < NO_QUOTA).any():
        raise ValueError(f"groups must be from {NO_QUOTA} to {len(quota) - 1}")
    quota = np.clip(quota, 0, MOST_REPLICAS)
    asked = np.maximum(claims.desired, 0)
    rationed = np.flatnonzero(claims.group >= 0)
    wanted = np.bincount(claims.group[rationed], weights=asked[rationed], minlength=len(quota))
    rows = rationed[(wanted > quota)[claims.group[rationed]]]
    if not len(rows):
        return asked

    # One unit is one replica of one service, numbered from 1.
    row, number = _numbered(rows, np.minimum(asked[rows], quota[claims.group[rows]]))
    saved = worth.saved(row, number)
    runs = number <= claims.running[row]
    guaranteed = (number <= claims.minimum[row]) | (runs & ~worth.known[row])
    group, (levels, rank) = claims.group[row], np.unique(claims.priority, return_inverse=True)
    segment = (group * 2 + ~guaranteed) * len(levels) + (len(levels) - 1 - rank)[row]
    # Floats that are not negative sort like their bits, and halves of 16 bits by radix: 200,000 in 12 ms, not in 30.
    best_first = ~np.abs(saved).astype(np.float32).view(np.uint32)  # abs() for -0.0, whose bits are no zero's
    key = np.where(guaranteed, number.astype(np.uint32), best_first)
    segment = segment.astype(np.min_scalar_type(2 * len(quota) * len(levels)))
    order = np.lexsort((~runs, key.astype(np.uint16), (key >> 16).astype(np.uint16), segment))

    size = np.bincount(group, minlength=len(quota))
    first = np.cumsum(size) - size
    taken = order[np.arange(len(order)) < (first + quota)[group[order]]]
    granted = asked.copy()
    granted[rows] = np.bincount(row[taken], minlength=len(asked))[rows]
    return granted


def _numbered(rows: Ints, amount: Ints) -> tuple[Ints, Ints]:
    """Each row as often as its amount says, and the number of each within its row, from 1."""
    row = np.repeat(rows, amount)
    number = np.arange(1, len(row) + 1) - np.repeat(np.cumsum(amount) - amount, amount)
    return row, number
