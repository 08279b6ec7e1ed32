"""build/demo/demo.png: load, replicas and latency of one run, one above the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, LogLocator, MaxNLocator, MultipleLocator, NullFormatter
from numpy.typing import NDArray

from e2e.demo.days import Day, capacity_of
from e2e.demo.season import DAYS
from e2e.demo.watch import Look
from e2e.load import Result, report

WINDOW_SECONDS = 5.0
BLUE, ORANGE, GREEN, RED, GREY, PURPLE = "#1f77b4", "#e07b00", "#2a9d5c", "#c62828", "#666666", "#7b3fa0"


def draw(
    result: Result,
    looks: Sequence[Look],
    *,
    slo_seconds: float,
    objective: str,
    season_seconds: float | None = None,
    compared: Sequence[Day] = (),
    path: Path,
) -> None:
    """Writes the chart."""
    figure = Figure(figsize=(12, 9.5), layout="constrained")
    load, replicas, latency = figure.subplots(3, 1, sharex=True, height_ratios=[4, 2, 3])
    rows = report.windows(result, slo_seconds=slo_seconds, width_seconds=WINDOW_SECONDS)
    sums = report.totals(result, slo_seconds=slo_seconds)
    draw_load(load, rows, looks, result)
    draw_replicas(replicas, looks, result)
    draw_latency(latency, rows, slo_seconds=slo_seconds)
    figure.suptitle(
        f"{sums.requests:,} requests, {sums.failed} failed; "
        f"{sums.share_within_slo:.2%} within {slo_seconds * 1e3:g} ms (objective {objective} %)",
        fontsize=13,
    )
    latency.set_xlabel(f"seconds since the load began (windows of {WINDOW_SECONDS:g} s)")
    for axes in (load, replicas, latency):
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=3, frameon=False)
    latency.xaxis.set_major_locator(MultipleLocator(60.0) if season_seconds is not None else AutoLocator())
    latency.set_xlim(0, max(float(rows.starts_seconds[-1]) + WINDOW_SECONDS if len(rows.starts_seconds) else 1.0, 1.0))
    if season_seconds is not None:
        draw_days((load, replicas, latency), season_seconds)
        draw_mornings(replicas, compared, season_seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_load(axes: Axes, rows: report.Windows, looks: Sequence[Look], result: Result) -> None:
    """Requests a second that were asked, those that were foreseen, those that could be served and those that failed."""
    draw_foreseen(axes, looks, result)
    if (capacity_rps := capacity_of(looks)) is not None:
        at = np.array([look.at - result.started_at for look in looks])
        served = np.array([look.ready * capacity_rps for look in looks])
        axes.step(at, served, where="post", color=GREEN, linewidth=1.5, label="the ready replicas can serve")
    axes.stairs(rows.rate_rps, edges(rows), fill=True, color=BLUE, alpha=0.25)
    axes.stairs(rows.rate_rps, edges(rows), color=BLUE, linewidth=1.5, label="asked")
    if rows.failed.any():
        axes.stairs(rows.failed / WINDOW_SECONDS, edges(rows), fill=True, color=RED, label="failed")
    axes.set_ylabel("requests a second")
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])  # room for the names of the days


def draw_foreseen(axes: Axes, looks: Sequence[Look], result: Result) -> None:
    """Each forecast at the moment it is for: the median up to what is provided for; a gap while none is trusted."""
    told = {look.foreseen.made_at: look.foreseen for look in looks if look.foreseen is not None}
    if not told:
        return
    at = np.array([one.at - result.started_at for one in told.values()])
    likely, provided = (
        np.array([np.nan if rps is None else rps for rps in column])
        for column in zip(*((one.likely_rps, one.provided_rps) for one in told.values()), strict=True)
    )
    label = "foreseen: the median, up to what is provided for"
    axes.fill_between(at, likely, provided, facecolor=(PURPLE, 0.2), edgecolor=PURPLE, linewidth=0.8, label=label)
    axes.plot(at, likely, color=PURPLE, linewidth=1.5)


def draw_days(panels: Sequence[Axes], season_seconds: float) -> None:
    """A line between the two days, and their names."""
    for axes in panels:
        axes.axvline(season_seconds, color=GREY, linewidth=1.2, linestyle=":")
    for day in range(DAYS):
        middle = (day + 0.5) * season_seconds
        name = panels[0].text(middle, 0.97, f"day {day + 1}", transform=panels[0].get_xaxis_transform())
        name.set(ha="center", va="top", color=GREY, fontsize=12, clip_on=True, in_layout=False)


def draw_mornings(axes: Axes, compared: Sequence[Day], season_seconds: float) -> None:
    """When each day first needed a replica more than at night, and whether it was there."""
    for day, told in enumerate(compared):
        if told.morning is None:
            continue
        at = day * season_seconds + told.morning.needed_at_seconds
        axes.plot(at, told.morning.replica, marker="o", markersize=6, color=RED)
        words = told.morning.words.replace(" ready ", " ready\n").replace(" it was", "\nit was")
        name = axes.text(at - 0.01 * season_seconds, 0.97, words, transform=axes.get_xaxis_transform(), color=RED)
        name.set(ha="right", va="top", clip_on=True, in_layout=False)
        axes.axvline(at, color=RED, linewidth=0.8, linestyle=":")


def draw_replicas(axes: Axes, looks: Sequence[Look], result: Result) -> None:
    """Replicas that answered, and those the autoscaler wanted."""
    at = np.array([look.at - result.started_at for look in looks])
    ready = np.array([look.ready for look in looks])
    desired = np.array([look.desired for look in looks])
    axes.fill_between(at, ready, step="post", color=GREEN, alpha=0.25)
    axes.step(at, ready, where="post", color=GREEN, linewidth=1.5, label="ready")
    axes.step(at, desired, where="post", color=ORANGE, linewidth=1.5, linestyle="--", label="desired")
    axes.set_ylabel("replicas")
    axes.set_ylim(0, max([2, *desired.tolist(), *ready.tolist()]) + 0.6)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def draw_latency(axes: Axes, rows: report.Windows, *, slo_seconds: float) -> None:
    """Latency quantiles of each window against the SLO."""
    middle = rows.starts_seconds + WINDOW_SECONDS / 2
    axes.plot(middle, rows.p99_seconds * 1e3, color=ORANGE, marker="o", markersize=3, label="p99")
    axes.plot(middle, rows.p50_seconds * 1e3, color=BLUE, marker="o", markersize=3, label="p50")
    axes.axhline(slo_seconds * 1e3, color=RED, linestyle="--", linewidth=1.2, label=f"SLO {slo_seconds * 1e3:g} ms")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("latency (ms)")


def edges(rows: report.Windows) -> NDArray[np.float64]:
    """Where the windows begin and the last one ends."""
    return np.append(rows.starts_seconds, rows.starts_seconds[-1:] + WINDOW_SECONDS)
