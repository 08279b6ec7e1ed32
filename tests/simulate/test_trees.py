"""Compiled trees say what LightGBM says, to the last bit."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.forecast.features import NAMES
from foretide.scaling.forecast.model import shipped
from foretide.simulate.trees import BLOCK, Trees, Unfit, compiled_model
from tests.scaling.strategies import seeds, seldom

THRESHOLDS = np.array(
    [
        float(number)
        for booster in shipped().boosters
        for line in re.findall(r"^threshold=(.*)$", booster.text, re.MULTILINE)
        for number in line.split()
    ]
)
# Where comparisons are delicate: on either side of what counts as 0, no number, and the ends.
DELICATE = [0.0, -0.0, 1e-36, -1e-36, 1e-35, 1.0000001e-35, np.inf, -np.inf, np.nan]


@seldom
@given(seeds, st.sampled_from([0, 1, 2, 100, BLOCK - 1, BLOCK, BLOCK + 1]))
def test_of_any_features_they_say_the_same(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    table = random.normal(0.0, 2.0, (count, len(NAMES)))
    for share, values in ((0.3, THRESHOLDS), (0.2, DELICATE), (0.2, [np.nan])):
        chosen = random.random(table.shape) < share
        table[chosen] = random.choice(values, int(chosen.sum()))
    assert np.array_equal(compiled_model().quantiles(table), shipped().quantiles(table))


def test_just_beside_each_threshold() -> None:
    single = THRESHOLDS.astype(np.float32)
    values = np.concatenate([single, np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(9e9))])
    table = np.resize(np.unique(values), (400, len(NAMES))).astype(np.float64)
    assert np.array_equal(compiled_model().quantiles(table), shipped().quantiles(table))


@pytest.mark.parametrize(
    ("text", "replaced", "says"),
    [
        ("num_cat=0", "num_cat=1", "numerical splits"),
        ("is_linear=0", "is_linear=1", "constant leaves"),
        ("num_leaves=31", "num_leaves=33", "at most 32"),
        ("decision_type=2", "decision_type=1", "must be numerical"),
        ("decision_type=2", "decision_type=4", "0 must be a number"),
        ("\nTree=", "\nBush=", "boosted trees"),
    ],
)
def test_other_trees_are_refused(text: str, replaced: str, says: str) -> None:
    given_text = shipped().boosters[0].text
    assert text in given_text
    with pytest.raises(Unfit, match=says):
        Trees(given_text.replace(text, replaced))


def test_another_number_of_features_is_refused() -> None:
    with pytest.raises(Unfit, match="must have 56 features, not 3"):
        compiled_model().boosters[0].predict(np.zeros((1, 3), dtype=np.float32))
