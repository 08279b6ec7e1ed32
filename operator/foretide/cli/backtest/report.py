"""What came of a backtest: a table, a document for scripts, and a page with charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jinja2
from rich.console import Group, RenderableType
from rich.text import Text

from foretide.api.durations import format_seconds
from foretide.cli.backtest.case import Case, Load
from foretide.cli.backtest.charts import COLOURS, Line, chart, thinned
from foretide.cli.backtest.replay import PART_SECONDS, WARM_UP_SECONDS, Result
from foretide.cli.output import Column, table
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.state import BIN_SECONDS

TITLES: Final = ("POLICY", "LATE", "BUDGET USED", "REPLICA-HOURS", "COST", "SCALE EVENTS", "MOST REPLICAS")


@dataclass(frozen=True, slots=True)
class How:
    """How it was replayed."""

    fidelity: Fidelity
    whole: bool


def terminal(case: Case, load: Load, results: Sequence[Result], how: How, *, width: int) -> RenderableType:
    """The comparison, and what it rests on."""
    columns = [Column(title, (0, 0, 1, 2, 0, 4, 3)[at], right=at > 0) for at, title in enumerate(TITLES)]
    made, _ = table(columns, [[one.candidate.label, *cells(one)] for one in results], width=width)
    notes = [f"{_when(load)}; load: {load.source}", f"{_promise(case)}; {_law(case)}; {_cold(case)}; {_bounds(case)}"]
    if unknown := _unknown(load):
        notes.append(f"{unknown} of the load was not known and is filled")
    return Group(made, Text(""), *(Text(note, style="dim") for note in [*notes, _how(how)]))


def cells(one: Result) -> list[str]:
    """The numbers of a result."""
    cost = "no price" if one.cost is None else f"{one.cost:,.2f} {one.case.currency}"
    return [
        f"{100.0 * one.late_share:.3f}%",
        f"{100.0 * one.budget_used:.0f}%",
        f"{one.replica_hours:,.1f}",
        cost,
        str(one.scale_events),
        str(int(one.desired.max(initial=0))),
    ]


def document(case: Case, load: Load, results: Sequence[Result], how: How) -> dict[str, Any]:
    """For scripts."""
    return {
        "service": case.name,
        "load": {
            "source": load.source,
            "start": datetime.fromtimestamp(_start(load), UTC).isoformat(),
            "seconds": load.judged_seconds,
            "filledShare": round(load.unknown_share, 6),
        },
        "slo": {"latencySeconds": case.slo_seconds, "objective": case.objective},
        "batchTime": {
            "perItemSeconds": case.law.per_item_seconds,
            "fixedSeconds": case.law.fixed_seconds,
            "maxBatchSize": case.law.max_batch,
            "from": case.law_from,
        },
        "coldStart": {"meanSeconds": case.cold_start.mean_seconds, "from": case.cold_start_from},
        "replicas": {"min": case.minimum, "max": case.maximum},
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
                "cost": one.cost,
                "currency": case.currency or None,
                "scaleEvents": one.scale_events,
            }
            for one in results
        ],
    }


def page(case: Case, load: Load, results: Sequence[Result], how: How) -> str:
    """One HTML file that needs nothing else."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("foretide.cli"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    colours = [COLOURS[at % len(COLOURS)] for at in range(len(results))]
    span = {"start_seconds": _start(load), "seconds": len(results[0].arrivals) * BIN_SECONDS}
    arrivals = thinned(results[0].arrivals / BIN_SECONDS, largest=True)
    named = list(zip(results, colours, strict=True))
    charts = (
        chart("Load, items a second", [Line("load", "#444444", arrivals)], **span),
        chart(
            "Replicas that are ready",
            [Line(one.candidate.label, colour, thinned(one.ready, largest=True)) for one, colour in named],
            **span,
        ),
        chart(
            "Items that were late",
            [Line(one.candidate.label, colour, thinned(one.late, largest=False)) for one, colour in named],
            **span,
        ),
    )
    return environment.get_template("backtest.html.j2").render(
        case=case,
        load=load,
        when=_when(load),
        unknown=_unknown(load),
        titles=[title.capitalize() for title in TITLES],
        rows=[
            {"label": one.candidate.label, "colour": colour, "cells": cells(one), "over": one.budget_used > 1.0}
            for one, colour in named
        ],
        charts=charts,
        facts=(_promise(case), _law(case), _cold(case), _bounds(case)),
        how=_how(how),
    )


def _start(load: Load) -> float:
    return load.start_seconds + load.judged_from * load.step_seconds


def _when(load: Load) -> str:
    begin, end = (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
        for at in (_start(load), _start(load) + load.judged_seconds)
    )
    return f"{load.judged_seconds / 86_400.0:.3g} days, {begin} to {end} UTC"


def _unknown(load: Load) -> str:
    return f"{100.0 * load.unknown_share:.2g} %" if load.unknown_share > 0.0 else ""


def _promise(case: Case) -> str:
    return f"SLO {100.0 * case.objective:g} % within {format_seconds(case.slo_seconds)}"


def _law(case: Case) -> str:
    law = case.law
    fixed, each = format_seconds(law.fixed_seconds), format_seconds(law.per_item_seconds)
    return f"a batch takes {fixed} + {each} per item, up to {law.max_batch} ({case.law_from})"


def _cold(case: Case) -> str:
    return (
        f"cold start {format_seconds(float(f'{case.cold_start.mean_seconds:.3g}'))} on average ({case.cold_start_from})"
    )


def _bounds(case: Case) -> str:
    return f"{case.minimum} to {case.maximum} replicas"


def _how(how: How) -> str:
    engine = "steps of a second" if how.fidelity is Fidelity.FLUID else "request by request"
    if how.whole:
        return f"Simulated {engine}, as one run."
    return (
        f"Simulated {engine}, in parts of {PART_SECONDS / 3_600.0:g} h (a day for policies that know the clock) that "
        f"each begin with the load before them and {WARM_UP_SECONDS / 60.0:g} min that do not count; where results "
        "are close to each other, --whole makes one run of it."
    )
