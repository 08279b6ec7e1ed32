"""The report as one HTML file that needs nothing else, with charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import jinja2
import numpy as np

from foretide.cli.backtest import report
from foretide.cli.backtest.case import Subject
from foretide.cli.backtest.charts import COLOURS, DARK_COLOURS, Band, Chart, Line, Span, chart, thinned
from foretide.cli.backtest.report import SUMMARY_TITLES, TITLES, How
from foretide.cli.backtest.results import Result, totals
from foretide.simulate.state import BIN_SECONDS

LOAD: Final = "var(--load)"
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
        colours=COLOURS,
        dark_colours=DARK_COLOURS,
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
    """By its name: the page has those of a light and of a dark screen."""
    return f"var(--series-{place % len(COLOURS)})"


def _charts(subject: Subject, results: Sequence[Result]) -> tuple[Chart, ...]:
    span = Span(report.start(subject.load), len(results[0].arrivals) * BIN_SECONDS)
    named = [(one, _colour(at)) for at, one in enumerate(results)]
    return (
        *_loads(named, span),
        chart(
            "Replicas that are ready",
            [Line(one.candidate.label, colour, thinned(one.ready, largest=True)) for one, colour in named],
            span,
        ),
        chart(
            # In single steps the spikes of all hide each other.
            "Items that were late so far",
            [Line(one.candidate.label, colour, np.cumsum(thinned(one.late, largest=False))) for one, colour in named],
            span,
        ),
    )


def _loads(named: Sequence[tuple[Result, str]], span: Span) -> Iterator[Chart]:
    """What came; once for each policy with a forecast beside what that foresaw, for bands hide each other."""
    load = Line("load", LOAD, thinned(named[0][0].arrivals / BIN_SECONDS, largest=True))
    foreseeing = [(one, one.foreseen, colour) for one, colour in named if one.foreseen is not None]
    if not foreseeing:
        yield chart("Load, items a second", [load], span)
    for one, foreseen, colour in foreseeing:
        median, provided = (thinned(rps, largest=True) for rps in (foreseen.median_rps, foreseen.provided_rps))
        yield chart(
            f"Load and what was foreseen of it, items a second: {one.candidate.label}",
            [Line("median foreseen", colour, median), load],
            span,
            band=Band("from it up to the quantile provided for", colour, median, provided),
            note="Foreseen of each moment a cold start before it, when a replica for it had to be started. In "
            f"{100.0 * foreseen.exceeded(one.arrivals):.1f} % of these moments the load was above the band.",
        )
