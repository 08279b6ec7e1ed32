"""What a service was told in the last while: recommendations, scale events, pod counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Numbers with their times, one row per service and one column per record; any cadence of records is kept."""

    at_seconds: Floats  # shape [services, records]; -inf where a service has no number in that record
    value: Ints

    @classmethod
    def empty(cls, services: int) -> History:
        return cls(at_seconds=np.empty((services, 0)), value=np.empty((services, 0), dtype=np.int64))

    def record(self, value: Ints, *, where: Bools, now_seconds: float, keep_seconds: float) -> History:
        """With one more number per chosen service, and without the records that are older than `keep_seconds`."""
        kept = self.at_seconds.max(axis=0, initial=-np.inf) >= now_seconds - keep_seconds
        at = np.where(where, now_seconds, -np.inf)
        return History(
            at_seconds=np.concatenate([self.at_seconds[:, kept], at[:, None]], axis=1),
            value=np.concatenate([self.value[:, kept], value[:, None]], axis=1),
        )

    def since(self, oldest_seconds: float) -> Bools:
        """Records at that time or later."""
        return self.at_seconds >= oldest_seconds

    def after(self, oldest_seconds: float) -> Bools:
        """Records later than that time."""
        return self.at_seconds > oldest_seconds

    def highest(self, chosen: Bools, *, at_least: Ints) -> Ints:
        """The largest of `at_least` and the chosen numbers of each service."""
        largest: Ints = np.where(chosen, self.value, np.iinfo(np.int64).min).max(axis=1, initial=np.iinfo(np.int64).min)
        return np.maximum(largest, at_least)

    def lowest(self, chosen: Bools, *, at_most: Ints) -> Ints:
        """The smallest of `at_most` and the chosen numbers of each service."""
        smallest: Ints = np.where(chosen, self.value, np.iinfo(np.int64).max).min(
            axis=1, initial=np.iinfo(np.int64).max
        )
        return np.minimum(smallest, at_most)

    def total(self, chosen: Bools) -> Ints:
        """The sum of the chosen numbers of each service."""
        added: Ints = np.where(chosen, self.value, 0).sum(axis=1)
        return added
