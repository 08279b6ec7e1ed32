"""Violations against cost, and load and replicas along time."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.scaling.plan import OBJECTIVE
from bench.scaling.results import Results
from bench.scaling.summary import Summary, knobs_text
from foretide.simulate.command.results import HOUR_SECONDS, Run
from foretide.simulate.state import BIN_SECONDS

OWN: Final = "foretide"
OWN_COLOUR: Final = "#d62728"
GREY: Final = "#666666"
# Shares of nothing have no place on a logarithmic axis.
LEAST_SHARE: Final = 1e-5
TICKS: Final = (0.5, 0.7, 1, 1.5, 2, 3, 5, 10)
NAMES_A_LINE: Final = 9
DRAWN: Final = {"hpa": "#1f77b4", "kpa": "#2ca02c", "mark": "#9467bd", "scheduled": "#8c564b", OWN: OWN_COLOUR}


def draw_pareto(rows: Sequence[Summary], results: Results, file: Path) -> None:
    """A panel for each setting: every policy tuned (filled, with its number) and as it comes (hollow)."""
    settings = sorted({row.setting for row in rows})
    columns = min(len(settings), 2)
    lines = ceil(len(settings) / columns)
    figure = Figure(figsize=(7.5 * columns, 5.4 * lines + 1.0), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, setting in zip(panels, settings, strict=False):
        mine = [row for row in rows if row.setting == setting]
        for number, entry in enumerate(results.policies, start=1):
            tuned = knobs_text(results.chosen[entry.name, setting].knobs)
            _place(axes, [row for row in mine if row.policy == entry.name], number, tuned)
        axes.axhline(1.0 - OBJECTIVE, color=GREY, linewidth=1, linestyle="--")
        axes.set_title(f"cold start {setting.title}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("cost / optimum")
        axes.set_ylabel("requests outside the SLO")
        axes.yaxis.set_major_formatter(lambda share, _: f"{100.0 * share:g} %")
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(settings) :]:
        axes.set_visible(False)
    names = [f"{number} {entry.name}" for number, entry in enumerate(results.policies, start=1)]
    legend = "\n".join("    ".join(names[first : first + NAMES_A_LINE]) for first in range(0, len(names), NAMES_A_LINE))
    figure.supxlabel(f"{legend}\nfilled: tuned on other series; hollow: as it comes; dashed: the objective", fontsize=9)
    figure.savefig(file, dpi=90)


def _place(axes: Axes, rows: Sequence[Summary], number: int, tuned: str) -> None:
    name = rows[0].policy
    colour = OWN_COLOUR if name == OWN else "#1f77b4"
    for row in rows:
        share = max(row.violation_share, LEAST_SHARE)
        if row.knobs == tuned:
            axes.plot(row.times_optimum, share, "o", color=colour, markersize=6)
            axes.annotate(
                str(number), (row.times_optimum, share), (5, 4), textcoords="offset points", fontsize=9, color=colour
            )
        else:
            axes.plot(row.times_optimum, share, "o", color=colour, markersize=5, fillstyle="none", alpha=0.6)


def draw_series(runs: Sequence[Run], file: Path) -> None:
    """What the load needs, and what some policies had ready."""
    figure = Figure(figsize=(11, 2.1 * len(DRAWN) + 0.6), layout="constrained")
    panels = figure.subplots(len(DRAWN), 1, sharex=True, sharey=True)
    for axes, (name, colour) in zip(panels, DRAWN.items(), strict=True):
        for run in runs:
            if run["policy"] != name:
                continue
            needed = np.array(run["timeline"]["arrivals"]) / BIN_SECONDS / run["rate_at_slo_rps"]
            hours = np.arange(len(needed)) * BIN_SECONDS / HOUR_SECONDS
            axes.fill_between(hours, needed, step="post", color="#bbbbbb", linewidth=0)
            axes.step(hours, run["timeline"]["ready"], where="post", color=colour, linewidth=1.2)
        axes.set_title(name, loc="left", fontsize=10, color=colour)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(bottom=0)  # of all, and only now: it ends the search for the top
    panels[-1].set_xlabel("hours")
    panels[len(panels) // 2].set_ylabel("replicas: needed (grey), ready")
    figure.savefig(file, dpi=80)
