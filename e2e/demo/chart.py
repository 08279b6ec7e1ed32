"""build/demo/demo.png: load, replicas and latency of one run, one above the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from e2e.demo.watch import Look
from e2e.load import Result, report

WINDOW_SECONDS = 5.0
BLUE, ORANGE, GREEN, RED, GREY = "#1f77b4", "#e07b00", "#2a9d5c", "#c62828", "#666666"


def draw(result: Result, looks: Sequence[Look], *, slo_seconds: float, objective: str, path: Path) -> None:
    """Writes the chart."""
    figure = Figure(figsize=(10, 8.5), layout="constrained")
    load, replicas, latency = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2, 3])
    rows = report.windows(result, slo_seconds=slo_seconds, width_seconds=WINDOW_SECONDS)
    sums = report.totals(result, slo_seconds=slo_seconds)
    draw_load(load, rows)
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
    latency.set_xlim(0, max(float(rows.starts_seconds[-1]) + WINDOW_SECONDS if len(rows.starts_seconds) else 1.0, 1.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_load(axes: Axes, rows: report.Windows) -> None:
    """Requests a second that were asked, and those that failed."""
    axes.stairs(rows.rate_rps, edges(rows), fill=True, color=BLUE, alpha=0.25)
    axes.stairs(rows.rate_rps, edges(rows), color=BLUE, linewidth=1.5, label="asked")
    if rows.failed.any():
        axes.stairs(rows.failed / WINDOW_SECONDS, edges(rows), fill=True, color=RED, label="failed")
    axes.set_ylabel("requests a second")
    axes.set_ylim(bottom=0)


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
