"""What quantiles lack is learned from what came: in the end the share below each is its level, whatever it said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling import rows
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.calibration import ISSUED_EVERY_SLOTS, Calibration
from foretide.scaling.forecast.history import SLOTS, History
from foretide.scaling.normal import normal_score
from tests.scaling.build import ints, same
from tests.scaling.strategies import seeds, seldom

LEVELS = np.array([0.5, 0.9, 0.97, 0.99, 0.997])
ONCE = ISSUED_EVERY_SLOTS
# After one of slot 100.
DUE = [(99, True), (100, False), (99 + ONCE, False), (100 + ONCE, True), (5, True), (10**9, True)]


def fresh(services: int) -> Calibration:
    return Calibration.fresh(services, offset=np.zeros((1, 5)), loss=np.full(1, 0.1), missed=np.zeros(5))


def history(slot: int, demand: Floats) -> History:
    """The last quarter minutes [services, some], the newest last."""
    recent = np.full((len(demand), SLOTS), np.nan, dtype=np.float32)
    recent[:, SLOTS - demand.shape[1] :] = demand
    return replace(History.empty(len(demand)), slot=slot, recent=recent)


def minute(
    calibration: Calibration, slot: int, demand: Floats, said: Floats, *, first: int = 1, last: int = ONCE
) -> Calibration:
    """Scores what came, and says the same again of the next minute."""
    scored = calibration.scored(history(slot, demand), LEVELS)
    services = len(demand)
    window = np.ones((services, 1), dtype=np.int64)
    return scored.with_issued(
        slot, said[:, None], floor=np.full(services, 1e-9), first=first * window, last=last * window
    )


def lived(bias: float, spread: float, minutes: int, seed: int = 0, services: int = 40) -> tuple[Calibration, Floats]:
    """Outcomes of lognormal noise, foreseen with a bias and without any spread; and the share below each level over
    the last two thirds."""
    random = np.random.default_rng(seed)
    calibration, said = fresh(services), np.full((services, 5), np.log(10.0 * bias))
    below, judged = np.zeros(5), 0
    calibration = calibration.with_issued(0, said[:, None], floor=np.full(services, 1e-9), **_windows(services))
    for step in range(1, minutes + 1):
        came = 10.0 * np.exp(spread * random.standard_normal(services))
        if step > minutes // 3:
            below += (np.log(came)[:, None] <= calibration.calibrated(said[:, None], slice(0, 1))[:, 0]).sum(axis=0)
            judged += services
        calibration = minute(calibration, step * ONCE, np.repeat(came[:, None], ONCE, axis=1), said)
    return calibration, below / judged


def _windows(services: int) -> dict[str, np.ndarray]:
    ones = np.ones((services, 1), dtype=np.int64)
    return {"first": ones, "last": ONCE * ones}


@pytest.mark.parametrize(("bias", "spread"), [(1.0, 0.3), (0.4, 0.3), (1.8, 0.2), (0.6, 0.5)])
def test_a_biased_forecast_covers_its_levels_after_enough_minutes(bias: float, spread: float) -> None:
    _, below = lived(bias, spread, 1_000)
    assert np.abs(below - LEVELS).max() <= 0.02


def test_without_an_outcome_nothing_is_learned() -> None:
    calibration = fresh(2)
    said = np.zeros((2, 5))
    for step in range(1, 40):
        calibration = minute(calibration, step * ONCE, np.full((2, ONCE), np.nan), said)
    assert same(calibration.offset, fresh(2).offset)
    assert (calibration.outcomes == 0.0).all()


@pytest.mark.parametrize(("first", "last"), [(1, 4), (4, 5), (3, 20), (12, 60)])
def test_every_window_is_judged_once_when_it_is_over(first: int, last: int) -> None:
    calibration, said = fresh(1), np.zeros((1, 5))
    for step in range(1, 101):
        calibration = minute(calibration, step * ONCE, np.ones((1, SLOTS)), said, first=first, last=last)
    expected = 100 - 1 - (last - 1) // ONCE
    assert calibration.outcomes[0, 0] == expected


def test_a_miss_raises_the_quantile_and_a_hit_lowers_it() -> None:
    said = np.zeros((2, 5))
    calibration = minute(fresh(2), ONCE, np.ones((2, ONCE)), said)
    after = minute(calibration, 2 * ONCE, np.repeat([[9.0], [0.1]], ONCE, axis=1), said)
    assert (after.offset[0] > 0.0).all()
    assert (after.offset[1] < 0.0).all()
    assert (after.missed[0] > after.missed[1]).all()


@seldom
@given(seeds, st.lists(st.integers(-50_000, 50_000), max_size=8))
def test_whatever_comes_and_whenever_it_stays_within_bounds(seed: int, jumps: list[int]) -> None:
    random = np.random.default_rng(seed)
    calibration, slot = fresh(3), 10**8
    for jump in [4, 4, *jumps, 4]:
        slot += jump
        demand = random.choice([0.0, 1e-30, 1.0, 4e9, np.nan], (3, SLOTS))
        said = np.sort(random.choice([-700.0, 0.0, 60.0, np.nan], (3, 1), p=[0.2, 0.4, 0.2, 0.2]) + np.zeros((3, 5)))
        calibration = minute(calibration, slot, demand, said, last=int(random.integers(1, 70)))
        for column in (calibration.offset, calibration.missed, calibration.loss):
            assert np.isfinite(column).all()
        assert (calibration.loss >= 0.0).all()
        assert ((calibration.missed >= 0.0) & (calibration.missed <= 1.0)).all()


@seldom
@given(seeds)
def test_what_is_calibrated_ascends(seed: int) -> None:
    random = np.random.default_rng(seed)
    calibration = replace(fresh(4), offset=random.normal(0.0, 1.0, (4, 1, 5)))
    found = calibration.calibrated(np.sort(random.normal(0.0, 1.0, (4, 1, 5)), axis=2), slice(0, 1))
    assert (np.diff(found, axis=2) >= 0.0).all()


def test_the_better_forecast_has_the_smaller_loss() -> None:
    score = normal_score(LEVELS)
    random, slot = np.random.default_rng(0), 0
    calibration = fresh(2)
    said = np.log(10.0) + np.stack([0.3 * score, 1.5 + 0.3 * score])
    for _ in range(120):
        slot += ONCE
        came = 10.0 * np.exp(0.3 * random.standard_normal())
        calibration = minute(calibration, slot, np.full((2, ONCE), came), said)
    assert calibration.loss[0, 0] < calibration.loss[1, 0]


@seldom
@given(seeds, st.integers(0, 4))
def test_rows_cut_out_and_put_together_are_the_same_and_go_on_alike(seed: int, cut: int) -> None:
    random = np.random.default_rng(seed)
    whole = fresh(4)
    for step in range(1, 7):
        whole = minute(whole, step * ONCE, random.uniform(0.1, 9.0, (4, ONCE)), random.normal(0.0, 1.0, (4, 5)))
    parts = [rows.take(whole, ints(*some)) for some in (range(cut), range(cut, 4))]
    again = Calibration.concatenate(parts)
    assert same(again, whole)
    demand = random.uniform(0.1, 9.0, (4, ONCE))
    scored = whole.scored(history(7 * ONCE, demand), LEVELS)
    alone = [
        part.scored(history(7 * ONCE, some), LEVELS) for part, some in zip(parts, np.split(demand, [cut]), strict=True)
    ]
    assert same(Calibration.concatenate(alone), scored)


def test_what_was_learned_stays_where_another_moment_is_newer() -> None:
    old = replace(fresh(1), offset=np.full((1, 1, 5), 0.4), slot=100)
    new = replace(fresh(1), slot=900)
    together = Calibration.concatenate([old, new])
    assert together.slot == 900
    assert (together.offset[0] == 0.4).all()
    assert np.isnan(together.issued).all()


@pytest.mark.parametrize(("slot", "due"), DUE)
def test_a_forecast_a_minute_is_issued_and_any_jump_of_the_clock_begins_anew(slot: int, due: bool) -> None:
    assert replace(fresh(1), slot=100).is_due(slot) is due
