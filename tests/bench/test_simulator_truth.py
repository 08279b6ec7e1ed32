"""What is made of recordings of real pods; the pods themselves are in nobody's unit test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.simulator_truth.calibrate import Calibration
from bench.simulator_truth.cases import LAW, QUEUES, Case, cases
from bench.simulator_truth.compare import compare
from bench.simulator_truth.page import table, write
from bench.simulator_truth.recording import Recording

KNOWN = Calibration(overhead_seconds=0.001, between_batches_seconds=0.0, missed_wake_ups=0.0)
CASE = Case("limited", 1, 0.3, 60.0)
SIZES = np.arange(1.0, 9.0)
# Half of the time of a single request.
GAP_SECONDS = 0.025


def batches(*, spoiled: int | None = None) -> np.ndarray:
    """By the law; one size with a few executions on a machine that was slow."""
    seconds = LAW.per_item_seconds * SIZES + LAW.fixed_seconds
    counts = np.full(len(SIZES), 200.0)
    if spoiled is not None:
        counts[spoiled], seconds[spoiled] = 3.0, seconds[spoiled] + 0.5
    return np.stack([SIZES, counts, seconds], axis=1)


def recording(*, slower: float = 1.0, lost: int = 0) -> Recording:
    """Pairs of requests far from each other: the second one waits for the batch of the first."""
    first = np.arange(1.0, 59.0)
    sent = np.sort(np.concatenate([first, first + GAP_SECONDS]))
    single = LAW.batch_seconds(1) + KNOWN.overhead_seconds
    latency = np.where(np.arange(len(sent)) % 2 == 0, single, single + LAW.batch_seconds(1) - GAP_SECONDS) * slower
    answered = np.arange(len(sent)) < len(sent) - lost
    return Recording(sent_at=sent, latency_seconds=latency, answered=answered, batches=batches())


@pytest.mark.parametrize("spoiled", [None, 0, 4, 7])
def test_the_law_is_that_of_most_batches(spoiled: int | None) -> None:
    found = Recording(np.zeros(1), np.zeros(1), np.ones(1, dtype=np.bool_), batches(spoiled=spoiled)).law()
    assert found == pytest.approx((LAW.per_item_seconds, LAW.fixed_seconds), rel=0.02)


def test_a_law_of_one_size_is_refused() -> None:
    alone = Recording(np.zeros(1), np.zeros(1), np.ones(1, dtype=np.bool_), batches()[:1])
    with pytest.raises(ValueError, match="two sizes"):
        alone.law()


def test_a_recording_comes_back_as_it_was(tmp_path: Path) -> None:
    before = recording(lost=3)
    before.save(tmp_path / "one.npz")
    after = Recording.load(tmp_path / "one.npz")
    for name in ("sent_at", "latency_seconds", "answered", "batches"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    assert [file.name for file in tmp_path.iterdir()] == ["one.npz"]


def test_what_the_simulator_knows_exactly_holds() -> None:
    row = compare(CASE, recording(), KNOWN)
    assert row.holds
    assert abs(row.p99_error) < 0.03
    assert row.real_share == row.simulated_share == 1.0


def test_a_machine_that_is_slower_than_its_counters_say_does_not_hold() -> None:
    assert not compare(CASE, recording(slower=1.2), KNOWN).holds


def test_refusals_that_the_simulator_does_not_have_do_not_hold() -> None:
    row = compare(CASE, recording(lost=2), KNOWN)
    assert row.real_refused > 0.01
    assert not row.holds


def test_only_loads_up_to_the_bar_are_judged() -> None:
    found = cases(scale=1.0)
    assert {case.load for case in found if case.judged} == {0.3, 0.5, 0.7, 0.85}
    assert {case.queue for case in found} == set(QUEUES)


def test_the_page_tells_which_cases_hold(tmp_path: Path) -> None:
    rows = [compare(CASE, recording(), KNOWN), compare(CASE, recording(slower=1.2), KNOWN)]
    head, line, *body = table(rows)
    assert head.count("|") == line.count("|") == body[0].count("|")
    assert body[0].endswith("| yes |")
    assert body[1].endswith("| **no** |")
    write(rows, {"limited": KNOWN}, tmp_path / "page.md")
    assert "1 of 2 cases hold" in (tmp_path / "page.md").read_text()
    assert (tmp_path / "page.png").stat().st_size > 5_000
