"""The generator of the capacity table: its replica is the simulator's, and the file is what it makes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.capacity_table import __main__ as command
from bench.capacity_table import make
from bench.capacity_table.accuracy import Point, Row, compare, points
from bench.capacity_table.make import SEED, SHAPE, TABLE, point, times_of
from bench.capacity_table.page import summary, write_page
from bench.capacity_table.replica import arrivals, steady
from foretide.scaling.capacity.table import read
from foretide.simulate.capacity import share_in_time
from foretide.simulate.scenario import Lane, Law

SINGLE_SECONDS = 0.05


@pytest.mark.parametrize(
    ("share", "batch", "servers", "cv2", "load"),
    [
        (1.0, 1, 1, 1.0, 0.7),
        (0.2, 8, 1, 1.0, 0.8),
        (0.2, 8, 3, 4.0, 0.6),
        (0.7, 32, 2, 2.0, 0.5),
        (0.0, 16, 1, 4.0, 0.9),
    ],
)
def test_the_replica_is_that_of_the_simulator(share: float, batch: int, servers: int, cv2: float, load: float) -> None:
    """The same arrivals at both."""
    levels = np.array([0.9, 0.99])
    times = arrivals(200_000, cv2=cv2, seed=3)
    found, _ = steady(times, load=load, per_item=share, max_batch=batch, servers=servers, levels=levels)
    law = Law(
        per_item_seconds=share * SINGLE_SECONDS,
        fixed_seconds=(1.0 - share) * SINGLE_SECONDS,
        max_batch=batch,
        instances=servers,
        noise_cv=0.0,
        between_batches_seconds=0.0,
        overhead_seconds=0.0,
    )
    sent = times / (load * law.saturation_rps)
    for latency, level in zip(found, levels, strict=True):
        lane = Lane(
            name="one",
            rates_rps=np.ones(1),
            step_seconds=15.0 * math.ceil(sent[-1] / 15.0),
            seed=4,
            law=law,
            slo_latency_seconds=float(latency) * SINGLE_SECONDS,
            arrival_times=sent,
            max_replicas=1,
            initial_replicas=1,
        )
        # What is left: the first part, which is not counted, ends elsewhere, and a bin of latencies is 0.2 % wide.
        assert 1.0 - share_in_time(lane) == pytest.approx(1.0 - level, rel=0.02)


def test_arrivals_have_their_rate_and_their_variation() -> None:
    for cv2 in (1.0, 4.0):
        intervals = np.diff(arrivals(200_000, cv2=cv2, seed=1), prepend=0.0)
        assert intervals.mean() == pytest.approx(1.0)
        assert intervals.var() == pytest.approx(cv2, rel=0.05)


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (5, 3, 1, 2)])
def test_points_of_the_file_are_made_the_same_again(place: tuple[int, int, int, int]) -> None:
    """A third of a second each: at the two ends of the axis of loads."""
    with TABLE.open("rb") as file:
        known = read(file)
    latency, mean = point(place, times_of(place[3]))
    assert np.abs(latency - known.latency[place]).max() < 1.0 / 512
    assert np.abs(mean - known.mean[place]).max() < 1.0 / 512


def test_a_table_comes_back_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "LOAD", np.array([0.3, 0.9]))
    monkeypatch.setattr(make, "SHAPE", (*SHAPE[:4], 2))
    done: list[float] = []
    latency, mean = make.make(requests=300, seed=SEED, told=done.append)
    assert (done == sorted(done), done[-1]) == (True, 1.0)
    make.write(latency, mean, tmp_path / "table.npz")
    with (tmp_path / "table.npz").open("rb") as file:
        back = read(file)
    assert np.abs(back.latency[:, 1:] - latency[:, 1:]).max() <= 0.5 / 512
    assert np.abs(back.mean[:, 1:] - mean[:, 1:]).max() <= 0.5 / 512
    assert (back.latency[:, 0] == back.latency[0, 0]).all()
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.npz"]


@pytest.mark.parametrize(
    "chosen",
    [
        Point(per_item_share=0.2, max_batch=12, instances=1, arrival_cv2=1.0, slo_singles=4.8, objective=0.99),
        Point(per_item_share=0.6, max_batch=5, instances=2, arrival_cv2=2.5, slo_singles=7.0, objective=0.97),
        Point(per_item_share=0.05, max_batch=40, instances=1, arrival_cv2=3.0, slo_singles=3.3, objective=0.995),
    ],
    ids=["usual", "two steep ones", "bursts"],
)
def test_off_the_grid_it_promises_what_the_simulator_finds(chosen: Point) -> None:
    (row,) = compare([chosen])
    assert row.holds, row


def test_random_points_are_within_what_the_card_says_and_the_same_again() -> None:
    some = points(100, seed=1)
    assert some == points(100, seed=1)
    assert {one.instances for one in some} == {1, 2, 3, 4}
    assert all(1 <= one.max_batch <= 64 and 0.9 <= one.objective <= 0.999 for one in some)


def test_the_card_has_a_line_for_each_comparison(tmp_path: Path) -> None:
    chosen = points(2, seed=1)
    rows = [
        Row(point=one, simulated=0.5, table=share, kingman=0.8) for one, share in zip(chosen, (0.5, 0.45), strict=True)
    ]
    lines = list(summary(rows))
    assert "| 50.0% |" in lines[2]
    assert "+60.0" in lines[3]
    write_page(rows, tmp_path / "card.md")
    assert "SHA-256" in (tmp_path / "card.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--requests", "9"], "--requests must be 10000 or more, not 9"),
        (["--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["--check", "--points", "0"], "--points must be 1 or more, not 0"),
    ],
)
def test_numbers_out_of_range_are_refused_in_a_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_check_that_finds_a_difference_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with TABLE.open("rb") as file:
        known = read(file)
    latency, mean = known.latency.copy(), known.mean.copy()
    latency[1:, 0], mean[1:, 0] = 0.0, 0.0
    make.write(latency + 0.1, mean, tmp_path / "table.npz")
    assert command.main(["--check", "--points", "1", "--file", str(tmp_path / "table.npz")]) == 1
    assert "off by up to" in capsys.readouterr().out
