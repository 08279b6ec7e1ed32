"""The training of the global model: no judge trains, no sample knows its future, and the file is what was shipped."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.faro_table.inputs import load as judged_day
from bench.forecast_model import __main__ as command
from bench.forecast_model import draw, synthetic
from bench.forecast_model.cascade import LEVELS, fit
from bench.forecast_model.draw import FARTHEST_SLOTS, chunk, drawn, moments
from bench.forecast_model.holdout import held_out, markdown, persistence, score, seasonal_day
from bench.forecast_model.sample import Moments, Samples, history_at, readings, samples
from bench.forecast_model.series import Series, Source, Synthetic, pieces, quarters, read_series
from bench.places import REPOSITORY
from bench.scaling import console
from bench.scaling.split import SERIES, TRACES
from foretide.scaling.arrays import Floats
from foretide.scaling.forecast import model
from foretide.scaling.forecast.calibration import Calibration
from foretide.scaling.forecast.features import NAMES
from foretide.scaling.forecast.history import DAY_MINUTES, SLOTS, History
from foretide.scaling.readings import Readings
from foretide.simulate.command.refused import Refused
from foretide.simulate.traces import Trace
from tests.scaling.strategies import seeds, seldom

NOON = 4 * DAY_MINUTES * 20_000 + 4 * 720
FLOOR = 2.0


def at(newest: int, *, start: float = 5.0, width: float = 60.0, age: int | None = None) -> Moments:
    return Moments(
        newest=np.array([newest]),
        age=np.array([newest + 1 if age is None else age]),
        start_seconds=np.array([start]),
        width_seconds=np.array([width]),
    )


def load(seed: int, slots: int = 2_400) -> Floats:
    """Rates with a trend, spikes and idle times."""
    random = np.random.default_rng(seed)
    smooth = 50.0 + 40.0 * np.sin(np.arange(slots) / 200.0)
    rates: Floats = smooth * random.choice([0.0, 1.0, 1.0, 1.0, 5.0], slots // 20 + 1).repeat(20)[:slots]
    return rates


def trace_folder(folder: Path, *, judge_rps: float = 3.0) -> Path:
    """Two hours of minutes: one series trains, one chooses, one judges, one is idle."""
    folder.mkdir()
    lines = ["t_s,one,choosing,judge,idle"]
    lines += [f"{60 * minute},{10 + minute % 7},{20 + minute % 5},{judge_rps},0" for minute in range(120)]
    (folder / "made.csv").write_text("\n".join(lines) + "\n")
    return folder


def split(file: Path, judge: str = "judge") -> Path:
    entries = [("choosing", "choose"), (judge, "judge")]
    file.write_text("".join(f'[[series]]\ntrace="made"\nseries="{name}"\nsplit="{what}"\n' for name, what in entries))
    return file


def test_no_judge_trains_whatever_its_numbers_are(tmp_path: Path) -> None:
    listed = split(tmp_path / "series.toml")
    few, many = (read_series(listed, trace_folder(tmp_path / str(rps), judge_rps=rps)) for rps in (3.0, 3e5))
    assert [(one.name, one.held_out) for one in few] == [("made/one", False), ("made/choosing", True)]
    for one, other in zip(few, many, strict=True):
        assert (one.rates == other.rates).all()


def test_no_judge_of_the_public_traces_trains(tmp_path: Path) -> None:
    """All of their names, with an hour of other numbers: to read the real ones takes seconds."""
    for file in TRACES.glob("*.csv.gz"):
        with gzip.open(file, "rt") as stream:
            header = stream.readline()
        rows = [",".join(map(str, [60 * minute, *[1] * header.count(",")])) for minute in range(61)]
        (tmp_path / file.name.removesuffix(".gz")).write_text("\n".join([header.strip(), *rows]))
    names: dict[str, set[str]] = {"judge": set(), "choose": set()}
    for entry in tomllib.loads(SERIES.read_text())["series"]:
        names[entry["split"]].add(f"{entry['trace']}/{entry['series']}")
    found = {one.name: one.held_out for one in read_series(SERIES, tmp_path)}
    assert len(found) == 69 - len(names["judge"])
    assert not found.keys() & names["judge"]
    assert {name for name, held_out in found.items() if held_out} == names["choose"]


def test_a_judge_with_a_wrong_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="made/jugde"):
        read_series(split(tmp_path / "series.toml", judge="jugde"), trace_folder(tmp_path / "traces"))


def test_steps_of_ten_seconds_become_quarter_minutes_with_the_same_requests() -> None:
    trace = Trace(
        name="t",
        step_seconds=10.0,
        series=("a",),
        counts=np.array([[10.0, 20.0, 30.0, 40.0]]),
        factor=np.ones(1),
    )
    # 10 + half of 20 in the first, the other half and 30 in the second; the last 10 s are no quarter minute.
    assert quarters(trace) * 15.0 == pytest.approx([20.0, 40.0])


@pytest.mark.parametrize(
    ("start", "width", "highest"),
    [
        # Slots end 15 s, 30 s, ... from now. Those of 61 .. 75 s and 76 .. 90 s see the half of the spike each.
        (5.0, 15.0, 10.0),  # slots 1 .. 2
        (5.0, 55.0, 10.0),  # 1 .. 4
        (5.0, 55.1, 25.0),  # 1 .. 5
        (30.0, 30.0, 10.0),  # 2 .. 4
        (30.0, 30.1, 25.0),  # 2 .. 5
        (90.0, 30.0, 25.0),  # 6 .. 8
        (90.1, 30.0, 10.0),  # 7 .. 9
    ],
)
def test_the_outcome_is_the_largest_reading_in_the_window(start: float, width: float, highest: float) -> None:
    counts = np.full(400, 10.0)
    counts[305] = 40.0
    found = samples(counts, at(300, start=start, width=width), slot=NOON, floor_rps=FLOOR)
    assert found.outcome == pytest.approx([np.log((highest + FLOOR) / (10.0 + FLOOR))])
    assert found.features[0, NAMES.index("start")] == pytest.approx(np.log(start))


@seldom
@given(seed=seeds, start=st.floats(5.0, 900.0), width=st.floats(15.0, 225.0))
def test_the_outcome_is_what_the_operator_will_score(seed: int, start: float, width: float) -> None:
    counts, moment = load(seed, 400), at(300, start=start, width=width)
    demand, slot = readings(counts), NOON
    found = samples(counts, moment, slot=slot, floor_rps=FLOOR)
    history = history_at(counts, demand, moment, slot=slot)
    level = np.log(np.mean(demand[297:301]) + FLOOR)
    blank = np.zeros((1, 1))
    issued = Calibration.fresh(1, offset=blank, loss=np.zeros(1), missed=np.zeros(1)).with_issued(
        slot, np.full((1, 1, 1), level), floor=np.full(1, FLOOR), first=moment.first[:, None], last=moment.last[:, None]
    )
    for ahead in range(1, int(moment.last[0]) + 1):
        value = Readings(value=demand[300 + ahead : 301 + ahead], known=np.ones(1, dtype=bool))
        history = history.append(value, now_seconds=15.0 * (slot + ahead))
    scored = issued.scored(history, np.array([0.5]))
    assert scored.outcomes[0, 0] == 1.0
    # Of level 0.5 the pinball loss is half the distance; a 720th of it is kept.
    assert scored.loss[0, 0] * 720.0 == pytest.approx(0.5 * abs(found.outcome[0]), abs=1e-5)


@seldom
@given(seed=seeds, newest=st.integers(SLOTS, 2_000), slot=st.integers(NOON, NOON + 5_760), start=st.floats(5.0, 900.0))
def test_features_know_nothing_of_the_future(seed: int, newest: int, slot: int, start: float) -> None:
    counts, moment = load(seed), at(newest, start=start)
    other = counts.copy()
    other[newest + 1 :] = load(seed + 1)[newest + 1 :] * 3.0 + 7.0
    one, two = (samples(each, moment, slot=slot, floor_rps=FLOOR).features for each in (counts, other))
    assert np.array_equal(one, two, equal_nan=True)


@seldom
@given(seed=seeds, newest=st.integers(SLOTS, 2_000), slot=st.integers(NOON, NOON + 5_760), age=st.integers(10, 1_000))
def test_a_new_service_knows_nothing_of_the_time_before_it_began(seed: int, newest: int, slot: int, age: int) -> None:
    moment = at(newest, age=min(age, newest))
    counts = load(seed)
    other = counts.copy()
    # The first reading, of 30 s, may see one quarter minute more.
    other[: newest - int(moment.age[0])] = 999.0
    one, two = (samples(each, moment, slot=slot, floor_rps=FLOOR).features for each in (counts, other))
    assert np.array_equal(one, two, equal_nan=True)


@pytest.mark.parametrize("so_far", [0, 1, 2, 3])
@pytest.mark.parametrize("age", [10, 333, None])
def test_the_history_is_the_one_that_the_operator_gathers(so_far: int, age: int | None) -> None:
    counts = 100.0 + 90.0 * np.sin(np.arange(900) / 100.0)
    demand, moment, slot = readings(counts), at(801, age=age), NOON + so_far
    found = history_at(counts, demand, moment, slot=slot)
    gathered = History.empty(1)
    for place in range(802 - int(moment.age[0]), 802):
        value = Readings(value=demand[place : place + 1], known=np.ones(1, dtype=bool))
        gathered = gathered.append(value, now_seconds=15.0 * (slot - 801 + place) + 7.0)
    assert (found.slot, found.day) == (gathered.slot, gathered.day)
    assert np.array_equal(found.recent, gathered.recent, equal_nan=True)
    ours, theirs = found.between(slot // 4 - 300, slot // 4)[0], gathered.between(slot // 4 - 300, slot // 4)[0]
    # The minute in which it began is left out where it was none from its first second.
    assert np.isfinite(theirs).sum() - np.isfinite(ours).sum() in (0, 1)
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both[-2:].all()
    # A reading looks back by 30 s, and so lags by half a slot.
    assert np.abs(ours - theirs)[both].max() < 1.0


def test_moments_are_those_that_the_operator_asks_for() -> None:
    drawn_of = moments(np.random.default_rng(1), 4_000, slots=5_000)
    assert drawn_of.newest.min() >= SLOTS
    assert (drawn_of.newest + drawn_of.last).max() < 5_000
    assert drawn_of.last.max() <= FARTHEST_SLOTS
    assert drawn_of.first.min() >= 1
    assert (drawn_of.age <= drawn_of.newest + 1).all()
    assert np.mean(drawn_of.age < drawn_of.newest + 1) > 0.15
    soon = drawn_of.start_seconds == 5.0
    assert np.mean(soon) == pytest.approx(0.5, abs=0.03)
    assert 30.0 <= drawn_of.width_seconds[soon].min() < 40.0
    assert 1_000.0 < drawn_of.width_seconds[soon].max() <= 1_125.0
    assert 700.0 < drawn_of.start_seconds.max() <= 900.0
    assert set(drawn_of.width_seconds[~soon]) == {15.0 * slots for slots in range(1, 9)}


def some(seed: int = 1, rows: int = 200) -> list[Samples]:
    series = [Series(name, name == "b", load(2) / 60.0) for name in ("a", "b")]
    return drawn(series, rows=rows, seed=seed, workers=1, told=lambda share: None)


def test_equal_seeds_make_equal_bytes() -> None:
    first, second = (fit(some(rows=500), seed=1, rounds=3).packed() for _ in range(2))
    assert first == second
    assert fit(some(seed=2, rows=500), seed=1, rounds=3).packed() != first


@pytest.mark.parametrize(("bursty", "least", "most"), [(0.0, 0.0, 0.1), (1.0, 0.02, 0.6)])
def test_noise_is_in_the_samples(bursty: float, least: float, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant load of 3 to 100 replicas: its maximum is above its level, by a little, or by what its bursts are."""
    monkeypatch.setattr(draw, "BURSTY_SHARE", bursty)
    found = [chunk(np.ones(3_000), rows=100, random=np.random.default_rng(seed)).outcome for seed in range(8)]
    assert least < np.mean(found) < most
    assert np.std(found) > 0.0


def test_bursts_change_no_mean() -> None:
    random = np.random.default_rng(4)
    found = np.array([draw.bursts(random, 4_000) for _ in range(40)])
    assert (found >= 0.0).all()
    assert found.mean() == pytest.approx(1.0, abs=0.02)
    assert 0.2 < np.mean(found.std(axis=1) == 0.0) < 0.8


def test_the_hold_out_says_how_often_and_how_far() -> None:
    scored = score(np.array([0.0, 1.0]), np.tile([0.0, 0.5, 1.0, 2.0, 3.0], (2, 1)))
    assert scored.coverage == pytest.approx([0.5, 0.5, 1.0, 1.0, 1.0])
    # 0.9: one of 0.5 below at 0.1 each, one of 0.5 above at 0.9 each.
    assert scored.pinball[1] == pytest.approx((0.1 * 0.5 + 0.9 * 0.5) / 2)
    series = [Series(name, name == "b", np.ones(1)) for name in ("a", "b")]
    rows = held_out(series, some(), seed=1, rounds=3)
    assert [(row.name, row.rows) for row in rows] == [("b", 100), ("all of them", 100)]
    lines = list(markdown(rows))
    assert lines[2].startswith("| b | ")
    assert lines[2].count(" / ") == 2 * len(LEVELS)


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", [1, 106_293])
def test_synthetic_loads_are_loads_and_each_is_another_one(kind: str, seed: int) -> None:
    first, again, other = (synthetic.synthetic(kind, np.random.default_rng(one)) for one in (seed, seed, seed + 1))
    assert first.shape == (synthetic.SLOTS,)
    assert first.min() >= 0.0
    assert first.max() == 1.0
    assert (first == again).all()
    assert kind == "steady" or (first != other).any()


def test_a_step_lasts_and_a_clock_strikes_again() -> None:
    changes = np.flatnonzero(np.diff(synthetic.synthetic("steps", np.random.default_rng(3))))
    assert 0 < len(changes) < synthetic.SLOTS / 40
    rises = np.diff(synthetic.synthetic("clocks", np.random.default_rng(3))) > 0.1
    assert np.count_nonzero(rises) >= 8


def test_pieces_are_the_days_before_the_one_that_is_judged() -> None:
    found = pieces()
    assert len({one.name for one in found}) == len(found) > 90
    assert {one.slots for one in found} == {6 * 240}
    assert all(one.rates.min() >= 0.0 and one.rates.max() > 0.0 and not one.held_out for one in found)
    judged = {tuple(np.repeat(counts, 4) > np.median(counts)) for counts in judged_day().counts}
    assert not judged & {tuple(one.rates > np.median(one.rates)) for one in found}


def test_samples_are_drawn_by_weight() -> None:
    sources: list[Source] = [
        Series("a", held_out=False, rates=np.ones(3_000), weight=0.5),
        Synthetic("steps", weight=1.0),
    ]
    assert [len(one) for one in drawn(sources, rows=300, seed=1, workers=1, told=lambda share: None)] == [100, 200]


def test_baselines_need_no_training() -> None:
    features = np.full((2, len(NAMES)), np.nan, dtype=np.float32)
    features[0, NAMES.index("growth_1440")] = 0.25
    known = Samples(features, np.zeros(2))
    assert persistence(known).tolist() == [0.0, 0.0]
    assert seasonal_day(known).tolist() == [0.25, 0.0]


def test_the_model_that_is_shipped_has_its_checksum_and_its_card() -> None:
    packed = command.FILE.read_bytes()
    assert hashlib.sha256(packed).hexdigest() == model.SHA256
    card = (REPOSITORY / "docs" / "forecast-model.md").read_text()
    assert model.SHA256 in card
    assert f"{len(packed):,} bytes" in card
    shipped = model.shipped()
    assert tuple(shipped.levels) == LEVELS
    assert shipped.packed() == packed


@seldom
@given(seed=seeds, unknown=st.floats(0.0, 1.0))
def test_quantiles_of_the_shipped_model_ascend_and_are_finite(seed: int, unknown: float) -> None:
    random = np.random.default_rng(seed)
    table = random.normal(0.0, 3.0, (50, len(NAMES)))
    table[random.random(table.shape) < unknown] = np.nan
    table[random.random(table.shape) < 0.05] = np.inf
    table[random.random(table.shape) < 0.05] = -np.inf
    found = model.shipped().quantiles(table)
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=1) >= 0.0).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rows", "999"], "--rows must be 1000 or more, not 999"),
        (["--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["--workers", "0"], "--workers must be 1 or more, not 0"),
        (["--check", "--write"], "not allowed with argument"),
    ],
)
def test_what_is_out_of_range_is_refused_in_a_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_model_is_written_and_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "fit", partial(fit, rounds=3))
    folder, listed, file = trace_folder(tmp_path / "traces"), split(tmp_path / "series.toml"), tmp_path / "m.json.gz"
    usual = ["--rows", "1000", "--workers", "1", "--traces", f"{folder}", "--series", f"{listed}", "--file", f"{file}"]
    assert command.main(usual) == 1
    assert "ANOTHER" in capsys.readouterr().out
    assert command.main([*usual, "--write"]) == 0
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    assert f'SHA256: Final = "{checksum}"' in capsys.readouterr().out
    assert command.main(usual) == 0
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["m.json.gz", "series.toml", "traces"]


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [(KeyboardInterrupt(), 130, "interrupted: nothing is written"), (OSError("no space"), 1, "no space")],
)
def test_how_it_ends(
    raised: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_: object) -> None:
        raise raised

    monkeypatch.setattr(command, "read_sources", stopped)
    monkeypatch.setattr(console, "sigterm_as_ctrl_c", lambda: None)
    assert command.main([]) == status
    assert words in capsys.readouterr().err
