"""The model as it is shipped: numbers in, quantiles out."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given

from foretide.scaling.forecast.features import NAMES
from foretide.scaling.forecast.model import GlobalModel, WrongModel, shipped
from tests.scaling.build import same
from tests.scaling.strategies import seeds, seldom


def features(seed: int, count: int = 40) -> np.ndarray:
    """Any ratios, a third of them not known."""
    random = np.random.default_rng(seed)
    table = random.choice([-700.0, -5.0, -0.1, 0.0, 0.1, 1.0, 5.0, 700.0, np.nan, np.nan, np.nan], (count, len(NAMES)))
    return np.where(random.random(table.shape) < 0.5, random.normal(0.0, 1.0, table.shape), table)


@seldom
@given(seeds)
def test_of_any_features_quantiles_are_finite_and_ascend(seed: int) -> None:
    found = shipped().quantiles(features(seed))
    assert found.shape == (40, len(shipped().levels))
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=1) >= 0.0).all()


@seldom
@given(seeds)
def test_a_row_is_foreseen_alone_as_among_others(seed: int) -> None:
    table = features(seed)
    assert same(shipped().quantiles(table)[7:9], shipped().quantiles(table[7:9]))


def test_levels_ascend_between_half_and_one() -> None:
    levels = shipped().levels
    assert (np.diff(levels) > 0.0).all()
    assert 0.5 <= levels[0] < levels[-1] < 1.0


def test_no_rows_have_no_quantiles() -> None:
    assert shipped().quantiles(np.empty((0, len(NAMES)))).shape == (0, len(shipped().levels))


def test_a_model_is_written_and_read_the_same() -> None:
    again = GlobalModel.read(shipped().packed())
    assert same(again.levels, shipped().levels)
    assert same(again.quantiles(features(1)), shipped().quantiles(features(1)))


def test_a_model_of_other_features_is_refused() -> None:
    document = {"features": [*NAMES[1:], "more"], "levels": [0.5], "boosters": []}
    with pytest.raises(WrongModel, match="features must be "):
        GlobalModel.read(gzip.compress(json.dumps(document).encode()))
