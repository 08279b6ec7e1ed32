"""Which series choose knobs and which judge: `series.toml`, and the loads that are made of them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Final

from foretide.simulate.traces import Trace, read_traces
from foretide.simulate.workload import JUDGED_FROM_SHARE, Service, Window, Workload, workloads

TRACES: Final = Path(__file__).resolve().parents[1] / "traces"
FILE: Final = Path(__file__).with_name("series.toml")


class Split(StrEnum):
    """What a series is for."""

    CHOOSE = "choose"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a trace."""

    trace: Trace  # with this series alone
    split: Split
    reason: str

    @property
    def name(self) -> str:
        return f"{self.trace.name}/{self.trace.series[0]}"

    def loads(
        self, service: Service, *, rate_at_slo_rps: float, seeds: Sequence[int], judged_seconds: float
    ) -> tuple[Workload, ...]:
        """What is judged of it, once with each seed."""
        # A whole minute, so that all series are of one length and can run together.
        begin = 60.0 * ceil(JUDGED_FROM_SHARE * self.trace.seconds / 60.0)
        window = Window(begin, min(begin + judged_seconds, self.trace.seconds))
        return workloads(self.trace, service, rate_at_slo_rps=rate_at_slo_rps, seeds=seeds, window=window)


def read_split(file: Path = FILE, traces: Path = TRACES) -> tuple[Series, ...]:
    """All series of the file, in its order."""
    by_name = {trace.name: trace for trace in read_traces(traces)}
    entries = tomllib.loads(file.read_text())["series"]
    return tuple(
        Series(by_name[entry["trace"]].select(entry["series"]), Split(entry["split"]), entry["reason"])
        for entry in entries
    )
