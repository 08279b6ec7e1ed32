"""The table of `compare`: one row per series, policy and what else differs, the mean of the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final, TypeAlias

from foretide.api.durations import format_seconds
from foretide.simulate.command.refused import Refused
from foretide.simulate.command.results import HOUR_SECONDS, Run

# What a run was made with; the first ones are always shown, the others where they differ.
HOURS: Final = "judged hours"
MADE_WITH: Final = (
    "queue",
    "promise",
    "size",
    "cold start",
    "cold start 5-50-95 %",
    "cv",
    "batch time",
    HOURS,
    "fidelity",
    "routing",
    "warm",
    "provisioning 5-50-95 %",
    "outages",
    "lost scrapes",
    "crashes/h",
)
ALWAYS: Final = 4
COUNTED: Final = ("seeds", "requests", "outside SLO", "replica-hours", "x optimum", "scale events")
MEAN: Final = "(mean)"
# Of cold starts and of provisioning: two shapes may differ where no column shows it.
Shapes: TypeAlias = tuple[tuple[float, ...], ...]
Key: TypeAlias = tuple[str, str, tuple[str, ...], Shapes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Runs that differ only in their seeds."""

    series: str
    policy: str
    made_with: tuple[str, ...]  # in the order of `MADE_WITH`
    shapes: Shapes
    seeds: int
    requests: float
    violation_share: float
    replica_hours: float
    times_optimum: float
    scale_events: float

    @property
    def counted(self) -> tuple[str, ...]:
        return (
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
        seeds = groups.setdefault((run["series"], policy_text(run), _made_with(run), _shapes(run)), {})
        if run["seed"] in seeds:
            what = f"{run['policy']} on {run['series']} with seed {run['seed']}"
            raise Refused("results", what, "is there twice", "name each result once")
        seeds[run["seed"]] = run
    found = [_row(key, list(groups[key].values())) for key in sorted(groups)]
    return found + _means(found)


def table(found: Sequence[Row]) -> str:
    """Text in columns."""
    shown = [
        place
        for place in range(len(MADE_WITH))
        if place < ALWAYS or len({row.made_with[place] for row in found if row.series != MEAN}) > 1
    ]
    lines = [("series", "policy", *(MADE_WITH[place] for place in shown), *COUNTED)]
    lines += [(row.series, row.policy, *(row.made_with[place] for place in shown), *row.counted) for row in found]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    numbers_from = 2 + len(shown)
    return "".join(
        "  ".join(
            cell.rjust(width) if column >= numbers_from else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )


def policy_text(run: Run) -> str:
    """The policy with its knobs."""
    return " ".join([run["policy"], *(f"{name}={value:g}" for name, value in run["knob"].items())])


def _made_with(run: Run) -> tuple[str, ...]:
    law, timeline, nodes, disturbances = run["law"], run["timeline"], run["nodes"], run["disturbances"]
    cold_starts, provisioning = _shapes(run)
    begin = timeline["start_seconds"]
    end = begin + timeline["step_seconds"] * len(timeline["arrivals"])
    return (
        run["queue"],
        f"{100.0 * run['objective']:g} % in {format_seconds(run['slo_seconds'])}",
        str(run["size"]),
        format_seconds(run["cold_start_seconds"]),
        _shape_text(cold_starts),
        f"{run['arrival_cv']:g}",
        f"{law['per_item_seconds'] * 1e3:g}ms,{law['fixed_seconds'] * 1e3:g}ms,{law['max_batch']} x{law['instances']}",
        f"{begin / HOUR_SECONDS:.4g}-{end / HOUR_SECONDS:.4g}",
        run["fidelity"],
        run["routing"],
        "always" if nodes["warm_pods"] is None else f"{nodes['warm_pods']:g}",
        _shape_text(provisioning),
        " ".join(_outage_text(outage) for outage in disturbances["outages"]) or "none",
        f"{100.0 * disturbances['lost_scrapes']:g} %",
        f"{disturbances['crashes_per_hour']:g}",
    )


def _shapes(run: Run) -> Shapes:
    return tuple(run["cold_start_quantiles_seconds"]), tuple(run["nodes"]["provisioning_quantiles_seconds"])


def _shape_text(quantiles_seconds: Sequence[float]) -> str:
    return "-".join(f"{quantiles_seconds[percent]:.4g}" for percent in (5, 50, 95)) + " s"


def _outage_text(outage: dict[str, float]) -> str:
    begin, end = outage["start_seconds"], outage["end_seconds"]
    return f"{format_seconds(begin)},{format_seconds(end - begin)}"


def _row(key: Key, seeds: Sequence[Run]) -> Row:
    series, policy, made_with, shapes = key
    requests, optimum = sum(run["requests"] for run in seeds), sum(run["optimum_replica_hours"] for run in seeds)
    return Row(
        series=series,
        policy=policy,
        made_with=made_with,
        shapes=shapes,
        seeds=len(seeds),
        requests=requests / len(seeds),
        violation_share=sum(run["violations"] for run in seeds) / requests if requests else 0.0,
        replica_hours=fmean(run["replica_hours"] for run in seeds),
        times_optimum=sum(run["replica_hours"] for run in seeds) / optimum,
        scale_events=fmean(run["scale_events"] for run in seeds),
    )


def _means(found: Sequence[Row]) -> list[Row]:
    groups: dict[tuple[str, tuple[str, ...], Shapes], list[Row]] = {}
    for row in found:
        # Traces of different lengths have different hours.
        alike = tuple("" if name == HOURS else value for name, value in zip(MADE_WITH, row.made_with, strict=True))
        groups.setdefault((row.policy, alike, row.shapes), []).append(row)
    return [
        replace(
            group[0],
            series=MEAN,
            made_with=made_with,
            seeds=min(row.seeds for row in group),
            requests=fmean(row.requests for row in group),
            violation_share=fmean(row.violation_share for row in group),
            replica_hours=fmean(row.replica_hours for row in group),
            times_optimum=fmean(row.times_optimum for row in group),
            scale_events=fmean(row.scale_events for row in group),
        )
        for (_, made_with, _), group in groups.items()
        if len({row.series for row in group}) > 1
    ]
