"""The hardware classes of services that list several, and which of them sets the pace."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.capacity.rate import Capacity
from foretide.scaling.decision import Hindrance, Stuck


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classes:
    """One row per service and class, those of one service together, in the order in which it lists them.

    Services that list one class only have no row here, and all that is decided of them is as if there were none.
    """

    service: Ints  # the row of its service, ascending
    capacity: Capacity
    lead_seconds: Floats
    running: Ints  # replicas asked for now
    counted: Ints  # those that were counted on at the last tick
    ready: Ints
    stuck: Stuck
    gone: Bools  # the HardwareClass is missing or invalid
    group: Ints  # the quota that it falls under, NO_QUOTA for none

    def __len__(self) -> int:
        return len(self.service)

    @property
    def owners(self) -> Ints:
        """The services, ascending."""
        return np.unique(self.service)

    @property
    def table(self) -> Ints:
        """The rows of the classes of each owner, [owners, places]; -1 beyond its last."""
        _, first, count = np.unique(self.service, return_index=True, return_counts=True)
        place = np.arange(int(count.max(initial=0)))
        table: Ints = np.where(place < count[:, None], first[:, None] + place, -1)
        return table

    @property
    def rate_rps(self) -> Floats:
        """Of one replica of each class: of one that never served, what the slowest measured one of its service does.

        Made of the SLO alone it would be a twentieth of that, and a class with which a service seems to carry less than
        without it is never tried. What it really does the first minute shows.
        """
        rate: Floats = self.capacity.rate_rps[self._stand_in()]
        return rate

    def take(self, wanted: Ints) -> Classes | None:
        """Of the services of these rows, in this order; None where none of them lists several."""
        place = np.full(max(int(self.service.max(initial=0)), int(wanted.max(initial=0))) + 1, -1, dtype=np.int64)
        place[wanted] = np.arange(len(wanted))
        theirs = np.flatnonzero(place[self.service] >= 0)
        theirs = theirs[np.argsort(place[self.service[theirs]], kind="stable")]
        if not len(theirs):
            return None
        taken = rows.take(self, theirs)
        return replace(taken, service=place[taken.service])

    def slowest(self, capacity: Capacity) -> Capacity:
        """With that of the slowest class in use for each owner: every pod gets the same share of the load."""
        chosen = self._stand_in()[self._pacemaker()]
        both = rows.concatenate([capacity, rows.take(self.capacity, chosen)])
        wanted = np.arange(len(capacity.rate_rps))
        wanted[self.owners] = len(wanted) + np.arange(len(chosen))
        return rows.take(both, wanted)

    def longest(self, lead_seconds: Floats) -> Floats:
        """With the longest lead time of the classes in use for each owner, and of the one that takes over from them
        where one of them may come to its end."""
        table, in_use = self.table, self._in_use()
        there: Bools = table >= 0
        last = np.where(in_use, np.arange(table.shape[1]), -1).max(axis=1, initial=-1)
        bounded = there & ((self.group >= 0) | (self.stuck.cause != Hindrance.NONE))[table]
        next_ = (np.arange(table.shape[1]) == last[:, None] + 1) & (in_use & bounded).any(axis=1)[:, None]
        lead = np.where(there & (in_use | next_), self.lead_seconds[table], 0.0).max(axis=1, initial=0.0)
        longest = lead_seconds.copy()
        longest[self.owners] = lead
        return longest

    def _in_use(self) -> Bools:
        """[owners, places]: counted on at the last tick; where nothing was, what runs; else the first that there is."""
        table = self.table
        there: Bools = table >= 0
        first = np.zeros(table.shape, dtype=np.bool_)
        usable = there & ~self.gone[table]
        first[np.arange(len(table)), usable.argmax(axis=1)] = True
        used = there & (self.counted > 0)[table]
        runs = there & (self.running > 0)[table]
        fallback = np.where(runs.any(axis=1, keepdims=True), runs, first)
        in_use: Bools = np.where(used.any(axis=1, keepdims=True), used, fallback)
        return in_use

    def _pacemaker(self) -> Ints:
        """The row of the slowest class in use of each owner."""
        table = self.table
        slowest = np.where(self._in_use(), self.rate_rps[table], np.inf).argmin(axis=1)
        pacemaker: Ints = table[np.arange(len(table)), slowest]
        return pacemaker

    def _stand_in(self) -> Ints:
        """For each class the row whose capacity is taken for its own."""
        table = self.table
        known: Bools = (table >= 0) & self.capacity.known[table]
        slowest = np.where(known, self.capacity.rate_rps[table], np.inf).argmin(axis=1)
        stand_in = table[np.arange(len(table)), slowest]
        owner = np.searchsorted(self.owners, self.service)
        theirs: Ints = np.where(
            self.capacity.known | ~np.asarray(known.any(axis=1))[owner], np.arange(len(self)), stand_in[owner]
        )
        return theirs
