"""The runs as a table, and which bars they miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench.reconcile.run import Run

# The bars are of a thousand services; a greater burst shows where it bends, and has none.
LARGEST: Final = 1_000
BARS: Final[tuple[tuple[str, Callable[[Run], float], float], ...]] = (
    ("time until all children are applied ÷ the bare loop's", lambda run: _ratio(run), 1.5),
    ("operator CPU, ms a service", lambda run: run.operator_cpu_ms_per_service, 12.0),
    ("operator memory, MiB", lambda run: run.operator_memory_mib, 300.0),
    ("errors", lambda run: run.errors, 0.0),
    ("seconds until all are Ready", lambda run: run.seconds_until_ready, 300.0),
    ("reconcile p99, s", lambda run: run.reconcile_p99_seconds, 5.0),
    ("child writes at rest", lambda run: run.idle_child_writes, 0.0),
    ("child writes at a restart", lambda run: run.restart_child_writes, 0.0),
)


def table(runs: Sequence[Run]) -> Iterator[str]:
    """One row for each measure, one column for each run, in Markdown."""
    yield "| services | " + " | ".join(f"{run.services:,}" for run in runs) + " | bar |"
    yield "|---" * (len(runs) + 2) + "|"
    for name, value, bar in BARS:
        yield f"| {name} | " + " | ".join(f"{value(run):.3g}" for run in runs) + f" | ≤ {bar:g} |"
    rest: tuple[tuple[str, Callable[[Run], float]], ...] = (
        ("API requests a service", lambda run: run.requests_per_service),
        ("seconds until a change of all is rolled out", lambda run: run.churn_seconds),
        ("its CPU, ms a service", lambda run: run.churn_cpu_ms_per_service),
        ("CPU at rest, share of a core", lambda run: run.idle_cpu_share),
    )
    for text, measure in rest:
        yield f"| {text} | " + " | ".join(f"{measure(run):.3g}" for run in runs) + " | |"


def misses(run: Run) -> Iterator[str]:
    """The bars that a run misses."""
    for name, value, bar in BARS if run.services <= LARGEST else ():
        if value(run) > bar:
            yield f"{run.services} services: {name}: {value(run):.3g}, the bar is {bar:g}"


def _ratio(run: Run) -> float:
    return run.seconds_until_children / run.bare_loop_seconds
