"""The report as one HTML file that needs nothing else, with charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import jinja2
import numpy as np

from foretide.cli.backtest import report
from foretide.cli.backtest.case import Subject
from foretide.cli.backtest.charts import COLOURS, Chart, Line, chart, thinned
from foretide.cli.backtest.report import SUMMARY_TITLES, TITLES, How
from foretide.cli.backtest.results import Result, totals
from foretide.simulate.state import BIN_SECONDS

# Charts are of the services that used most of their error budget: a hundred of them would be a file of 20 MB.
MOST_CHARTED: Final = 12


def page(subjects: Sequence[Subject], results: Sequence[Sequence[Result]], how: How, passed_over: Sequence[str]) -> str:
    """For a browser, with or without a network."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("foretide.cli"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    both = list(zip(subjects, results, strict=True))
    worst = sorted(range(len(both)), key=lambda at: -max(one.budget_used for one in results[at]))
    charted = sorted(worst[:MOST_CHARTED])
    several = len(both) > 1
    return environment.get_template("backtest.html.j2").render(
        name=f"{len(both)} services" if several else subjects[0].case.name,
        when=report.when(subjects[0].load),
        summary_titles=[title.capitalize() for title in SUMMARY_TITLES] if several else [],
        summary=[
            {"label": one.candidate.label, "colour": _colour(at), "cells": report.summary_cells(one)}
            for at, one in enumerate(totals(results) if several else [])
        ],
        titles=[title.capitalize() for title in TITLES],
        services=[_service(subject, each) for subject, each in both] if several else [],
        sections=[_section(*both[at]) for at in charted],
        left_out=len(both) - len(charted),
        passed_over=passed_over,
        how=report.how_replayed(how),
    )


def _service(subject: Subject, results: Sequence[Result]) -> dict[str, Any]:
    return {"name": subject.case.name, "rows": _rows(results)}


def _section(subject: Subject, results: Sequence[Result]) -> dict[str, Any]:
    return {
        "name": subject.case.name,
        "source": subject.load.source,
        "rows": _rows(results),
        "charts": _charts(subject, results),
        "facts": report.facts(subject.case),
        "warnings": report.warnings(subject, results),
    }


def _rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [
        {
            "label": one.candidate.label,
            "colour": _colour(at),
            "cells": report.cells(one),
            "over": one.budget_used > 1.0,
        }
        for at, one in enumerate(results)
    ]


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _charts(subject: Subject, results: Sequence[Result]) -> tuple[Chart, ...]:
    span = {"start_seconds": report.start(subject.load), "seconds": len(results[0].arrivals) * BIN_SECONDS}
    arrivals = thinned(results[0].arrivals / BIN_SECONDS, largest=True)
    named = [(one, _colour(at)) for at, one in enumerate(results)]
    return (
        chart("Load, items a second", [Line("load", "#444444", arrivals)], **span),
        chart(
            "Replicas that are ready",
            [Line(one.candidate.label, colour, thinned(one.ready, largest=True)) for one, colour in named],
            **span,
        ),
        chart(
            # In single steps the spikes of all hide each other.
            "Items that were late so far",
            [Line(one.candidate.label, colour, np.cumsum(thinned(one.late, largest=False))) for one, colour in named],
            **span,
        ),
    )
