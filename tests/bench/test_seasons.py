"""Loads with a rhythm of their own: what the benchmark of young services sends."""

from __future__ import annotations

import numpy as np

from bench.brain.special import STEP_SECONDS
from bench.seasons import DAY_REPLICAS, HOURS, NIGHT_REPLICAS, PERIODS_SECONDS, SHAPES, UNEVEN, lanes
from foretide.scaling.forecast.season import period_minutes


def test_each_shape_comes_with_each_period_and_each_unevenness() -> None:
    named = list(lanes())
    assert len(named) == len(SHAPES) * len(PERIODS_SECONDS) * len(UNEVEN)
    assert {one.seconds for _, one in named} == {HOURS * 3_600.0}


def test_shapes_go_from_the_night_to_the_height_of_a_day() -> None:
    phase = np.linspace(0.0, 1.0, 1_000, endpoint=False)
    for name, height in SHAPES.items():
        heights = height(phase)
        assert heights.min() <= 0.1 < 1.0 - 1e-3 <= heights.max() <= 1.0, name


def test_an_even_rhythm_is_found_by_its_minutes() -> None:
    even = [one for _, one in lanes()][:: len(UNEVEN)]
    minutes = np.stack([one.rates_rps.reshape(-1, round(60.0 / STEP_SECONDS)).mean(axis=1) for one in even])
    found = period_minutes(minutes.astype(np.float32), np.zeros(len(minutes)), np.zeros(len(minutes), dtype=np.bool_))
    assert np.allclose(found, np.tile(np.array(PERIODS_SECONDS) / 60.0, len(SHAPES)), atol=1.0)


def test_nights_are_never_still() -> None:
    least = min(one.rates_rps.min() / one.rates_rps.max() for _, one in lanes())
    assert 0.0 < least < NIGHT_REPLICAS / DAY_REPLICAS
