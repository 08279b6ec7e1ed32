"""The summary says what the arrays say, and the chart is drawn from them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from e2e.demo import chart
from e2e.demo.foreseen import Foreseen
from e2e.demo.summary import Summary, summarise
from e2e.demo.watch import Look
from e2e.load import Outcome, report
from e2e.load.result import Check, Result, Row, collect

KEYS = [
    "seconds_to_first_answer",
    "requests",
    "failed_requests",
    "share_within_slo",
    "replicas_min",
    "replicas_max",
    "answers_checked",
    "answers_wrong",
    "capacity_rps",
    "days",
]


def load(*, failed: int = 0, wrong: int = 0) -> Result:
    random = np.random.default_rng(2)
    rows = [
        Row(at, at, float(random.lognormal(-4, 0.5)), Outcome.OK, 200, Check.WRONG if i < wrong else Check.RIGHT)
        for i, at in enumerate(np.linspace(0.0, 59.0, 600).tolist())
    ]
    rows += [Row(60.0, 60.0, 0.1, Outcome.NOT_CONNECTED, message="refused") for _ in range(failed)]
    return collect(rows, started_at=1000.0)


LOOKS = [
    Look(at, ready, desired, "why")
    for at, ready, desired in [(990.0, 9, 9), (1005.0, 1, 3), (1020.0, 3, 3), (1058.0, 2, 2)]
]


def first(*, right: int, wrong: int = 0) -> list[Result]:
    checks = [Check.RIGHT] * right + [Check.WRONG] * wrong
    return [collect([Row(0.0, 0.0, 0.1, Outcome.OK, 200, check) for check in checks], started_at=900.0)]


def test_the_summary_of_a_good_run(tmp_path: Path) -> None:
    told = summarise(12.5, first(right=24), load(), LOOKS, slo_seconds=10.0)
    assert told == Summary(12.5, 624, 0, 1.0, 1, 3, 624, 0, None, None)
    told.write(tmp_path / "folder" / "summary.json")
    assert list(json.loads((tmp_path / "folder" / "summary.json").read_text())) == KEYS


def test_failures_and_wrong_answers_are_counted_wherever_they_happened() -> None:
    failed = summarise(1.0, first(right=1), load(failed=2), LOOKS, slo_seconds=10.0)
    assert (failed.failed_requests, failed.requests) == (2, 603)
    assert failed.share_within_slo == pytest.approx(600 / 602, abs=1e-5)
    wrong = summarise(1.0, first(right=1, wrong=1), load(wrong=3), LOOKS, slo_seconds=10.0)
    assert wrong.answers_wrong == 4


def test_without_load_what_was_not_measured_is_null(tmp_path: Path) -> None:
    told = summarise(12.5, first(right=24), None, [], slo_seconds=0.1)
    assert (told.requests, told.answers_checked) == (24, 24)
    told.write(tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text())["share_within_slo"] is None
    assert summarise(None, [], None, [], slo_seconds=0.1) == Summary(None, 0, 0, None, None, None, 0, 0, None, None)


FORESIGHT = [
    replace(each, foreseen=Foreseen(each.at, 8.0, 15.5, likely, provided))
    for each, likely, provided in zip(LOOKS, [None, 5.0, 9.0, None], [None, 12.0, 30.0, None], strict=True)
]


@pytest.mark.parametrize(
    ("result", "looks"),
    [
        (load(failed=5), LOOKS),
        (load(), LOOKS[:1]),
        (load().where(np.arange(600) < 1), []),
        (load(), FORESIGHT),
        (load(), FORESIGHT[:1]),
    ],
)
def test_the_chart_is_a_picture_with_something_on_it(tmp_path: Path, result: Result, looks: list[Look]) -> None:
    path = tmp_path / "new" / "demo.png"
    chart.draw(result, looks, slo_seconds=0.1, objective="99", season_seconds=30.0, path=path)
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 500
    assert picture.shape[1] > 800
    assert (picture[..., :3] < 0.9).any(axis=2).mean() > 0.01  # not blank


def test_silent_windows_leave_gaps_and_no_zeros(tmp_path: Path) -> None:
    result = load()
    kept = result.where((result.planned_at < 10.0) | (result.planned_at > 30.0))
    rows = report.windows(kept, slo_seconds=0.1, width_seconds=chart.WINDOW_SECONDS)
    assert math.isnan(rows.p99_seconds[3])
    chart.draw(kept, LOOKS, slo_seconds=0.1, objective="99", path=tmp_path / "demo.png")
