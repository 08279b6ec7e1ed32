"""What came of a backtest: tables, and a document for scripts. The page with charts is `page`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from foretide.api.durations import format_seconds
from foretide.cli.backtest.case import Case, Load, OnClass, Subject
from foretide.cli.backtest.replay import PART_SECONDS, WARM_UP_SECONDS
from foretide.cli.backtest.results import Result, Total, totals
from foretide.cli.output import Column, table
from foretide.simulate.fidelity import Fidelity

# How easily each is done without where the terminal is narrow.
TITLES: Final = {
    "POLICY": 0,
    "LATE": 0,
    "BUDGET USED": 1,
    "REPLICA-HOURS": 2,
    "COST": 0,
    "SCALE EVENTS": 4,
    "MOST REPLICAS": 3,
}
SUMMARY_TITLES: Final = {
    "POLICY": 0,
    "OVER BUDGET": 0,
    "LATE": 0,
    "BUDGET USED": 1,
    "REPLICA-HOURS": 2,
    "COST": 0,
    "SCALE EVENTS": 3,
}


@dataclass(frozen=True, slots=True)
class How:
    """How it was replayed."""

    fidelity: Fidelity
    whole: bool


def terminal(
    subjects: Sequence[Subject],
    results: Sequence[Sequence[Result]],
    how: How,
    passed_over: Sequence[str],
    *,
    width: int,
) -> RenderableType:
    """The comparison, and what it rests on."""
    if len(subjects) == 1:
        made = _table(TITLES, [[one.candidate.label, *cells(one)] for one in results[0]], width)
        notes = [f"{when(subjects[0].load)}; load: {subjects[0].load.source}", "; ".join(facts(subjects[0].case))]
        notes += warnings(subjects[0], results[0])
        return Group(made, Text(""), *_dim([*notes, *passed_over, how_replayed(how)]))
    rows = [
        [subject.case.name if place == 0 else "", one.candidate.label, *cells(one)]
        for subject, each in zip(subjects, results, strict=True)
        for place, one in enumerate(each)
    ]
    notes = [
        f"{subject.case.name}: {note}"
        for subject, each in zip(subjects, results, strict=True)
        for note in warnings(subject, each)
    ]
    return Group(
        _table({"SERVICE": 0, **TITLES}, rows, width),
        Text(""),
        Text(f"all {len(subjects)} services", style="bold"),
        _table(SUMMARY_TITLES, [[one.candidate.label, *summary_cells(one)] for one in totals(results)], width),
        Text(""),
        *_dim([when(subjects[0].load), *notes, *passed_over, how_replayed(how)]),
    )


def _table(titles: Mapping[str, int], rows: Sequence[Sequence[str]], width: int) -> RenderableType:
    left = ("SERVICE", "POLICY")
    columns = [Column(title, rank, right=title not in left) for title, rank in titles.items()]
    made, _ = table(columns, [list(row) for row in rows], width=width)
    return made


def _dim(notes: Sequence[str]) -> Iterator[Text]:
    return (Text(note, style="dim") for note in notes)


def cells(one: Result) -> list[str]:
    """The numbers of a result."""
    return [
        f"{100.0 * one.late_share:.3f}%",
        f"{100.0 * one.budget_used:.0f}%",
        f"{one.replica_hours:,.1f}",
        _cost(one.costs),
        f"{one.scale_events:,}",
        str(one.most_replicas),
    ]


def summary_cells(one: Total) -> list[str]:
    """The same of all services, and how many of them used more than their error budget."""
    return [
        f"{one.over_budget} of {one.services}",
        f"{100.0 * one.late_share:.3f}%",
        f"{100.0 * one.budget_used:.0f}%",
        f"{one.replica_hours:,.1f}",
        _cost(one.costs),
        f"{one.scale_events:,}",
    ]


def _cost(costs: Mapping[str, float] | None) -> str:
    return " + ".join(f"{cost:,.2f} {currency}" for currency, cost in costs.items()) if costs else "no price"


def document(
    subjects: Sequence[Subject], results: Sequence[Sequence[Result]], how: How, passed_over: Sequence[str]
) -> dict[str, Any]:
    """For scripts: of one service, or of each and of all."""
    each = [_of_one(subject, one, how) for subject, one in zip(subjects, results, strict=True)]
    if len(each) == 1 and not passed_over:
        return each[0]
    return {
        "services": each,
        "passedOver": list(passed_over),
        "totals": [
            {
                "policy": one.candidate.label,
                "services": one.services,
                "overBudget": one.over_budget,
                "items": one.requests,
                "late": one.violations,
                "lateShare": one.late_share,
                "budgetUsed": one.budget_used,
                "replicaHours": one.replica_hours,
                "costs": _rounded(one.costs),
                "scaleEvents": one.scale_events,
            }
            for one in totals(results)
        ],
    }


def _of_one(subject: Subject, results: Sequence[Result], how: How) -> dict[str, Any]:
    case, load = subject.case, subject.load
    return {
        "service": case.name,
        "load": {
            "source": load.source,
            "start": datetime.fromtimestamp(start(load), UTC).isoformat(),
            "seconds": load.judged_seconds,
            "filledShare": round(load.unknown_share, 6),
        },
        "slo": {"latencySeconds": case.slo_seconds, "objective": case.objective},
        "replicas": {"min": case.minimum, "max": case.maximum},
        "classes": [
            {
                "name": one.name or None,
                "batchTime": {
                    "perItemSeconds": one.law.per_item_seconds,
                    "fixedSeconds": one.law.fixed_seconds,
                    "maxBatchSize": one.law.max_batch,
                    "from": one.law_from,
                },
                "coldStart": {"meanSeconds": one.cold_start.mean_seconds, "from": one.cold_start_from},
                "quota": one.quota,
            }
            for one in case.classes
        ],
        "notes": list(case.notes),
        "fidelity": str(how.fidelity),
        "whole": how.whole,
        "results": [
            {
                "policy": one.candidate.label,
                "items": one.requests,
                "late": one.violations,
                "lateShare": one.late_share,
                "budgetUsed": one.budget_used,
                "replicaHours": one.replica_hours,
                "replicaHoursByClass": {name: hours for name, hours in one.hours.items() if name},
                "costs": _rounded(one.costs),
                "scaleEvents": one.scale_events,
                "mostReplicas": one.most_replicas,
            }
            for one in results
        ],
    }


def _rounded(costs: Mapping[str, float] | None) -> dict[str, float] | None:
    return {currency: round(cost, 6) for currency, cost in costs.items()} if costs else None


def start(load: Load) -> float:
    """Unix time at which what is judged begins."""
    return load.start_seconds + load.judged_from * load.step_seconds


def when(load: Load) -> str:
    """How long, and from when to when."""
    begin, end = (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
        for at in (start(load), start(load) + load.judged_seconds)
    )
    return f"{load.judged_seconds / 86_400.0:.3g} days, {begin} to {end} UTC"


def facts(case: Case) -> tuple[str, ...]:
    """What the simulation rests on."""
    several = len(case.classes) > 1
    return (
        f"SLO {100.0 * case.objective:g} % within {format_seconds(case.slo_seconds)}",
        *(fact for one in case.classes for fact in _on_class(one, several=several)),
        f"{case.minimum} to {case.maximum} replicas",
    )


def _on_class(one: OnClass, *, several: bool) -> Iterator[str]:
    law, of = one.law, f"{one.name}: " if several else ""
    fixed, each = format_seconds(law.fixed_seconds), format_seconds(law.per_item_seconds)
    yield f"{of}a batch takes {fixed} + {each} per item, up to {law.max_batch} ({one.law_from})"
    mean = format_seconds(float(f"{one.cold_start.mean_seconds:.3g}"))
    yield f"{of}cold start {mean} on average ({one.cold_start_from})"
    if one.quota is not None:
        yield f"{of}at most {one.quota} by its quota"


def warnings(subject: Subject, results: Sequence[Result]) -> list[str]:
    """What a reader should know before believing it."""
    case, load = subject.case, subject.load
    found = list(case.notes)
    if load.unknown_share > 0.0:
        found.append(f"{100.0 * load.unknown_share:.2g} % of the load was not known and is filled")
    if not any(one.is_feasible(case.slo_seconds) for one in case.classes):
        found.append("not even a single item is within the SLO on any hardware class")
    alone = [one.candidate.label for one in results if len(one.hours) < len(case.classes)]
    if alone:
        found.append(f"{', '.join(alone)} knows of one hardware class and runs on {case.usual.name}")
    return found


def how_replayed(how: How) -> str:
    """How exact it is."""
    engine = "steps of a second" if how.fidelity is Fidelity.FLUID else "request by request"
    if how.whole:
        return f"Simulated {engine}, as one run."
    return (
        f"Simulated {engine}, in parts of {PART_SECONDS / 3_600.0:g} h (a day for policies that know the clock) that "
        f"each begin with the load before them and {WARM_UP_SECONDS / 60.0:g} min that do not count; where results "
        "are close to each other, --whole makes one run of it."
    )
