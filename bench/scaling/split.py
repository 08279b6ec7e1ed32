"""Which series choose knobs and which judge: `series.toml`, and the loads that are made of them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor
from pathlib import Path
from typing import Final

from foretide.simulate.command.refused import Refused
from foretide.simulate.command.results import HOUR_SECONDS
from foretide.simulate.traces import Trace, read_traces
from foretide.simulate.workload import JUDGED_FROM_SHARE, WEEK_SECONDS, Service, Window, Workload, workloads

TRACES: Final = Path(__file__).resolve().parents[1] / "traces"
MINUTE_SECONDS: Final = 60.0
# When each window begins on the clock of the policies, since midnight on a Monday: Wednesday at seven. Each series so
# to say has a time zone of its own, shifted by whole hours, and all can run together.
MORNING_SECONDS: Final = (2 * 24 + 7) * HOUR_SECONDS
PEAK_AT_SHARE: Final = 0.6  # of the window
SERIES: Final = Path(__file__).with_name("series.toml")


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
        begin = _begin(self.trace, judged_seconds)
        return workloads(
            self.trace,
            service,
            rate_at_slo_rps=rate_at_slo_rps,
            seeds=seeds,
            window=Window(begin, min(begin + judged_seconds, self.trace.seconds)),
            begins_at_seconds=(MORNING_SECONDS - begin) % WEEK_SECONDS,
        )


def read_split(file: Path = SERIES, traces: Path = TRACES) -> tuple[Series, ...]:
    """All series of the file, in its order; raises Refused where it is none, or names what the traces do not have."""
    by_name = {trace.name: trace for trace in read_traces(traces)}
    try:
        entries = tomllib.loads(file.read_text())["series"]
        given = [(entry["trace"], entry["series"], Split(entry["split"]), entry["reason"]) for entry in entries]
    except (OSError, ValueError, LookupError, TypeError) as error:
        fix = f"see {SERIES.name} for an example"
        raise Refused(
            "--series", str(file), f"must list series with trace, split and reason ({error!r})", fix
        ) from None
    for trace, series, _, _ in given:
        if trace not in by_name:
            raise Refused("--traces", str(traces), f"has no trace {trace!r}", f"there are {', '.join(by_name)}")
        if series not in by_name[trace].series:
            there = ", ".join(by_name[trace].series)
            raise Refused("--traces", str(traces), f"has no series {series!r} in {trace}", f"there are {there}")
    if {split for _, _, split, _ in given} != set(Split):
        raise Refused("--series", str(file), "must have series that choose and series that judge", "give both a few")
    return tuple(Series(by_name[trace].select(series), split, reason) for trace, series, split, reason in given)


def _begin(trace: Trace, judged_seconds: float) -> float:
    """A whole hour, so that the largest minute after the past lies where three fifths of the window are over: the way
    up to it and a part of the way down. The first whole minute after the past, where the trace is too short for that.
    """
    first = JUDGED_FROM_SHARE * trace.seconds
    hours = range(ceil(first / HOUR_SECONDS), floor((trace.seconds - judged_seconds) / HOUR_SECONDS) + 1)
    if not hours:
        return MINUTE_SECONDS * ceil(first / MINUTE_SECONDS)
    steps = max(round(MINUTE_SECONDS / trace.step_seconds), 1)
    minutes = trace.rates_rps[0, : trace.steps // steps * steps].reshape(-1, steps).mean(axis=1)
    after = ceil(first / (steps * trace.step_seconds))
    peak_seconds = (after + int(minutes[after:].argmax()) + 0.5) * steps * trace.step_seconds
    wanted = floor((peak_seconds - PEAK_AT_SHARE * judged_seconds) / HOUR_SECONDS)
    return HOUR_SECONDS * min(max(wanted, hours[0]), hours[-1])
