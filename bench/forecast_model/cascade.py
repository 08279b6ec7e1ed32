"""The fit: for each level trees that add to the level below, so that quantiles cannot cross."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import lightgbm
import numpy as np

from bench.forecast_model.sample import Samples
from foretide.scaling.forecast.booster import Booster
from foretide.scaling.forecast.features import NAMES
from foretide.scaling.forecast.model import FARTHEST, GlobalModel

LEVELS: Final = (0.5, 0.9, 0.97, 0.99, 0.997)
ROUNDS: Final = 150
# One thread: sums are always in the same order, and nobody waits for another on a busy machine.
PARAMETERS: Final = {
    "objective": "quantile",
    "learning_rate": 0.08,
    "num_leaves": 31,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def least_rows(level: float) -> int:
    """Of a leaf: of a hundred rows one is above the 0.99 quantile, too few to tell where it is."""
    return 100 if level <= 0.95 else 500 if level <= 0.98 else 900


def fit(
    samples: Sequence[Samples], *, seed: int, rounds: int = ROUNDS, told: Callable[[float], None] = lambda share: None
) -> GlobalModel:
    """The model of these samples; the same for the same samples, seed and version of LightGBM."""
    table = np.concatenate([one.features for one in samples])
    outcome = np.clip(np.concatenate([one.outcome for one in samples]), -FARTHEST, FARTHEST)
    below = np.zeros(len(outcome))
    boosters: list[Booster] = []
    for place, level in enumerate(LEVELS):

        def told_round(state: Any, place: int = place) -> None:
            told((place + (state.iteration + 1) / rounds) / len(LEVELS))

        trained = lightgbm.train(
            {
                **PARAMETERS,
                "alpha": level,
                "seed": seed,
                "min_data_in_leaf": least_rows(level),
                "boost_from_average": place == 0,
            },
            lightgbm.Dataset(table, outcome, init_score=below if place else None, feature_name=list(NAMES)),
            num_boost_round=rounds,
            callbacks=[told_round],
        )
        boosters.append(Booster(trained.model_to_string()))
        more = boosters[-1].predict(table)
        below = below + (np.maximum(more, 0.0) if place else more)
    return GlobalModel(np.array(LEVELS), tuple(boosters))
