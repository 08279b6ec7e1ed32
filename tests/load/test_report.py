"""What the numbers mean: failures count, late answers and wrong answers are not within the SLO."""

import math
from pathlib import Path

import numpy as np
import pytest

from e2e.load import Outcome, report
from e2e.load.result import Check, Row, collect, join

NAN = math.nan
ROWS = [
    Row(0.1, 0.1, 0.010, Outcome.OK, 200, Check.RIGHT),
    Row(0.2, 0.2, 0.020, Outcome.OK, 200, Check.WRONG),
    Row(0.3, 0.3, 0.300, Outcome.OK, 200, Check.RIGHT),
    Row(1.1, 1.2, 0.005, Outcome.HTTP_STATUS, 503, message="503 busy"),
    Row(1.2, 1.2, 0.030, Outcome.OK, 200, Check.RIGHT),
    Row(3.5, 3.5, 10.0, Outcome.TIMED_OUT, message="no answer"),
    Row(3.6, NAN, NAN, Outcome.NOT_SENT, message="too many in flight"),
]


def test_totals() -> None:
    sums = report.totals(collect(ROWS, started_at=0.0), slo_seconds=0.1)
    assert (sums.requests, sums.answered, sums.failed) == (7, 4, 3)
    assert sums.share_within_slo == pytest.approx(2 / 7)  # one is late, one is wrong, three failed
    assert (sums.answers_checked, sums.answers_wrong) == (4, 1)
    assert sums.outcomes["TIMED_OUT"] == sums.outcomes["NOT_SENT"] == sums.outcomes["HTTP_STATUS"] == 1
    assert sums.p50_seconds == pytest.approx(0.025)  # of the four answers
    assert sums.generator_was_late


def test_windows_cover_every_second_also_the_silent_one() -> None:
    rows = report.windows(collect(ROWS, started_at=0.0), slo_seconds=0.1)
    assert rows.starts_seconds.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert rows.rate_rps.tolist() == [3.0, 2.0, 0.0, 2.0]
    assert rows.failed.tolist() == [0.0, 1.0, 0.0, 2.0]
    assert rows.share_within_slo[:2] == pytest.approx([1 / 3, 1 / 2])
    assert math.isnan(rows.share_within_slo[2])
    assert math.isnan(rows.p99_seconds[3])
    assert rows.p50_seconds[1] == pytest.approx(0.030)


def test_nothing_is_not_zero() -> None:
    nothing = collect([], started_at=0.0)
    assert math.isnan(report.totals(nothing, slo_seconds=1.0).share_within_slo)
    assert len(report.windows(nothing, slo_seconds=1.0).starts_seconds) == 0


def test_sentences_name_each_failure_and_a_late_generator() -> None:
    text = "\n".join(report.sentences(collect(ROWS, started_at=0.0), slo_seconds=0.1))
    assert "7 requests, 4 answered, 3 failed" in text
    assert "1 x 503 busy" in text
    assert "the generator itself was late" in text


def test_parts_join_in_the_order_of_the_plan() -> None:
    whole = collect(ROWS, started_at=5.0)
    joined = join([collect(ROWS[3:], started_at=5.0), collect(ROWS[:3], started_at=5.0)])
    assert joined.started_at == 5.0
    assert joined.messages == whole.messages
    for name in ("planned_at", "sent_at", "latency_seconds", "outcome", "http_status", "answer"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert len(join([])) == 0


def test_a_result_is_saved_with_all_its_arrays(tmp_path: Path) -> None:
    collect(ROWS, started_at=5.0).save(tmp_path / "result.npz")
    with np.load(tmp_path / "result.npz") as saved:
        assert saved["outcome"].tolist() == [int(row.outcome) for row in ROWS]
        assert float(saved["started_at"]) == 5.0
