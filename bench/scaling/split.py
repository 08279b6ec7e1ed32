"""Which series choose knobs and which judge: `series.toml`, and the loads that are made of them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Final

from foretide.simulate.command.refused import Refused
from foretide.simulate.command.results import HOUR_SECONDS
from foretide.simulate.traces import Trace, read_traces
from foretide.simulate.workload import JUDGED_FROM_SHARE, WEEK_SECONDS, Service, Window, Workload, workloads

TRACES: Final = Path(__file__).resolve().parents[1] / "traces"
MINUTE_SECONDS: Final = 60.0
DAY_SECONDS: Final = 24 * HOUR_SECONDS
MORNING_SECONDS: Final = 7 * HOUR_SECONDS
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
        begin = _begin(self.trace.seconds, judged_seconds)
        window = Window(begin, min(begin + judged_seconds, self.trace.seconds))
        return workloads(self.trace, service, rate_at_slo_rps=rate_at_slo_rps, seeds=seeds, window=window)


def read_split(file: Path = FILE, traces: Path = TRACES) -> tuple[Series, ...]:
    """All series of the file, in its order."""
    by_name = {trace.name: trace for trace in read_traces(traces)}
    entries = tomllib.loads(file.read_text())["series"]
    for entry in entries:
        if entry["trace"] not in by_name:
            there = ", ".join(by_name)
            raise Refused("--traces", str(traces), f"has no trace {entry['trace']!r}", f"there are {there}")
    return tuple(
        Series(by_name[entry["trace"]].select(entry["series"]), Split(entry["split"]), entry["reason"])
        for entry in entries
    )


def _begin(trace_seconds: float, judged_seconds: float) -> float:
    """Seven in the morning of the third day of a week, the first one after the past; of any day, where the series is
    too short for that; and the first whole minute, where it is too short for that, too.

    Traces are taken to begin at midnight on a Monday. Series that begin at one time of the week can run together.
    """
    first = JUDGED_FROM_SHARE * trace_seconds
    for period, offset in ((WEEK_SECONDS, 2 * DAY_SECONDS + MORNING_SECONDS), (DAY_SECONDS, MORNING_SECONDS)):
        begin = offset + period * ceil((first - offset) / period)
        if begin + judged_seconds <= trace_seconds:
            return begin
    return MINUTE_SECONDS * ceil(first / MINUTE_SECONDS)
