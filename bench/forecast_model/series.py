"""The series that train: of all the traces those that do not judge, and which of them are held out by `--check`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.scaling.split import SERIES, TRACES, Split
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.history import SLOT_SECONDS
from foretide.simulate.command.refused import Refused
from foretide.simulate.traces import Trace, read_traces

# A series with requests in fewer of its steps has nothing to teach: nearly all of it is 0, now and later.
LEAST_BUSY_SHARE: Final = 0.001
# Twenty minutes that are known, and as many that come.
SHORTEST_SECONDS: Final = 3_600.0


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series that trains."""

    name: str  # trace/series
    held_out: bool  # by `--check`: it chooses knobs in bench.scaling
    rates: Floats  # of each quarter minute, in units of its highest rate (but for one step in a thousand)


def read_series(file: Path = SERIES, traces: Path = TRACES) -> tuple[Series, ...]:
    """Those that do not judge, in the order of files and columns.

    Raises Refused where `file` is no such list, or names what the traces do not have: a judge with a wrong name would
    train. Raises TraceError for broken traces.
    """
    split = _split(file)
    found, named = [], set(split)
    for trace in read_traces(traces):
        for place, series in enumerate(trace.series):
            name = f"{trace.name}/{series}"
            named.discard(name)
            idle = np.mean(trace.counts[place] > 0.0) <= LEAST_BUSY_SHARE
            if split.get(name) is Split.JUDGE or idle or trace.seconds < SHORTEST_SECONDS:
                continue
            found.append(Series(name, split.get(name) is Split.CHOOSE, quarters(trace.select(series).scaled_to(1.0))))
    if named:
        raise Refused("--series", str(file), f"names {', '.join(sorted(named))}, which no trace has", "mend the names")
    if not found:
        raise Refused("--traces", str(traces), "has no series that trains: all judge, are idle or short", "add some")
    return tuple(found)


def _split(file: Path) -> dict[str, Split]:
    try:
        entries = tomllib.loads(file.read_text())["series"]
        return {f"{entry['trace']}/{entry['series']}": Split(entry["split"]) for entry in entries}
    except (OSError, ValueError, LookupError, TypeError) as error:
        rule, fix = f"must list series with trace, series and split ({error!r})", f"see {SERIES.name} for an example"
        raise Refused("--series", str(file), rule, fix) from None


def quarters(trace: Trace) -> Floats:
    """The mean rate of each whole quarter minute of its one series; a step that spans several is even in itself."""
    edges = SLOT_SECONDS * np.arange(int(trace.seconds / SLOT_SECONDS + 1e-9) + 1)
    steps = trace.step_seconds * np.arange(trace.steps + 1)
    came = np.interp(edges, steps, np.concatenate([[0.0], np.cumsum(trace.counts[0])]))
    rates: Floats = np.maximum(np.diff(came), 0.0) / SLOT_SECONDS
    return rates
