"""The table: for each model the rate at the SLO of every configuration, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.serving.configurations import DEFAULTS, DERIVED
from bench.serving.measure import Measured
from bench.serving.models import Measurable

BAR_OVER_DEFAULTS: Final = 1.3
MODELS_OVER_DEFAULTS: Final = 2
BAR_OF_BEST: Final = 0.9


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was derived for one model, beside the others."""

    model: str
    derived_rps: float
    defaults_rps: float
    best_rps: float
    best: str  # the configuration of the sweep with the largest rate

    @property
    def over_defaults(self) -> float:
        """Derived over Triton's defaults; infinite where those keep the SLO at no rate."""
        return self.derived_rps / self.defaults_rps if self.defaults_rps > 0.0 else float("inf")

    @property
    def of_best(self) -> float:
        """Derived over the best of the sweep."""
        return self.derived_rps / self.best_rps if self.best_rps > 0.0 else float("inf")


def verdict(model: str, rows: Sequence[Measured]) -> Verdict:
    """Of the rows of one model, which must have both the derived configuration and the defaults."""
    rates = {row.configuration: row.rate_rps for row in rows if row.model == model}
    swept = {name: rate for name, rate in rates.items() if name not in (DERIVED, DEFAULTS)} or {"none": 0.0}
    best = max(swept, key=lambda name: swept[name])
    return Verdict(model, rates[DERIVED], rates[DEFAULTS], swept[best], best)


def holds(verdicts: Sequence[Verdict]) -> bool:
    """Whether both bars are kept: over the defaults on most models, near the best of the sweep on all."""
    over = sum(one.over_defaults >= BAR_OVER_DEFAULTS for one in verdicts)
    return over >= min(MODELS_OVER_DEFAULTS, len(verdicts)) and all(one.of_best >= BAR_OF_BEST for one in verdicts)


def table(models: Sequence[Measurable], rows: Sequence[Measured]) -> list[str]:
    """Markdown: a line for each model, then a line for each configuration that was tried."""
    lines = [
        "| model | SLO | derived | Triton's defaults | best of the sweep | derived / defaults | derived / best |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in models:
        one = verdict(model.name, rows)
        lines.append(
            f"| {model.name} | p99 {1e3 * model.slo_seconds:g} ms | {one.derived_rps:.0f}/s | {one.defaults_rps:.0f}/s "
            f"| {one.best_rps:.0f}/s ({one.best}) | {one.over_defaults:.2f} | {one.of_best:.2f} |"
        )
    lines += ["", "| model | configuration | rate at the SLO |", "|---|---|---|"]
    for row in rows:
        noted = f"not loaded: {row.error.splitlines()[0]}" if row.error else f"{row.rate_rps:.0f}/s"
        late = " (the generator was late)" if row.generator_was_late else ""
        lines.append(f"| {row.model} | {row.configuration} | {noted}{late} |")
    return lines


def write(models: Sequence[Measurable], rows: Sequence[Measured], *, cpus: int, seconds: float, page: Path) -> None:
    """The page in docs/benchmarks."""
    about = [f"- **{model.name}**: {model.about}." for model in models]
    text = [
        "# What the derived configuration is worth",
        "",
        f"The largest rate of Poisson arrivals of which one Triton 2.51 answers 99 % within the SLO, on {cpus} "
        f"processors that it shares with the sender, each rate sent for {seconds:g} s; the rates are known to 6 %. "
        "Made by `make bench-serving`.",
        "",
        *about,
        "",
        *table(models, rows),
        "",
        "Triton's defaults are the model's tensors and its largest batch, and nothing else. Derived is what the "
        "operator makes of the same lines on a HardwareClass with `instances: Auto`. The sweep tries instances, "
        "delays and largest batches by hand.",
        "",
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(text), encoding="utf-8")
