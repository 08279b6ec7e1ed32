"""What trains: series of the traces that do not judge, pieces of others, and synthetic loads."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from bench.faro_table.inputs import load as judged_day
from bench.faro_table.inputs import training_days
from bench.forecast_model import synthetic
from bench.scaling.split import SERIES, TRACES, Split
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.history import SLOT_SECONDS
from foretide.simulate.command.refused import Refused
from foretide.simulate.traces import Trace, read_traces

# A series with requests in fewer of its steps has nothing to teach: nearly all of it is 0, now and later.
LEAST_BUSY_SHARE: Final = 0.001
# Twenty minutes that are known, and as many that come.
SHORTEST_SECONDS: Final = 3_600.0


# Of six hours of one of Faro's jobs, and of a kind of synthetic loads, in rows of a series.
PIECE_WEIGHT: Final = 0.1
SYNTHETIC_WEIGHT: Final = 1.5


class Source(Protocol):
    """Where samples come from."""

    @property
    def name(self) -> str:
        """Of the source, unique."""
        ...

    @property
    def held_out(self) -> bool:
        """By `--check`: it chooses knobs in bench.scaling."""
        ...

    @property
    def weight(self) -> float:
        """How many samples are drawn of it, in units of those of a series."""
        ...

    @property
    def load_rows(self) -> int:
        """Samples of one load."""
        ...

    @property
    def slots(self) -> int:
        """Quarter minutes of a load."""
        ...

    @property
    def seen_slots(self) -> int:
        """So many had passed before its first sample, and all samples know all of them; 0: samples of all ages."""
        ...

    def load(self, random: np.random.Generator) -> Floats:
        """The rate of each quarter minute, in units of its highest rate (but for one step in a thousand)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series of a trace, or a piece of one: its load is always the same."""

    name: str  # trace/series
    held_out: bool
    rates: Floats
    weight: float = 1.0
    load_rows: int = 500
    seen_slots: int = 0

    @property
    def slots(self) -> int:
        return len(self.rates)

    def load(self, random: np.random.Generator) -> Floats:
        return self.rates


@dataclass(frozen=True, slots=True)
class Synthetic:
    """One kind of synthetic loads: each load is another one."""

    kind: str
    held_out: bool = False
    weight: float = SYNTHETIC_WEIGHT
    load_rows: int = 250
    slots: int = synthetic.SLOTS
    seen_slots: int = 0

    @property
    def name(self) -> str:
        return f"made/{self.kind}"

    def load(self, random: np.random.Generator) -> Floats:
        return synthetic.synthetic(self.kind, random)


def read_sources(file: Path = SERIES, traces: Path = TRACES) -> tuple[Source, ...]:
    """All that trains: the series, then the pieces, then the synthetic loads. Raises as `read_series`."""
    return (*read_series(file, traces), *pieces(), *(Synthetic(kind) for kind in synthetic.KINDS))


def pieces() -> tuple[Series, ...]:
    """The days that Faro's own forecaster was trained on (bench/faro_table): each has six hours and nothing before."""
    days, length = training_days(), round(judged_day().seconds / SLOT_SECONDS)
    return tuple(
        Series(f"faro/{job}, day {day + 1}", held_out=False, rates=_scaled(rates), weight=PIECE_WEIGHT)
        for job in days.series
        for day, rates in enumerate(quarters(days.select(job)).reshape(-1, length))
        if rates.any()
    )


def _scaled(rates: Floats) -> Floats:
    highest = np.quantile(rates, 0.999)
    return rates / (highest if highest > 0.0 else rates.max())


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
