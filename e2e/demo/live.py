"""What the demo shows while the load runs: a table in a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from e2e.demo.watch import Look
from e2e.load import Plan, Result, report

TERMINAL_ROW_SECONDS = 5.0
PLAIN_ROW_SECONDS = 10.0
ROWS_SHOWN = 14
SETTLED_SECONDS = 0.5  # answers of the window that is over may still be under way


@dataclass(frozen=True, slots=True)
class Row:
    """One window of the load; NaN where nothing was answered."""

    ends_seconds: float
    asked_rps: float
    p50_seconds: float
    p99_seconds: float
    share_within_slo: float
    failed: int
    ready: int
    desired: int
    decision: str

    def cells(self) -> tuple[str, ...]:
        """The row in words, without the decision."""
        return (
            f"{self.ends_seconds:.0f} s",
            f"{self.asked_rps:.1f}",
            milliseconds(self.p50_seconds),
            milliseconds(self.p99_seconds),
            "-" if math.isnan(self.share_within_slo) else f"{self.share_within_slo:.1%}",
            str(self.failed),
            f"{self.ready} / {self.desired}",
        )


HEADINGS = ("time", "asked/s", "p50", "p99", "within SLO", "failed", "ready / desired")


def milliseconds(seconds: float) -> str:
    """A latency for reading."""
    return "-" if math.isnan(seconds) else f"{seconds * 1e3:.0f} ms"


def row(plan: Plan, result: Result, looks: Sequence[Look], *, start: float, width: float, slo_seconds: float) -> Row:
    """The window of the load that begins at `start`."""
    asked = np.searchsorted(plan.arrivals, [start, start + width])
    chosen = (result.planned_at >= start) & (result.planned_at < start + width)
    sums = report.totals(result.where(chosen), slo_seconds=slo_seconds)
    now = looks[-1] if looks else Look(at=0.0, ready=0, desired=0, decision="")
    trouble = "; ".join(f"{kind}: {reason}" for kind, reason in now.conditions.items())
    return Row(
        ends_seconds=start + width,
        asked_rps=float(asked[1] - asked[0]) / width,
        p50_seconds=sums.p50_seconds,
        p99_seconds=sums.p99_seconds,
        share_within_slo=sums.share_within_slo,
        failed=sums.failed,
        ready=now.ready,
        desired=now.desired,
        decision=f"[{trouble}] {now.decision}" if trouble else now.decision,
    )


@dataclass(slots=True)
class Screen:
    """Shows rows as their time comes; use it as a context manager."""

    console: Console
    plan: Plan
    slo_seconds: float
    title: str
    rows: list[Row] = field(default_factory=list)
    live: Live | None = None

    @property
    def width(self) -> float:
        return TERMINAL_ROW_SECONDS if self.console.is_terminal else PLAIN_ROW_SECONDS

    def __enter__(self) -> Screen:
        if self.console.is_terminal:
            self.live = Live(self.table(), console=self.console, auto_refresh=False)
            self.live.start()
        else:
            self.console.print(self.title)
        return self

    def __exit__(self, *reason: object) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, result: Result, looks: Sequence[Look], *, elapsed_seconds: float) -> None:
        """Adds the windows that are over by now."""
        while (start := len(self.rows) * self.width) + self.width + SETTLED_SECONDS <= elapsed_seconds:
            fresh = row(self.plan, result, looks, start=start, width=self.width, slo_seconds=self.slo_seconds)
            self.rows.append(fresh)
            if self.live is not None:
                self.live.update(self.table(), refresh=True)
            else:
                words = "  ".join(f"{name} {cell}" for name, cell in zip(HEADINGS[1:], fresh.cells()[1:], strict=True))
                self.console.print(f"{fresh.cells()[0]:>6}  {words}  {fresh.decision}", soft_wrap=True, markup=False)

    def table(self) -> Group:
        """The last rows, and the autoscaler's last word."""
        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False)
        for heading in HEADINGS:
            table.add_column(heading, justify="right", min_width=8)
        for shown in self.rows[-ROWS_SHOWN:]:
            table.add_row(*shown.cells(), style="red" if shown.failed else None)
        decision = self.rows[-1].decision if self.rows else ""
        return Group(table, Text(f"last decision: {decision or 'none yet'}", style="cyan"))
