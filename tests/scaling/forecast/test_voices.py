"""Experts say a number or nothing, and who was right has the weight."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.forecast.features import NAMES
from foretide.scaling.forecast.voices import Voice, points, weights
from tests.scaling.build import bools, floats
from tests.scaling.strategies import seeds, seldom

NOTHING = floats(math.nan)
losses = st.lists(st.floats(0.0, 1e6), min_size=len(Voice), max_size=len(Voice))
voices = st.lists(st.booleans(), min_size=len(Voice), max_size=len(Voice))


@seldom
@given(losses, voices)
def test_weights_are_shares_of_those_that_speak(loss: list[float], speaks: list[bool]) -> None:
    found = weights(floats(*loss)[None], bools(*speaks)[None])[0]
    assert np.isfinite(found).all()
    assert (found >= 0.0).all()
    assert found.sum() == pytest.approx(1.0 if any(speaks) else 0.0)
    assert (found[~np.array(speaks)] == 0.0).all()


@seldom
@given(losses)
def test_a_smaller_loss_never_has_a_smaller_weight(loss: list[float]) -> None:
    found = weights(floats(*loss)[None], np.ones((1, len(loss)), dtype=np.bool_))[0]
    assert (np.diff(found[np.argsort(loss)]) <= 1e-12).all()


def test_a_voice_that_is_far_worse_is_hardly_heard() -> None:
    found = weights(floats(0.02, 0.2)[None], bools(True, True)[None])[0]
    assert found[1] < 0.01


@seldom
@given(seeds)
def test_of_any_features_an_expert_says_a_number_or_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.choice([-50.0, -1.0, 0.0, 0.3, 50.0, np.nan], (30, len(NAMES)))
    table[:, :2] = np.log(random.uniform(15.0, 1200.0, (30, 2)))  # what is asked for is known
    found = points(table, table[:, -1])
    assert found.shape == (30, len(Voice) - 1)
    assert not np.isinf(found).any()


def test_each_expert_speaks_where_it_has_something_to_go_by() -> None:
    column = {name: place for place, name in enumerate(NAMES)}
    table = np.full((1, len(NAMES)), np.nan)
    table[0, [column["start"], column["width"]]] = np.log(60.0)
    assert np.isnan(points(table, NOTHING)).all()
    table[0, column["newest"]] = 0.0
    assert np.isfinite(points(table, NOTHING)[0, Voice.PERSISTENCE - 1])
    for voice, feature in ((Voice.DAY, "growth_1440"), (Voice.WEEK, "growth_10080"), (Voice.HOUR, "growth_60")):
        assert np.isnan(points(table, NOTHING)[0, voice - 1])
        table[0, column[feature]] = 0.7
        assert points(table, NOTHING)[0, voice - 1] == 0.7
    assert np.isnan(points(table, NOTHING)[0, Voice.SEASON - 1])
    assert points(table, floats(0.7))[0, Voice.SEASON - 1] == 0.7


def test_a_trend_goes_on_and_ends() -> None:
    column = {name: place for place, name in enumerate(NAMES)}
    said = []
    for start in (15.0, 60.0, 300.0, 1200.0, 12_000.0):
        table = np.zeros((1, len(NAMES)))
        table[0, [column["start"], column["width"]]] = np.log([start, 15.0])
        table[0, [column["mean_5m"], column["mean_15m"]]] = -0.2, -0.5  # it grew for a quarter of an hour
        said.append(points(table, NOTHING)[0, Voice.TREND - 1] - points(table, NOTHING)[0, Voice.PERSISTENCE - 1])
    assert said == sorted(said)
    assert said[0] > 0.0
    assert said[-1] <= 0.5
