"""The runs as a table, each beside that of KServe's controller, and which bars ours miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.reconcile.kserve.run import KServeRun
from bench.reconcile.run import Run

# The bars are of a thousand services; a greater burst shows where it bends, and has none.
LARGEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table: its value of a run of ours, of one of KServe's where that has it, and the bar of ours."""

    name: str
    ours: Callable[[Run], float]
    kserve: Callable[[KServeRun], float] | None = None
    bar: float | None = None


MEASURES: Final = (
    Measure(
        "seconds until all children are applied",
        lambda run: run.seconds_until_children,
        lambda run: run.seconds_until_children,
    ),
    Measure(
        "time until all children are applied ÷ the bare loop's",
        lambda run: run.seconds_until_children / run.bare_loop_seconds,
        bar=1.5,
    ),
    Measure("children a service", lambda run: _children(run), lambda run: _children(run)),
    Measure(
        "operator CPU, ms a service",
        lambda run: run.operator_cpu_ms_per_service,
        lambda run: run.cpu_ms_per_service,
        bar=12.0,
    ),
    Measure(
        "operator CPU, ms a child",
        lambda run: run.operator_cpu_ms_per_service / _children(run),
        lambda run: run.cpu_ms_per_service / _children(run),
    ),
    Measure("operator memory, MiB", lambda run: run.operator_memory_mib, lambda run: run.memory_mib, bar=300.0),
    Measure("errors", lambda run: run.errors, lambda run: run.errors, bar=0.0),
    Measure(
        "seconds until all are Ready",
        lambda run: run.seconds_until_ready,
        lambda run: run.seconds_until_ready,
        bar=300.0,
    ),
    Measure("reconcile p99, s", lambda run: run.reconcile_p99_seconds, lambda run: run.reconcile_p99_seconds, bar=5.0),
    Measure("child writes at rest", lambda run: run.idle_child_writes, bar=0.0),
    Measure("child writes at a restart", lambda run: run.restart_child_writes, bar=0.0),
    Measure("API requests a service", lambda run: run.requests_per_service, lambda run: run.requests_per_service),
    Measure("seconds until a change of all is rolled out", lambda run: run.churn_seconds),
    Measure("its CPU, ms a service", lambda run: run.churn_cpu_ms_per_service),
    Measure("CPU at rest, share of a core", lambda run: run.idle_cpu_share),
)


def table(runs: Sequence[Run], kserve: Sequence[KServeRun] = ()) -> Iterator[str]:
    """One row for each measure, one column for each run, in Markdown; KServe's beside ours of as many services."""
    others = {run.services: run for run in kserve}
    columns = [each for run in runs for each in (run, others.get(run.services)) if each is not None]
    yield "| services | " + " | ".join(_head(each) for each in columns) + " | bar |"
    yield "|---" * (len(columns) + 2) + "|"
    for measure in MEASURES:
        bar = "" if measure.bar is None else f"≤ {measure.bar:g}"
        yield f"| {measure.name} | " + " | ".join(_cell(measure, each) for each in columns) + f" | {bar} |"


def misses(run: Run) -> Iterator[str]:
    """The bars that a run misses."""
    for measure in MEASURES if run.services <= LARGEST else ():
        if measure.bar is not None and (value := measure.ours(run)) > measure.bar:
            yield f"{run.services} services: {measure.name}: {value:.3g}, the bar is {measure.bar:g}"


def _head(run: Run | KServeRun) -> str:
    return f"{run.services:,}" if isinstance(run, Run) else f"{run.services:,}, KServe {run.version}"


def _cell(measure: Measure, run: Run | KServeRun) -> str:
    if isinstance(run, Run):
        return f"{measure.ours(run):.3g}"
    return "—" if measure.kserve is None else f"{measure.kserve(run):.3g}"


def _children(run: Run | KServeRun) -> float:
    return sum(run.children.values())
