"""What was measured as a table, a picture and `build/bench/ticks.json`; the table stands between marks in a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

Run = Mapping[str, Any]

# By services: seconds of a tick, and of the brain alone in it.
BARS: Final[Mapping[int, tuple[float, float]]] = {1_000: (2.0, 0.4), 5_000: (10.0, 2.0)}
MOST_QUERIES: Final = 12
# Share of the services that a tick, once all has settled, may leave to the next one.
MOST_POSTPONED: Final = 0.01
MOST_MEMORY_MIB: Final = 1_024.0
BEGIN, END = "<!-- made by python -m bench.ticks -->", "<!-- end -->"
COLOURS: Final = {"observe": "#0072b2", "decide": "#e69f00", "write": "#009e73"}


def kept(path: Path) -> dict[int, Run]:
    """The runs of before, by services; none of a version of this benchmark that told less."""
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    return {run["services"]: run for run in runs if "postponed_per_tick" in run}


def write(runs: Mapping[int, Run], *, results: Path, page: Path, picture: Path) -> None:
    """All three."""
    ordered = [runs[services] for services in sorted(runs)]
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({"runs": ordered}, indent=1) + "\n")
    _draw(ordered, picture)
    text = page.read_text()
    table_in_it = "\n".join((BEGIN, *table(ordered), "", f"![Stages of a tick]({picture.name})", END))
    page.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: table_in_it, text, flags=re.DOTALL))


def table(runs: Sequence[Run]) -> list[str]:
    """One column a run."""
    rows = [
        ("", [f"{run['services']:,} services" for run in runs]),
        ("pods", [f"{run['pods']:,}" for run in runs]),
        ("a tick, p50; p99", [_both(run["tick_p50_seconds"], run["tick_p99_seconds"]) for run in runs]),
        *(
            (f"- {stage}", [_both(run["stages"][stage]["p50"], run["stages"][stage]["p99"]) for run in runs])
            for stage in COLOURS
        ),
        (
            "processor time of a tick, p50; p99",
            [_both(run["processor_p50_seconds"], run["processor_p99_seconds"]) for run in runs],
        ),
        ("the brain alone, p50", [_seconds(run["brain_seconds"]) for run in runs]),
        ("queries a tick; their answers, compressed", [f"{run['queries_per_tick']}; {_mb(run)}" for run in runs]),
        (
            "services a tick that another number is decided for; with no time left to write them",
            [f"{run['scaled_per_tick']:.1f}; {run['postponed_per_tick']:.1f}" for run in runs],
        ),
        ("memory of the operator, most", [f"{run['memory_mib']:,.0f} MiB" for run in runs]),
        ("processor of the operator", [f"{run['cpu_cores']:.2f} cores" for run in runs]),
        ("from the start to the first whole tick", [f"{run['first_tick_seconds']:,.0f} s" for run in runs]),
        ("from the start until the past is read", [f"{run['startup_seconds']:,.0f} s" for run in runs]),
        (
            "until it settles: the slowest whole tick; ticks given up after 30 s",
            [f"{_seconds(run['slowest_at_the_start_seconds'])}; {run['given_up_at_the_start']}" for run in runs],
        ),
        (
            "Prometheus: series; memory; processor",
            [
                f"{one['series']:,.0f}; {one['memory_mib']:,.0f} MiB; {one['cpu_cores']:.2f} cores"
                for one in (run["prometheus"] for run in runs)
            ],
        ),
        ("load average of the machine, 5 min", [f"{run['load_average']:.1f}" for run in runs]),
    ]
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return [lines[0], "|---|" + "---|" * len(runs), *lines[1:]]


def missed(runs: Sequence[Run]) -> Iterator[str]:
    """What is not within its bar, in words."""
    for run in runs:
        services = run["services"]
        if services in BARS:
            tick, brain = BARS[services]
            if run["tick_p99_seconds"] > tick:
                yield f"{services:,} services: a tick takes {run['tick_p99_seconds']:.2f} s, not {tick:g}"
            if run["brain_seconds"] > brain:
                yield f"{services:,} services: the brain takes {run['brain_seconds']:.2f} s, not {brain:g}"
        if run["queries_per_tick"] > MOST_QUERIES:
            yield f"{services:,} services: {run['queries_per_tick']} queries a tick, not {MOST_QUERIES}"
        if run["memory_mib"] > MOST_MEMORY_MIB:
            yield f"{services:,} services: {run['memory_mib']:,.0f} MiB, not {MOST_MEMORY_MIB:,.0f}"
        if run["postponed_per_tick"] > MOST_POSTPONED * services:
            yield f"{services:,} services: {run['postponed_per_tick']:.0f} a tick were left to a later one"
        if run["given_up"]:
            yield f"{services:,} services: {run['given_up']} ticks were given up"
        if run["without_metrics"] or run["unknown"]:
            yield f"{services:,} services: {run['unknown']} rows were unknown, {run['without_metrics']} ticks blind"


def _both(p50: float, p99: float) -> str:
    return f"{_seconds(p50)}; {_seconds(p99)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s"


def _mb(run: Run) -> str:
    return f"{run['answered_bytes_per_tick'] / 1e6:.2f} MB"


def _draw(runs: Sequence[Run], path: Path) -> None:
    """Stages as parts of a bar, and memory beside them."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    ticks, memory = figure.subplots(1, 2)
    names = [f"{run['services']:,}" for run in runs]
    below = [0.0] * len(runs)
    for stage, colour in COLOURS.items():
        seconds = [run["stages"][stage]["p50"] for run in runs]
        ticks.bar(names, seconds, bottom=below, color=colour, label=stage)
        below = [low + more for low, more in zip(below, seconds, strict=True)]
    ticks.plot(names, [run["tick_p99_seconds"] for run in runs], "k_", markersize=24, label="whole, p99")
    ticks.set_ylabel("seconds of a tick (medians)")
    ticks.legend(frameon=False)
    memory.bar(names, [run["memory_mib"] for run in runs], color="#56b4e9")
    memory.axhline(MOST_MEMORY_MIB, color="#666666", linewidth=1)
    memory.set_ylabel("MiB of the operator, most")
    for axes in (ticks, memory):
        axes.set_xlabel("services")
        axes.grid(visible=True, axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
