"""The table of `compare`: one row per series, policy, queue and cold start, the mean of the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final, TypeAlias

from foretide.api.durations import format_seconds
from foretide.simulate.command.refused import Refused
from foretide.simulate.command.results import Run

HEADER: Final = (
    "series",
    "policy",
    "queue",
    "promise",
    "size",
    "cold start",
    "seeds",
    "requests",
    "outside SLO",
    "replica-hours",
    "x optimum",
    "scale events",
)
NUMBERS_FROM: Final = 4
MEAN: Final = "(mean)"
Key: TypeAlias = tuple[str, str, str, float, float, float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Runs that differ only in their seeds."""

    series: str
    policy: str
    queue: str
    promise: str
    size: int
    cold_start_seconds: float
    seeds: int
    requests: float
    violation_share: float
    replica_hours: float
    times_optimum: float
    scale_events: float

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.series,
            self.policy,
            self.queue,
            self.promise,
            str(self.size),
            f"{self.cold_start_seconds:.3g} s",
            str(self.seeds),
            f"{self.requests:,.0f}",
            f"{100.0 * self.violation_share:.3f} %",
            f"{self.replica_hours:,.2f}",
            f"{self.times_optimum:.3f}",
            f"{self.scale_events:,.0f}",
        )


def rows(runs: Iterable[Run]) -> list[Row]:
    """By series, then policy; and for each policy with several series their mean, in which all count alike."""
    groups: dict[Key, dict[int, Run]] = {}
    for run in runs:
        seeds = groups.setdefault(_key(run), {})
        if run["seed"] in seeds:
            what = f"{run['policy']} on {run['series']} with seed {run['seed']}"
            raise Refused("results", what, "is there twice", "name each result once")
        seeds[run["seed"]] = run
    found = [_row(list(groups[key].values())) for key in sorted(groups)]
    return found + _means(found)


def table(found: Sequence[Row]) -> str:
    """Text in columns."""
    lines = [HEADER, *(row.cells for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return "".join(
        "  ".join(
            cell.rjust(width) if column >= NUMBERS_FROM else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )


def _key(run: Run) -> Key:
    return (
        run["series"],
        policy_text(run),
        run["queue"],
        run["cold_start_seconds"],
        run["slo_seconds"],
        run["objective"],
        run["size"],
    )


def policy_text(run: Run) -> str:
    """The policy with its knobs."""
    return " ".join([run["policy"], *(f"{name}={value:g}" for name, value in run["knob"].items())])


def _row(seeds: Sequence[Run]) -> Row:
    first = seeds[0]
    requests, optimum = sum(run["requests"] for run in seeds), sum(run["optimum_replica_hours"] for run in seeds)
    return Row(
        series=first["series"],
        policy=policy_text(first),
        queue=first["queue"],
        promise=f"{100.0 * first['objective']:g} % in {format_seconds(first['slo_seconds'])}",
        size=first["size"],
        cold_start_seconds=first["cold_start_seconds"],
        seeds=len(seeds),
        requests=requests / len(seeds),
        violation_share=sum(run["violations"] for run in seeds) / requests if requests else 0.0,
        replica_hours=fmean(run["replica_hours"] for run in seeds),
        times_optimum=sum(run["replica_hours"] for run in seeds) / optimum,
        scale_events=fmean(run["scale_events"] for run in seeds),
    )


def _means(found: Sequence[Row]) -> list[Row]:
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in found:
        key = (row.policy, row.queue, row.promise, row.size, row.cold_start_seconds)
        groups.setdefault(key, []).append(row)
    return [
        replace(
            group[0],
            series=MEAN,
            seeds=min(row.seeds for row in group),
            requests=fmean(row.requests for row in group),
            violation_share=fmean(row.violation_share for row in group),
            replica_hours=fmean(row.replica_hours for row in group),
            times_optimum=fmean(row.times_optimum for row in group),
            scale_events=fmean(row.scale_events for row in group),
        )
        for group in groups.values()
        if len({row.series for row in group}) > 1
    ]
