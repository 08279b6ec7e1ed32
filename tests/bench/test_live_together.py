"""Which lanes of bench/live run at once, and how they end; without a cluster."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.live.lanes import SET_UP_SECONDS, Lane, Status
from bench.live.loads import STEP_SECONDS, Load, loads
from bench.live.systems import systems
from bench.live.together import AT_ONCE, RPS_PER_LANE, admitted, fits, perform, summary

LOADS = loads(quick=False)
DAY, CROWD = LOADS[:2]
MOST_RPS = AT_ONCE * RPS_PER_LANE
LANES = [Lane(load, system) for load in LOADS for system in systems(load, quick=False)]


@given(st.lists(st.tuples(st.sampled_from(LOADS), st.integers(0, 100)), min_size=1, max_size=12))
def test_what_fits_never_asks_for_more_than_the_machine_bears(offered: list[tuple[Load, int]]) -> None:
    running: list[tuple[Load, float]] = []
    for load, step in sorted(offered, key=lambda one: one[1]):
        if fits(load, step * STEP_SECONDS, running, most_rps=MOST_RPS):
            running.append((load, step * STEP_SECONDS))
    total = np.zeros(1_000)
    for load, starts in running:
        first = round(starts / STEP_SECONDS)
        total[first : first + len(load.profile.rates_rps)] += load.profile.rates_rps
    assert running
    assert total.max() <= MOST_RPS + 1e-6


def test_a_crowd_waits_until_four_others_are_over() -> None:
    """They ask for 150 requests/s each from 240 to 540 s; it begins with 20, and asks for 150 after 240 s."""
    crowds = [(CROWD, 0.0)] * 4
    assert not fits(CROWD, 0.0, crowds, most_rps=MOST_RPS)
    assert not fits(CROWD, 535.0, crowds, most_rps=MOST_RPS)
    assert fits(CROWD, 540.0, crowds, most_rps=MOST_RPS)


@given(st.floats(0.0, 1e6), st.integers(0, 14))
def test_those_are_admitted_that_come_first_and_fit(now: float, there: int) -> None:
    waiting = LANES[there:]
    under_way = [(lane, Status(now - 60.0, sending=True)) for lane in LANES[:there]][:AT_ONCE]
    before = list(waiting)
    found = list(admitted(waiting, under_way, now=now, at_once=AT_ONCE))
    assert len(under_way) + len(found) <= AT_ONCE
    assert [lane for lane in before if lane not in waiting] == [lane for lane, _ in found]
    assert found or under_way
    for lane, status in found:
        ready_by = now + lane.load.cold_start_seconds + SET_UP_SECONDS
        assert ready_by <= status.starts < ready_by + STEP_SECONDS + 1e-6
        assert status.starts % STEP_SECONDS == pytest.approx(0.0, abs=1e-6)


def test_one_that_is_late_has_its_load_still_to_come() -> None:
    """Else a lane whose pod takes five minutes would count as if half of its load were over."""
    late = [(Lane(CROWD, system), Status(-540.0)) for system in systems(CROWD, quick=False)[:4]]
    assert [lane.load for lane, _ in admitted([Lane(CROWD, LANES[0].system)], late, now=0.0, at_once=AT_ONCE)] == []
    begun = [(lane, Status(-540.0, sending=True)) for lane, _ in late]
    assert len(list(admitted([Lane(CROWD, LANES[0].system)], begun, now=0.0, at_once=AT_ONCE))) == 1


def test_each_is_run_and_kept_and_told() -> None:
    kept: list[Any] = []
    said: list[str] = []
    assert perform(LANES, run_at_once, keep=kept.append, say=said.append) == 0
    assert sorted((run.lane for run in kept), key=LANES.index) == LANES
    assert sorted(said) == sorted(f"{lane.name}: done" for lane in LANES)


def test_one_that_fails_is_told_and_ends_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    def run(lane: Lane, status: Status, stopping: threading.Event) -> Any:
        if lane is LANES[3]:
            raise KeyError("status")
        return Ran(lane, status, stopping)

    kept: list[Any] = []
    said: list[str] = []
    assert perform(LANES, run, keep=kept.append, say=said.append) == 1
    assert len(kept) == len(LANES) - 1
    assert f"{LANES[3].name}: FAILED: KeyError('status')" in said
    assert "in run" in capsys.readouterr().err


def test_ctrl_c_ends_all() -> None:
    started: list[Lane] = []
    ended: list[Lane] = []

    def run(lane: Lane, status: Status, stopping: threading.Event) -> Any:
        started.append(lane)
        if lane is not LANES[0]:
            stopping.wait()
            ended.append(lane)
        return Ran(lane, status, stopping)

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        perform(LANES, run, keep=interrupted, say=said.append)
    assert len(ended) == len(started) - 1 > 0
    assert said == [f"ending {len(ended)} runs"]


def test_the_summary_has_a_line_for_each() -> None:
    lines = list(summary([(LANES[0], Status(70.0)), (LANES[1], Status(10.0, True, 2, 3))], now=30.0))
    assert [line.split() for line in lines] == [
        ["day-45s-foretide", "1960", "s", "starting"],
        ["day-45s-hpa-50", "1900", "s", "2/3"],
    ]


def run_at_once(lane: Lane, status: Status, stopping: threading.Event) -> Any:
    return Ran(lane, status, stopping)


class Ran:
    """A run that has come to its end."""

    def __init__(self, lane: Lane, _status: Status, _stopping: threading.Event) -> None:
        self.lane = lane
