"""How good the model is on series that it was not trained on, beside two forecasts that need no training.

All three say the same thing, log((maximum + floor) / (level + floor)), and are judged on the same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.forecast_model.cascade import LEVELS, ROUNDS, fit
from bench.forecast_model.sample import Samples
from bench.forecast_model.series import Source
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.features import NAMES

DAY: Final = NAMES.index("growth_1440")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """Of one forecast on one series, [levels] each."""

    coverage: Floats  # share of the outcomes that are not above the quantile
    pinball: Floats  # mean loss, of logarithms


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One series."""

    name: str
    rows: int
    scores: Mapping[str, Score]  # by forecast


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What was said of one series, and what came: logarithms."""

    name: str
    outcome: Floats  # [rows]
    quantiles: Mapping[str, Floats]  # by forecast, [rows, levels]


def persistence(samples: Samples) -> Floats:
    """As it is now."""
    return np.zeros(len(samples))


def seasonal_day(samples: Samples) -> Floats:
    """As the same window yesterday was to the level then; as it is now, where yesterday is not known."""
    growth = samples.features[:, DAY].astype(np.float64)
    return np.where(np.isfinite(growth), growth, 0.0)


BASELINES: Final[Mapping[str, Callable[[Samples], Floats]]] = {
    "persistence": persistence,
    "seasonal day": seasonal_day,
}


def held_out(
    sources: Sequence[Source],
    drawn: Sequence[Samples],
    *,
    seed: int,
    rounds: int = ROUNDS,
    told: Callable[[float], None] = lambda share: None,
) -> list[Row]:
    """One row for each series that was held out, and one of them all; a baseline gets at each level the offset that its
    errors have on the sources that train."""
    pairs = list(zip(sources, drawn, strict=True))
    train = [samples for one, samples in pairs if not one.held_out]
    model = fit(train, seed=seed, rounds=rounds, told=told)
    offsets = {
        name: np.quantile(np.concatenate([one.outcome - said(one) for one in train]), LEVELS)
        for name, said in BASELINES.items()
    }
    told_of = []
    for one, samples in pairs:
        if one.held_out:
            said = {name: points(samples)[:, None] + offsets[name] for name, points in BASELINES.items()}
            forecasts = {"model": model.quantiles(samples.features.astype(np.float64)), **said}
            told_of.append(Told(name=one.name, outcome=samples.outcome, quantiles=forecasts))
    return scored(told_of)


def scored(told: Sequence[Told]) -> list[Row]:
    """One row each, and one of all together; all have the same forecasts."""
    together = Told(
        name="all of them",
        outcome=np.concatenate([one.outcome for one in told]),
        quantiles={name: np.concatenate([one.quantiles[name] for one in told]) for name in told[0].quantiles},
    )
    return [_row(one.name, one.outcome, one.quantiles) for one in (*told, together)]


def _row(name: str, outcome: Floats, forecasts: Mapping[str, Floats]) -> Row:
    return Row(name=name, rows=len(outcome), scores={one: score(outcome, said) for one, said in forecasts.items()})


def score(outcome: Floats, quantiles: Floats) -> Score:
    """Of quantiles [rows, levels]."""
    levels = np.array(LEVELS)
    above = outcome[:, None] - quantiles
    loss = np.maximum(levels * above, (levels - 1.0) * above)
    return Score(coverage=(above <= 0.0).mean(axis=0), pinball=loss.mean(axis=0))


def markdown(rows: Sequence[Row]) -> Iterator[str]:
    """Two tables for docs/forecast-model.md, each cell the forecasts, as model / persistence / seasonal day."""
    levels = " | ".join(f"{level:g}" for level in LEVELS)
    for title, column, factor, digits in (("coverage, %", "coverage", 100.0, 1), ("loss, ‰", "pinball", 1000.0, 1)):
        yield f"| {title} | {levels} |"
        yield "|---" * (len(LEVELS) + 1) + "|"
        for row in rows:
            values = np.stack([getattr(one, column) for one in row.scores.values()], axis=1) * factor
            cells = " | ".join(" / ".join(f"{value:.{digits}f}" for value in cell) for cell in values)
            yield f"| {row.name} | {cells} |"
        yield ""
