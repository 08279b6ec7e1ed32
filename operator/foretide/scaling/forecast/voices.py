"""Who forecasts: the global model, and light experts that know one service alone.

An expert says a single logarithm over the present level; its quantiles come of its calibration, which starts where the
experts' errors are in the mean. Where it has nothing to go by, it says nothing (NaN) and has no weight.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats
from foretide.scaling.forecast.features import NAMES
from foretide.scaling.forecast.model import FARTHEST


class Voice(IntEnum):
    """In the order of their columns."""

    GLOBAL = 0
    PERSISTENCE = 1  # as it is now, an exponentially weighted mean of the last minutes
    TREND = 2  # Holt, damped
    DAY = 3  # as the same window yesterday was to the level then
    WEEK = 4
    HOUR = 5
    SEASON = 6  # as the same window of the last period was, where the load repeats itself or somebody said so


# Holt's trend, of the last ten minutes, goes on for no longer than this.
DAMPED_SECONDS: Final = 300.0
TREND_SECONDS: Final = 600.0
# Discounted pinball losses before any outcome: the global model has earned its weight on other services.
GLOBAL_LOSS: Final = 0.02
EXPERT_LOSS: Final = 0.04
# Repetitions have shown the season, or the user has: it is heard until it is wrong.
SEASON_LOSS: Final = 0.015
LOSSES: Final = (GLOBAL_LOSS, *(EXPERT_LOSS,) * 5, SEASON_LOSS)
# Above the point of an expert, at the levels of the model, before any outcome. A season errs by less, as its loss says:
# with the offsets of the others a ramp that came for the third time was provided for twice over, and 36 periodic loads
# cost a third more from their second hour on, with 0.3 % late for 0.4 % (`bench.seasons`).
EXPERT_OFFSETS: Final = (0.0, 0.25, 0.5, 0.8, 1.2)
SEASON_OFFSETS: Final = tuple(SEASON_LOSS / EXPERT_LOSS * offset for offset in EXPERT_OFFSETS)
OFFSETS: Final = ((0.0,) * len(EXPERT_OFFSETS), *(EXPERT_OFFSETS,) * 5, SEASON_OFFSETS)
# A voice whose loss is a fifth above the best one's has a third of its weight.
TEMPERATURE: Final = 0.2

_COLUMN: Final = {name: place for place, name in enumerate(NAMES)}


def points(table: Floats, season_growth: Floats) -> Floats:
    """[services, experts] of log((maximum + floor) / (level + floor)), from the features of a window and from what the
    load did a period ago."""

    def feature(name: str) -> Floats:
        column: Floats = table[:, _COLUMN[name]]
        return column

    # Towards the mean of the last five minutes, as an exponential weight would.
    persistence = np.where(np.isfinite(feature("mean_5m")), 0.5 * feature("mean_5m"), 0.0)
    persistence = np.where(np.isfinite(feature("newest")), persistence, np.nan)
    slope = (persistence - feature("mean_15m")) / TREND_SECONDS
    middle = np.exp(feature("start")) + np.exp(feature("width")) / 2.0
    trend = persistence + slope * DAMPED_SECONDS * (1.0 - np.exp(-middle / DAMPED_SECONDS))
    growths = (feature(name) for name in ("growth_1440", "growth_10080", "growth_60"))
    said = np.stack([persistence, trend, *growths, season_growth], axis=1)
    limited: Floats = np.clip(said, -FARTHEST, FARTHEST)
    return limited


def weights(loss: Floats, speaks: Bools) -> Floats:
    """[services, voices], of sum 1 where any speaks, by discounted pinball loss (Hedge on relative losses)."""
    heard = np.where(speaks, loss, np.inf)
    best = np.maximum(heard.min(axis=1, keepdims=True), 1e-9)
    best = np.where(np.isfinite(best), best, 1.0)
    raw = np.where(speaks, np.exp(-np.minimum((heard - best) / (TEMPERATURE * best), 700.0)), 0.0)
    total = raw.sum(axis=1, keepdims=True)
    share: Floats = raw / np.where(total > 0.0, total, 1.0)
    return share
