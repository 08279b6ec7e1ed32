"""The table: for each model the rate at the SLO of every configuration, side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.serving.configurations import DEFAULTS, DERIVED
from bench.serving.measure import Effort, Measured
from bench.serving.models import Measurable

BAR_OVER_DEFAULTS: Final = 1.3
MODELS_OVER_DEFAULTS: Final = 2
BAR_OF_BEST: Final = 0.9
LINE: Final = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was derived for one model, beside the others."""

    model: str
    derived_rps: float
    defaults_rps: float
    best_rps: float
    best: str  # the configuration with the largest rate: of the sweep, or the derived one, which it leaves out

    @property
    def over_defaults(self) -> float:
        """Derived over Triton's defaults; infinite where those keep the SLO at no rate."""
        return self.derived_rps / self.defaults_rps if self.defaults_rps > 0.0 else float("inf")

    @property
    def of_best(self) -> float:
        """Derived over the best: 1 at most."""
        return self.derived_rps / self.best_rps if self.best_rps > 0.0 else 0.0


def verdict(model: str, rows: Sequence[Measured]) -> Verdict:
    """Of the rows of one model that were measured side by side; 0 for those that kept the SLO at no rate."""
    rates = {row.configuration: row.rate_rps for row in rows if row.model == model and row.rate_rps is not None}
    best = max((name for name in rates if name != DEFAULTS), key=lambda name: rates[name], default=DERIVED)
    return Verdict(model, rates.get(DERIVED, 0.0), rates.get(DEFAULTS, 0.0), rates.get(best, 0.0), best)


def holds(verdicts: Sequence[Verdict]) -> bool:
    """Whether both bars are kept: over the defaults on most models, near the best of the sweep on all."""
    over = sum(one.over_defaults >= BAR_OVER_DEFAULTS for one in verdicts)
    return over >= min(MODELS_OVER_DEFAULTS, len(verdicts)) and all(one.of_best >= BAR_OF_BEST for one in verdicts)


def table(models: Sequence[Measurable], rows: Sequence[Measured]) -> list[str]:
    """Markdown: a line for each model, then a line for each configuration that was tried."""
    lines = [
        "| model | SLO | derived | Triton's defaults | best | derived / defaults | derived / best |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in models:
        one = verdict(model.name, rows)
        lines.append(
            f"| {model.name} | p99 {1e3 * model.slo_seconds:g} ms | {one.derived_rps:.0f}/s | {one.defaults_rps:.0f}/s "
            f"| {one.best_rps:.0f}/s ({one.best}) | {one.over_defaults:.2f} | {one.of_best:.2f} |"
        )
    lines += [
        "",
        "| model | configuration | roughly | side by side | lowest to highest | late rounds |",
        "|---|---|---|---|---|---|",
    ]
    return [*lines, *map(_line, rows)]


def _line(row: Measured) -> str:
    found = [_roughly(row)]
    if row.rate_rps is not None:
        low, high = row.between_rps
        found += [f"{row.rate_rps:.0f}/s", f"{low:.0f} to {high:.0f}/s", f"{row.late}"]
    return f"| {' | '.join([row.model, row.configuration, *found, '', '', ''][:6])} |"


def _roughly(row: Measured) -> str:
    if row.error:
        return f"not loaded: {row.error.splitlines()[0]}"
    return f"{row.rough_rps:.0f}/s" if row.rough_rps > 0.0 else f"less than {row.lowest_rps:.0f}/s"


def write(models: Sequence[Measurable], rows: Sequence[Measured], *, cpus: int, effort: Effort, page: Path) -> None:
    """The page in docs/benchmarks."""
    verdicts = [verdict(model.name, rows) for model in models]
    over = sum(one.over_defaults >= BAR_OVER_DEFAULTS for one in verdicts)
    near = sum(one.of_best >= BAR_OF_BEST for one in verdicts)
    text = [
        "# What the derived configuration is worth",
        "",
        "Made by `make bench-serving`. The largest rate of Poisson arrivals, each on a new connection, of which one "
        f"Triton 2.51 answers 99 % within the SLO, on {cpus} processors that it shares with the sender.",
        "",
        *(f"- **{model.name}**: {model.about}." for model in models),
        "",
        f"Bars: {BAR_OVER_DEFAULTS:g} times the defaults on {MODELS_OVER_DEFAULTS} of {len(models)} models ({over} "
        f"keep it); {BAR_OF_BEST:g} of the best on all ({near} do).",
        "",
        *table(models, rows),
        "",
        "Triton's defaults are the model's tensors and its largest batch, and nothing else. Derived is what the "
        "operator makes of the same lines on a HardwareClass with `instances: Auto`. The sweep tries instances (the "
        "processors shared out among them as threads), delays and largest batches by hand. Where it comes to the "
        "derived one, that is not measured twice: the best is the best of both. The sweep also tries twice the largest "
        "batch that the service says its model takes (`maxBatchSize`). The operator never goes beyond what it is told, "
        "so that number is worth writing as large as the model allows.",
        "",
        f"Every configuration is first searched for its rate by windows of {effort.rough_seconds:g} s (*roughly*: to "
        "12 %); one of the sweep that does not keep 0.7 of the best before it is left. The derived one, the defaults "
        f"and the {effort.finalists} best of the others are then measured in {effort.rounds} rounds side by side. All "
        "their servers run, and in each round each gets one window of "
        f"{effort.seconds:g} s, with the same arrivals where the rate is the same: 6 % above its last rate where that "
        "kept the SLO, and 6 % below where it did not. The rate is the geometric mean since the first turn. *Lowest to "
        "highest* is how far it went: how unsteady machine and server were. In a late round the machine kept the "
        "sender itself from its schedule, by 50 ms.",
        "",
        "No model here waits for something else than the processor. Nothing tells the operator of such a one: `Auto` "
        "gives it an instance for each processor like any other, and its owner writes `instances: N` in the class.",
        "",
    ]
    wrapped = [
        line if line.startswith("|") else textwrap.fill(line, LINE, subsequent_indent=_indent(line)) for line in text
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(wrapped), encoding="utf-8")


def _indent(line: str) -> str:
    return "  " if line.startswith("- ") else ""
