"""Load, what was in time and the replicas along one load, Foretide beside the best of each peer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from bench.live.loads import Load
from bench.live.outcome import BIN_SECONDS
from bench.live.systems import Scaler
from bench.live.verdict import Row

COLOURS: Final = {Scaler.FORETIDE: "#d62728", Scaler.HPA: "#1f77b4", Scaler.KEDA: "#2ca02c"}
GREY: Final = "#666666"


def draw(load: Load, rows: Sequence[Row], file: Path) -> None:
    """The Pareto front on the right: late requests against replica-minutes."""
    drawn = [_best(rows, scaler) for scaler in Scaler if any(row["system"] == scaler for row in rows)]
    figure = Figure(figsize=(12, 6), layout="constrained")
    grid = figure.add_gridspec(3, 3)
    replicas = figure.add_subplot(grid[2, :2])
    asked, share = (figure.add_subplot(grid[row, :2], sharex=replicas) for row in (0, 1))
    front = figure.add_subplot(grid[:, 2])
    for row in drawn:
        name = (
            row["system"] if row["target"] is None else f"{row['system']} at {row['target']:.0%}, {row['queue']} queue"
        )
        seconds = BIN_SECONDS * np.arange(len(row["ready"]))
        colour = COLOURS[Scaler(row["system"])]
        share.step(seconds, np.array(row["share_within_slo"]) * 100, where="post", color=colour, linewidth=1.2)
        replicas.step(seconds, row["ready"], where="post", color=colour, linewidth=1.4, label=name)
    asked.step(BIN_SECONDS * np.arange(len(drawn[0]["asked_rps"])), drawn[0]["asked_rps"], where="post", color=GREY)
    for axes, title in ((asked, "requests/s"), (share, "% in time"), (replicas, "ready replicas")):
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    replicas.set_xlabel("seconds")
    replicas.legend(fontsize=8, frameon=False)
    for row in rows:
        filled = "full" if row["queue"] == "default" else "none"
        late = 100 * (1 - row["within_slo"])
        front.plot(row["replica_minutes"], late, "o", color=COLOURS[Scaler(row["system"])], fillstyle=filled)
    front.set_xlabel("replica-minutes")
    front.set_ylabel("% late or failed (hollow: the queue refuses)")
    front.set_ylim(bottom=0)
    front.grid(visible=True, alpha=0.25)
    front.spines[["top", "right"]].set_visible(False)
    figure.suptitle(load.title)
    figure.savefig(file, dpi=90)


def _best(rows: Sequence[Row], scaler: Scaler) -> Row:
    """Of a peer's settings the one with the most in time."""
    return max((row for row in rows if row["system"] == scaler), key=lambda row: float(row["within_slo"]))
