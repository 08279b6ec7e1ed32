"""What Faro's own simulator gave: `published.csv`, a line for each run; the README beside it tells its origin."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "published.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One run."""

    policy: str
    quota: int
    seed: int
    percent_by_minute: float
    percent_by_request: float
    refused: int
    replicas: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A number of several runs."""

    mean: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        every = list(values)
        return cls(sum(every) / len(every), min(every), max(every))


def published(policy: str, quota: int) -> list[Published]:
    """All runs of that policy under that quota."""
    with FILE.open(newline="") as lines:
        runs = [
            Published(
                policy=line["policy"],
                quota=int(line["quota"]),
                seed=int(line["seed"]),
                percent_by_minute=float(line["percent_by_minute"]),
                percent_by_request=float(line["percent_by_request"]),
                refused=int(line["refused"]),
                replicas=float(line["replicas"]),
            )
            for line in csv.DictReader(lines)
        ]
    return [run for run in runs if (run.policy, run.quota) == (policy, quota)]
