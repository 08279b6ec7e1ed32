"""What a decision must remember: the hold, the items per request and the evidence of batch times.

Rows of services are cut out, put together and reordered here; `journal` writes and reads them as text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.capacity.evidence import Evidence
from foretide.scaling.window import Window

Table = TypeVar("Table", Window, Evidence)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """One row per service, like everything else."""

    window: Window
    items_per_request: Floats
    evidence: Evidence

    def __len__(self) -> int:
        return len(self.items_per_request)

    @classmethod
    def fresh(cls, services: int) -> Memory:
        """Of services never seen before."""
        return cls(
            window=Window.fresh(services),
            items_per_request=np.ones(services),
            evidence=Evidence.none(services),
        )

    @classmethod
    def concatenate(cls, memories: Sequence[Memory]) -> Memory:
        """All rows of all memories, in order."""
        if not memories:
            return cls.fresh(0)
        return cls(
            window=_each(np.concatenate, [memory.window for memory in memories]),
            items_per_request=np.concatenate([memory.items_per_request for memory in memories]),
            evidence=_each(np.concatenate, [memory.evidence for memory in memories]),
        )

    def take(self, rows: Ints) -> Memory:
        """The rows in this order; -1 gives the fresh memory of a service that was not there."""
        extended = Memory.concatenate([self, Memory.fresh(1)])

        def pick(columns: Sequence[np.ndarray]) -> np.ndarray:
            return columns[0][rows]

        return Memory(
            window=_each(pick, [extended.window]),
            items_per_request=extended.items_per_request[rows],
            evidence=_each(pick, [extended.evidence]),
        )


def _each(change: Callable[[Sequence[np.ndarray]], np.ndarray], tables: Sequence[Table]) -> Table:
    """A table whose every column is `change` of that column of all `tables`."""
    names = [field.name for field in fields(tables[0])]
    return type(tables[0])(**{name: change([getattr(table, name) for table in tables]) for name in names})
