"""The table and the chart of docs/benchmarks/simulator.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from bench.simulator_truth.calibrate import Calibration
from bench.simulator_truth.cases import SLO_SECONDS
from bench.simulator_truth.compare import BAR_P99, BAR_SHARE, DRAWS, Row
from bench.simulator_truth.replay import LEVELS

BLUE: Final = "#1f77b4"
ORANGE: Final = "#e07b00"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown, one line a case."""
    columns: tuple[str, ...] = (
        "queue",
        "replicas",
        "load",
        "requests",
        "p50 real / sim",
        "p95 real / sim",
        "p99 real / sim",
    )
    columns += ("batch of n", "p99 off", "within SLO real / sim", "refused real / sim", "holds")
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        pairs = [
            f"{real * 1e3:.0f} / {simulated * 1e3:.0f} ms"
            for real, simulated in zip(row.real_seconds, row.simulated_seconds, strict=True)
        ]
        verdict = ("yes" if row.holds else "**no**") if row.case.judged else "told"
        law = row.law
        cells = [
            row.case.queue,
            str(row.case.replicas),
            f"{row.case.load:g}",
            f"{row.requests:,}",
            *pairs,
            f"{law.per_item_seconds * 1e3:.1f} n + {law.fixed_seconds * 1e3:.1f} ms",
            f"{row.p99_error:+.1%}",
            f"{row.real_share:.2%} / {row.simulated_share:.2%}",
            f"{row.real_refused:.2%} / {row.simulated_refused:.2%}",
            verdict,
        ]
        yield f"| {' | '.join(cells)} |"


def write(rows: Sequence[Row], known: Mapping[str, Calibration], page: Path) -> None:
    """The page and its picture."""
    page.parent.mkdir(parents=True, exist_ok=True)
    picture = page.with_suffix(".png")
    _draw(rows, picture)
    judged = [row for row in rows if row.case.judged]
    text = f"""# The simulator against real Triton

Made by `python -m bench.simulator_truth`; `--help` tells how. Real pods of Triton on the embedded cluster serve a model
that sleeps; each request has a new connection through a NodePort, so that kube-proxy chooses the replica. The simulator
gets the times at which the requests were sent; routes and noise are drawn {DRAWS} times.

The batch times of a case are those that Triton's own counters have for its batches: what is compared is what the
simulator makes of them. {chr(10).join(_calibrations(known))}
With any limit Triton forms no batch ahead, and can miss the end of a batch: what waits then goes on waiting for the
next request or for 500 ms. These numbers were found with loads of 0.4, 0.6 and 0.78, which are not judged.

The SLO is {SLO_SECONDS * 1e3:.0f} ms. "limited": timeout SLO - tau(8) - 5 ms, queue of 2,000; "default": Triton's
default, no limit.

The bar, for loads of 0.3 to 0.85 of saturation: p99 within {BAR_P99:.0%}, share within the SLO within
{BAR_SHARE * 100:g} point. {sum(row.holds for row in judged)} of {len(judged)} cases hold.

{chr(10).join(table(rows))}

![Latency quantiles, real and simulated]({picture.name})
"""
    page.write_text(text)


def _calibrations(known: Mapping[str, Calibration]) -> Iterator[str]:
    for queue, one in sorted(known.items()):
        yield (
            f"With the {queue} queue {one.overhead_seconds * 1e3:.1f} ms are for the way there and back, "
            f"{one.between_batches_seconds * 1e3:.1f} ms between two batches, and {one.missed_wake_ups:.1%} of the "
            f"ends of batches are missed."
        )


def _draw(rows: Sequence[Row], path: Path) -> None:
    groups = sorted({(row.case.queue, row.case.replicas) for row in rows})
    figure = Figure(figsize=(5 * len(groups), 4.5), layout="constrained")
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axes, (queue, replicas) in zip(panels, groups, strict=True):
        mine = [row for row in rows if (row.case.queue, row.case.replicas) == (queue, replicas)]
        loads = [row.case.load for row in mine]
        for index, (level, style) in enumerate(zip(LEVELS, (":", "--", "-"), strict=True)):
            axes.plot(loads, [row.real_seconds[index] * 1e3 for row in mine], style, color=BLUE, marker="o")
            axes.plot(loads, [row.simulated_seconds[index] * 1e3 for row in mine], style, color=ORANGE, marker="x")
            axes.annotate(
                f"p{level * 100:g}", (loads[0], mine[0].real_seconds[index] * 1e3), (-4, 6), textcoords="offset points"
            )
        axes.axhline(SLO_SECONDS * 1e3, color="#666666", linewidth=1)
        axes.set_title(f"{replicas} replica{'s' if replicas > 1 else ''}, {queue} queue")
        axes.set_xlabel("load / saturation")
        axes.set_yscale("log")
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("latency, ms")
    panels[0].plot([], [], color=BLUE, marker="o", label="real Triton")
    panels[0].plot([], [], color=ORANGE, marker="x", label="simulator")
    panels[0].legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=100)
