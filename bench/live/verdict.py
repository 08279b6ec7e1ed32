"""What the rows say against the bars: Foretide beside the front of all peers together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.live.systems import FORETIDE

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one load; None where no peer is as good, or none as cheap."""

    trace: str
    cold_start_seconds: float
    minutes_at_equal_share: float | None  # ours over the peers'
    violations_at_equal_minutes: float | None  # ours over the peers'


def verdicts(rows: Sequence[Row]) -> tuple[Verdict, ...]:
    """One for each load that Foretide and at least one peer ran."""
    found = []
    for trace, cold_start in dict.fromkeys((row["trace"], row["cold_start_seconds"]) for row in rows):
        mine = [row for row in rows if (row["trace"], row["cold_start_seconds"]) == (trace, cold_start)]
        own = [row for row in mine if row["system"] == FORETIDE.scaler]
        peers = [row for row in mine if row["system"] != FORETIDE.scaler]
        if own and peers:
            found.append(_verdict(own[0], peers))
    return tuple(found)


def _verdict(own: Row, peers: Sequence[Row]) -> Verdict:
    minutes, late = front([(row["replica_minutes"], 1.0 - row["within_slo"]) for row in peers])
    own_minutes, own_late = own["replica_minutes"], 1.0 - own["within_slo"]
    equal_share = None if own_late < late[-1] else own_minutes / float(np.interp(-own_late, -late, minutes))
    equal_minutes = None if own_minutes < minutes[0] else _ratio(own_late, float(np.interp(own_minutes, minutes, late)))
    return Verdict(own["trace"], own["cold_start_seconds"], equal_share, equal_minutes)


def front(points: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """The points that no other beats in both cost and lateness, by rising cost: with straight lines between them, which
    no peer promises to reach."""
    kept: list[tuple[float, float]] = []
    for cost, late in sorted(points):
        if not kept or late < kept[-1][1]:
            kept.append((cost, late))
    costs, lates = zip(*kept, strict=True)
    return np.array(costs), np.array(lates)


def _ratio(own: float, peers: float) -> float:
    if peers > 0.0:
        return own / peers
    return 1.0 if own == 0.0 else float("inf")
