"""Which lanes of bench/live run at once, and how they end; without a cluster."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.live.lanes import Lane, Status
from bench.live.loads import STEP_SECONDS, Load, loads
from bench.live.systems import systems
from bench.live.together import MOST_LANES, MOST_RPS, fits, perform

LOADS = loads(quick=False)
LANES = [Lane(load, system) for load in LOADS for system in systems(load, quick=False)]


@given(st.lists(st.tuples(st.sampled_from(LOADS), st.integers(0, 100)), min_size=1, max_size=12))
def test_admitted_lanes_never_ask_for_more_than_the_machine_bears(offered: list[tuple[Load, int]]) -> None:
    """Starts are at whole steps, so that the sum of the steps is exact."""
    admitted: list[tuple[Load, float]] = []
    for load, step in sorted(offered, key=lambda one: one[1]):
        if fits(load, step * STEP_SECONDS, admitted):
            admitted.append((load, step * STEP_SECONDS))
    total = np.zeros(1_000)
    for load, starts in admitted:
        first = round(starts / STEP_SECONDS)
        total[first : first + len(load.profile.rates_rps)] += load.profile.rates_rps
    assert admitted
    assert total.max() <= MOST_RPS + 1e-6


def test_a_crowd_waits_until_the_others_are_over() -> None:
    crowd = LOADS[1]
    others = [(crowd, 0.0)] * 4  # 600 requests/s from 240 to 540 s
    assert not fits(crowd, 60.0, others)
    assert not fits(LOADS[0], 0.0, others)
    assert fits(crowd, crowd.profile.seconds, others)


def test_all_run_and_each_is_kept() -> None:
    at_once: list[int] = []
    running: set[Lane] = set()

    def run(lane: Lane, _status: Status, _stopping: threading.Event) -> Any:
        running.add(lane)
        at_once.append(len(running))
        running.remove(lane)
        return lane

    kept: list[Any] = []
    assert perform(LANES, run, keep=kept.append, say=lambda _: None) == 0
    assert sorted(kept, key=LANES.index) == LANES
    assert max(at_once) <= MOST_LANES


def test_one_that_fails_is_told_and_ends_no_other() -> None:
    def run(lane: Lane, _status: Status, _stopping: threading.Event) -> Any:
        if lane is LANES[3]:
            raise AssertionError("a ready replica: not within 300 s")
        return lane

    kept: list[Any] = []
    said: list[str] = []
    assert perform(LANES, run, keep=kept.append, say=said.append) == 1
    assert len(kept) == len(LANES) - 1
    assert f"{LANES[3].name}: FAILED: a ready replica: not within 300 s" in said


def test_ctrl_c_ends_all() -> None:
    ended: list[Lane] = []

    def run(lane: Lane, _status: Status, stopping: threading.Event) -> Any:
        if lane is not LANES[0]:
            stopping.wait()
            ended.append(lane)
        return lane

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(LANES, run, keep=interrupted, say=lambda _: None)
    assert 0 < len(ended) < MOST_LANES
