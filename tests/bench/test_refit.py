"""What a refit would give: only the past of a series trains, only what came after judges, and a fit tells its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.forecast_model import __main__ as command
from bench.forecast_model.blend import DAY_SLOTS, LEADS_SECONDS, Replay, blended
from bench.forecast_model.cascade import LEVELS, fit
from bench.forecast_model.draw import FLOOR_RPS, REPLICA_RPS, drawn, moments
from bench.forecast_model.holdout import Row, Score
from bench.forecast_model.refit import Fitted, Halves, costs, fitted, gains, judged
from bench.forecast_model.sample import Samples
from bench.forecast_model.series import Series, Synthetic
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.foresight import Target
from tests.bench.test_forecast_model import load, some, split, trace_folder

HALF = 600
MIB = 2**20


def user(rates: Floats, name: str = "user") -> Series:
    return Series(name, held_out=True, rates=rates)


def later(rates: Floats, name: str = "user") -> Series:
    return replace(user(rates, name), seen_slots=len(rates) // 2)


def sampled(series: Sequence[Series]) -> list[Samples]:
    return drawn(series, rows=200, seed=1, workers=1, told=lambda share: None)


def test_others_train_and_of_a_user_the_first_half() -> None:
    other, steps = Series("other", held_out=False, rates=np.ones(2_000)), Synthetic("steps")
    halves = Halves.of([other, user(load(1, 2 * HALF)), steps])
    assert halves.others == (other, steps)
    assert [one.slots for one in halves.past] == [HALF]
    assert [(one.slots, one.seen_slots) for one in halves.coming] == [(2 * HALF, HALF)]
    assert halves.past[0].name != halves.coming[0].name


def test_nothing_that_judges_trains() -> None:
    rates = load(1, 2 * HALF)
    other = rates.copy()
    other[HALF:] = 3.0 * load(2, 2 * HALF)[HALF:] + 7.0
    (one,), (two,) = (sampled(Halves.of([user(each)]).past) for each in (rates, other))
    assert np.array_equal(one.features, two.features, equal_nan=True)
    assert (one.outcome == two.outcome).all()


def test_what_judges_comes_after_the_first_half_and_knows_all_of_it() -> None:
    found = moments(np.random.default_rng(1), 2_000, slots=2 * HALF, seen_slots=HALF)
    assert HALF <= found.newest.min() < HALF + 20
    assert (found.newest + found.last).max() < 2 * HALF
    assert (found.age == found.newest + 1).all()


def test_a_fit_in_a_process_of_its_own_is_the_same_and_tells_what_it_took() -> None:
    samples = some(rows=500)
    ours = np.ones(400 * MIB // 8)  # of this process, which the other one must not count
    found = fitted(samples, seed=1, rounds=3)
    assert ours.all()
    assert found.packed == fit(samples, seed=1, rounds=3).packed()
    assert found.samples == 500
    assert found.cpu_seconds > 0.0
    assert found.seconds > 0.0
    assert 30 * MIB < found.peak_bytes < 400 * MIB
    assert list(costs({"refitted": replace(found, seconds=7.4, peak_bytes=3 * MIB)}))[2].startswith(
        "| refitted | 500 | 7 | "
    )


def test_models_are_judged_on_the_same_samples() -> None:
    series = [later(np.ones(2 * HALF), "a"), later(load(3, 2 * HALF) / 60.0, "b")]
    packed = fit(some(rows=500), seed=1, rounds=3).packed()
    rows = judged(series, sampled(series), {"one": packed, "same": packed})
    assert [(row.name, row.rows) for row in rows] == [("a", 100), ("b", 100), ("all of them", 200)]
    for row in rows:
        assert (row.scores["one"].pinball == row.scores["same"].pinball).all()


def test_gains_are_changes_of_the_first_models_loss() -> None:
    def scored(loss: float) -> Score:
        return Score(coverage=np.ones(2), pinball=np.array([loss, 3.0 * loss]))

    lines = list(gains([Row(name="a", rows=1, scores={"first": scored(0.02), "second": scored(0.015)})]))
    assert lines[0] == "| loss of all levels, ‰ | first | second |"
    assert lines[2] == "| a | 40.00 | 30.00 (-25.0 %) |"


def replay(rates: Floats, *, after: bytes | None = None, quarters: int = 40) -> tuple[Floats, Floats]:
    """Outcomes and quantiles by lead time, window and minute, of ten minutes."""
    shipped = command.FILE.read_bytes()
    task = Replay(
        series=[later(rates)],
        before=shipped,
        after=after or shipped,
        warm_days=8 / DAY_SLOTS,
        days=quarters / DAY_SLOTS,
        seed=1,
    )
    (found,) = task.perform(lambda share: None)
    shape = (len(LEADS_SECONDS), len(Target), -1)
    return found["outcome"].reshape(shape), found["quantiles"].reshape(*shape, len(LEVELS))


def test_a_replay_scores_the_largest_demand_of_each_window_once_a_minute() -> None:
    rates = np.zeros(2 * HALF)
    rates[HALF + 100] = 1.0  # readings are of 30 s: 100 and 101 see the half of it each
    outcome, quantiles = replay(rates, quarters=120)
    assert outcome.shape == quantiles.shape[:-1] == (2, 2, 30)
    spiked = [[np.flatnonzero(one).tolist() for one in each] for each in outcome > np.log(FLOOR_RPS) + 1e-9]
    # Of minute m the quarter 4 m is asked: AHEAD sees 4 and 5, or 20 and 21, quarters on; MEANWHILE those before, too.
    assert spiked == [[[24], [24, 25]], [[20], [20, 21, 22, 23, 24, 25]]]
    assert outcome.max() == pytest.approx(np.log(0.5 * 10.0 * REPLICA_RPS + FLOOR_RPS), abs=0.05)


def test_a_replay_foresees_from_what_was_before() -> None:
    rates = load(4, 2 * HALF) / 300.0
    other = rates.copy()
    other[HALF + 20 :] += 0.5
    (_, one), (_, two) = replay(rates), replay(other)
    assert (one[..., :5, :] == two[..., :5, :]).all()
    assert (one[..., 5:, :] != two[..., 5:, :]).any()


def test_only_the_model_of_the_second_half_differs() -> None:
    flat = fit(some(rows=500), seed=1, rounds=3).packed()
    rates = load(5, 2 * HALF) / 300.0
    (came, shipped), (same, other) = replay(rates), replay(rates, after=flat)
    assert (came == same).all()
    assert (shipped != other).any()


def test_the_blend_is_judged_series_by_series() -> None:
    series = [later(np.full(2 * HALF, 0.5), "even"), later(load(6, 2 * HALF) / 300.0, "uneven")]
    shipped = command.FILE.read_bytes()
    rows = blended(
        series,
        {"one": shipped, "same": shipped},
        warm_days=8 / DAY_SLOTS,
        days=40 / DAY_SLOTS,
        seed=1,
        workers=1,
        told=lambda share: None,
    )
    assert [row.name for row in rows] == ["even", "uneven", "all of them"]
    assert rows[0].scores["one"].pinball.mean() < rows[1].scores["one"].pinball.mean()
    for row in rows:
        assert (row.scores["one"].pinball == row.scores["same"].pinball).all()


def test_the_command_prints_costs_and_both_comparisons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []

    def here(samples: Sequence[Samples], *, seed: int) -> Fitted:
        trained.append(sum(map(len, samples)))
        packed = fit(samples, seed=seed, rounds=3).packed()
        return Fitted(packed=packed, samples=trained[-1], seconds=1.0, cpu_seconds=1.0, peak_bytes=MIB)

    monkeypatch.setattr(command, "fitted", here)
    monkeypatch.setattr(command, "blended", partial(blended, warm_days=0.001, days=0.002))
    folder, listed = trace_folder(tmp_path / "traces"), split(tmp_path / "series.toml")
    usual = ["--rows", "1000", "--workers", "1", "--traces", f"{folder}", "--series", f"{listed}"]
    assert command.main([*usual, "--refit"]) == 0
    others, again, refitted, past = trained
    assert others == again == refitted - past
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| made/choosing | ") for line in lines) == 6
    assert any(line.startswith("scipy: ") for line in lines)
    assert any(line.startswith(f"| refitted | {refitted:,} | 1 | 1 | 1 | ") for line in lines)
